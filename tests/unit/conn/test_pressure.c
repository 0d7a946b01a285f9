/* SPDX-License-Identifier: MIT */
/* What stops reading from a connection, and that it always goes on. */
#include "broker/alarm.h"
#include "conversation.h"

static struct client a, b; /* on loop 0 and loop 1 */

static void start(void)
{
	world_create();
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	PUT(&b, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	settle(&a, &b);
}

static void stop(void)
{
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	world_destroy();
}

static void limit_memory(void *bytes)
{
	alarms_set_memory_limit(broker->alarms, *(uint64_t *)bytes);
}

/* Loop 0 clears the alarm by a timer, in which no other loop has its turn. */
static void clear_alarm(void)
{
	uint64_t limit = 0;

	loop_pool_visit(0, limit_memory, &limit);
	while (alarms_memory_is_set(broker->alarms)) {
		loop_pool_visit(0, turn_here, NULL);
		(void)usleep(1000);
	}
	loop_pool_visit(0, turn_here, NULL);
}

static void one_publish(void)
{
	publish(&b, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 10);
}

static void the_alarm_blocks_and_unblocks(void)
{
	uint64_t limit = 1;

	start();
	one_publish();
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_acks, 1);
	loop_pool_visit(0, limit_memory, &limit);
	settle(&a, &b);
	CU_ASSERT_TRUE(b.is_blocked);
	CU_ASSERT_FALSE(a.is_blocked); /* it has not published */
	one_publish();
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_acks, 1);
	clear_alarm();
	settle(&a, &b);
	CU_ASSERT_FALSE(b.is_blocked);
	CU_ASSERT_EQUAL(b.n_acks, 2);
	stop();
}

/* ---- More than one alarm ---- */

static uint64_t disk_free;

static int measure(const char *path, uint64_t *ret_free_bytes)
{
	(void)path;
	*ret_free_bytes = disk_free;
	return 0;
}

static void set_memory(bool is_low)
{
	uint64_t limit = is_low ? 1 : 0;

	loop_pool_visit(0, limit_memory, &limit);
}

static void limit_disk(void *bytes)
{
	alarms_set_disk_limit(broker->alarms, *(uint64_t *)bytes);
}

static void set_disk(bool is_low)
{
	uint64_t limit = is_low ? 1000 : 0;

	loop_pool_visit(0, limit_disk, &limit);
}

static void wait_while(bool (*is_set)(const struct alarms *))
{
	while (is_set(broker->alarms)) {
		loop_pool_visit(0, turn_here, NULL);
		(void)usleep(1000);
	}
	settle(&a, &b);
}

/* Both alarms, one after the other: the reason is that of the first; the second is not told, and
 * unblocks nobody when it goes alone. */
static void check_reasons(void (*first)(bool), const char *reason, void (*second)(bool),
			  bool (*first_is_set)(const struct alarms *), bool (*second_is_set)(const struct alarms *))
{
	unsigned before = b.n_blocked;

	first(true);
	settle(&a, &b);
	CU_ASSERT_TRUE(b.is_blocked);
	CU_ASSERT_STRING_EQUAL(b.blocked_reason, reason);
	second(true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_blocked, before + 1);
	first(false);
	wait_while(first_is_set);
	CU_ASSERT_TRUE(b.is_blocked);
	CU_ASSERT_EQUAL(b.n_blocked, before + 1);
	second(false);
	wait_while(second_is_set);
	CU_ASSERT_FALSE(b.is_blocked);
}

static void reasons(void)
{
	start();
	alarms_measure_disk_by(broker->alarms, measure);
	alarms_watch_disk(broker->alarms, "/", 0);
	one_publish();
	settle(&a, &b);
	check_reasons(set_memory, "low on memory", set_disk, alarms_memory_is_set, alarms_disk_is_set);
	check_reasons(set_disk, "low on disk", set_memory, alarms_disk_is_set, alarms_memory_is_set);

	/* who publishes when both are set already */
	set_memory(true);
	set_disk(true);
	settle(&a, &b);
	PUT(&a, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	publish(&a, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 10);
	settle(&a, &b);
	CU_ASSERT_STRING_EQUAL(a.blocked_reason, "low on disk & memory");
	CU_ASSERT_EQUAL(a.n_blocked, 1);
	set_disk(false);
	set_memory(false);
	wait_while(alarms_disk_is_set);
	wait_while(alarms_memory_is_set);
	CU_ASSERT_FALSE(a.is_blocked);
	CU_ASSERT_EQUAL(a.n_acks, 1);
	stop();
}

/* An alarm that is set and cleared while a loop is busy: what is published there then is not blocked for ever. */
static void an_alarm_that_passes_unseen(void)
{
	uint64_t limit = 1;

	start();
	loop_pool_visit(0, limit_memory, &limit);
	one_publish();
	write_out(&b);
	loop_pool_visit(1, turn_here, NULL); /* loop 0 has not had the end of its turn: nobody is told yet */
	clear_alarm();
	settle(&a, &b);
	CU_ASSERT_FALSE(b.is_blocked);
	CU_ASSERT_EQUAL(b.n_acks, 1);
	one_publish();
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_acks, 2);
	stop();
}

UNIT_MAIN("pressure", UNIT_TEST(the_alarm_blocks_and_unblocks), UNIT_TEST(reasons), UNIT_TEST(an_alarm_that_passes_unseen))
