/* SPDX-License-Identifier: MIT */
/* What stops reading from a connection, and that it always goes on. */
#include "base/clock.h"
#include "broker/alarm.h"
#include "broker/queue/log.h"
#include "conversation.h"
#include "store/engine.h"

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

#define PATIENCE_MS 60000u

/* Loop 0 clears alarms by a timer; meanwhile no other loop has its turn. */
static void wait_while(bool (*is_set)(const struct alarms *))
{
	uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (is_set(broker->alarms)) {
		CU_ASSERT_FATAL(clock_monotonic_ms() < end_ms);
		loop_pool_visit(0, turn_here, NULL);
		(void)usleep(1000);
	}
	loop_pool_visit(0, turn_here, NULL);
}

static void clear_alarm(void)
{
	uint64_t limit = 0;

	loop_pool_visit(0, limit_memory, &limit);
	wait_while(alarms_memory_is_set);
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

static void wait_until_clear(bool (*is_set)(const struct alarms *))
{
	wait_while(is_set);
	settle(&a, &b);
}

/* Both alarms, one after the other: the reason is that of the first; the second is not told, and
 * unblocks nobody when it goes alone. */
static void check_reasons(void (*first)(bool), const char *reason, void (*second)(bool),
			  bool (*first_is_set)(const struct alarms *),
			  bool (*second_is_set)(const struct alarms *))
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
	wait_until_clear(first_is_set);
	CU_ASSERT_TRUE(b.is_blocked);
	CU_ASSERT_EQUAL(b.n_blocked, before + 1);
	second(false);
	wait_until_clear(second_is_set);
	CU_ASSERT_FALSE(b.is_blocked);
}

static void reasons(void)
{
	start();
	alarms_measure_disk_by(broker->alarms, measure);
	alarms_watch_disk(broker->alarms, "/", 0);
	one_publish();
	settle(&a, &b);
	check_reasons(set_memory, "low on memory", set_disk, alarms_memory_is_set,
		      alarms_disk_is_set);
	check_reasons(set_disk, "low on disk", set_memory, alarms_disk_is_set,
		      alarms_memory_is_set);

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
	wait_until_clear(alarms_disk_is_set);
	wait_until_clear(alarms_memory_is_set);
	CU_ASSERT_FALSE(a.is_blocked);
	CU_ASSERT_EQUAL(a.n_acks, 1);
	stop();
}

/* An alarm that is set and cleared while a loop is busy: what is published there then is not
 * blocked for ever. */
static void an_alarm_that_passes_unseen(void)
{
	uint64_t limit = 1;

	start();
	loop_pool_visit(0, limit_memory, &limit);
	one_publish();
	write_out(&b);
	loop_pool_visit(1, turn_here,
			NULL); /* loop 0 has not had the end of its turn: nobody is told yet */
	clear_alarm();
	settle(&a, &b);
	CU_ASSERT_FALSE(b.is_blocked);
	CU_ASSERT_EQUAL(b.n_acks, 1);
	one_publish();
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_acks, 2);
	stop();
}

/* ---- A log that is slower than who publishes ---- */

static struct store_engine_ops slow_ops;
static const struct store_engine_ops *real_ops;
static struct {
	bool is_slow;
	unsigned n_appended; /* messages */
	struct store_append *first, *last;
	struct store_log *log;
	uint64_t epoch;
} slow; /* of the one loop that has durable queues */

static void append_slowly(struct store_log *log, uint64_t epoch, struct store_append *append)
{
	for (size_t i = 0; i < append->n_records; i++)
		slow.n_appended += append->records[i].type == STORE_PUBLISH;
	if (!slow.is_slow) {
		real_ops->append(log, epoch, append);
		return;
	}
	slow.log = log;
	slow.epoch = epoch;
	if (slow.first)
		slow.last->next = append;
	else
		slow.first = append;
	slow.last = append;
}

static void go_on(void *unused)
{
	struct store_append *append, *next;

	(void)unused;
	slow.is_slow = false;
	for (append = slow.first; append; append = next) {
		next = append->next;
		append->next = NULL;
		real_ops->append(slow.log, slow.epoch, append);
	}
	slow.first = NULL;
}

/* b publishes until nothing is taken any more. Returns how many messages that were. */
static unsigned publish_until_refused(struct slice properties)
{
	enum { SIZE = 90000, ROOM = SIZE + 1000, MOST = 1000 };

	for (unsigned n = 0; n < MOST; n++) {
		if (b.out.capacity - b.out.size < ROOM) {
			size_t before = b.out.size;

			settle(&a, &b);
			if (b.out.size == before)
				return n;
		}
		publish(&b, 1, SLICE_LITERAL("q"), properties, SIZE);
	}
	return MOST;
}

/* No confirms are waited for, and there is no alarm. */
static void check_slow_log(struct client *owner)
{
	const struct slice persistent = SLICE_LITERAL("\x10\x00\x02");
	unsigned n, taken;

	start();
	real_ops = store->ops;
	slow_ops = *real_ops;
	slow_ops.append = append_slowly;
	store->ops = &slow_ops;
	memset(&slow, 0, sizeof(slow));
	PUT(owner, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("q"),
	    .durable = true);
	settle(&a, &b);
	slow.is_slow = true;
	n = publish_until_refused(persistent);
	taken = slow.n_appended;
	CU_ASSERT_TRUE(taken * 90000 > QUEUE_LOG_UNDER_WAY_MAX - 100000);
	CU_ASSERT_TRUE(taken * 90000 < QUEUE_LOG_UNDER_WAY_MAX +
					       (6 << 20)); /* and what is under way between loops */
	CU_ASSERT_TRUE(taken < n);
	loop_pool_visit(owner == &a ? 0 : 1, go_on, NULL);
	for (int i = 0; i < 100 && slow.n_appended < n; i++)
		settle(&a, &b);
	CU_ASSERT_EQUAL(slow.n_appended, n);
	CU_ASSERT_EQUAL(b.close_code, 0);
	store->ops = real_ops;
	stop();
}

static void a_slow_log_holds_publishers(void)
{
	check_slow_log(&b);
}

static void a_slow_log_of_another_loop_holds_publishers(void)
{
	check_slow_log(&a);
}

/* What does not go to the log is none of its business. */
static void a_slow_log_does_not_hold_transient_messages(void)
{
	start();
	PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("q"));
	settle(&a, &b);
	CU_ASSERT_EQUAL(publish_until_refused(SLICE_LITERAL("\0\0")), 1000);
	settle(&a, &b);
	stop();
}

UNIT_MAIN("pressure", UNIT_TEST(the_alarm_blocks_and_unblocks), UNIT_TEST(reasons),
	  UNIT_TEST(an_alarm_that_passes_unseen), UNIT_TEST(a_slow_log_holds_publishers),
	  UNIT_TEST(a_slow_log_of_another_loop_holds_publishers),
	  UNIT_TEST(a_slow_log_does_not_hold_transient_messages))
