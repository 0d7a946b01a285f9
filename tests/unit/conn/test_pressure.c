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

UNIT_MAIN("pressure", UNIT_TEST(the_alarm_blocks_and_unblocks), UNIT_TEST(an_alarm_that_passes_unseen))
