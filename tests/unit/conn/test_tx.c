/* SPDX-License-Identifier: MIT */
/* What a commit waits for: a store that answers when it is told to. */
#include "conversation.h"
#include "store/engine.h"

#define PERSISTENT SLICE_LITERAL("\x10\0\2")
#define QA	   SLICE_LITERAL("qa")
#define QB	   SLICE_LITERAL("qb")

enum { HELD_MAX = 64 };

static struct client a, b; /* on loop 0 and loop 1; each has a queue there */

/* ---- The store ---- */

static struct store_engine_ops held_ops;
static const struct store_engine_ops *real_ops;
static bool holds_appends, holds_barriers;

/* What the engine has answered, and we have not said. */
static struct {
	void (*append_done)(struct store_append *append, enum store_result result);
	void (*barrier_done)(struct store_barrier *barrier, enum store_result result);
	struct store_append *append;
	struct store_barrier *barrier;
	unsigned loop;
} held[HELD_MAX];
static unsigned n_held, n_settle_appends;

static unsigned hold(void)
{
	CU_ASSERT_FATAL(n_held < HELD_MAX);
	held[n_held].append = NULL;
	held[n_held].barrier = NULL;
	held[n_held].loop = loop_index(loop_self());
	return n_held++;
}

/* The answer itself is ours, so it goes nowhere. */
static void append_answered(struct store_append *append, enum store_result result)
{
	(void)append;
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
}

static void barrier_answered(struct store_barrier *barrier, enum store_result result)
{
	(void)barrier;
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
}

static void held_append(struct store_log *log, uint64_t epoch, struct store_append *append)
{
	for (size_t i = 0; i < append->n_records; i++)
		n_settle_appends += append->records[i].type == STORE_SETTLE;
	if (holds_appends) {
		unsigned i = hold();

		held[i].append = append;
		held[i].append_done = append->done;
		append->done = append_answered;
	}
	real_ops->append(log, epoch, append);
}

static void held_barrier(struct store_log *log, struct store_barrier *barrier)
{
	if (holds_barriers) {
		unsigned i = hold();

		held[i].barrier = barrier;
		held[i].barrier_done = barrier->done;
		barrier->done = barrier_answered;
	}
	real_ops->barrier(log, barrier);
}

static enum store_result release_result;

static void release_here(void *arg)
{
	unsigned i = *(unsigned *)arg;

	if (held[i].append)
		held[i].append_done(held[i].append, release_result);
	else
		held[i].barrier_done(held[i].barrier, release_result);
}

/* All that is held is answered so. */
static void release(enum store_result result)
{
	unsigned n = n_held;

	release_result = result;
	for (unsigned i = 0; i < n; i++)
		loop_pool_visit(held[i].loop, release_here, &i);
	n_held = 0;
	settle(&a, &b);
}

/* ---- The conversation ---- */

static void get(struct slice queue)
{
	PUT(&a, 1, AMQP_BASIC_GET, basic_get, .queue = queue);
	settle(&a, &b);
}

static void check_ready(struct slice queue, bool is_ready)
{
	uint64_t n = b.n_gets;

	PUT(&b, 2, AMQP_BASIC_GET, basic_get, .queue = queue, .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_gets - n, is_ready);
}

/* A message in each queue, both got by a's channel 1, which is transactional. */
static void start(void)
{
	world_create();
	real_ops = store->ops;
	held_ops = *real_ops;
	held_ops.append = held_append;
	held_ops.barrier = held_barrier;
	store->ops = &held_ops;
	holds_appends = holds_barriers = false;
	n_held = n_settle_appends = 0;
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = QA, .durable = true);
	PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = QB, .durable = true);
	settle(&a, &b);
	PUT(&b, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	publish(&b, 1, QA, PERSISTENT, 10);
	publish(&b, 1, QB, PERSISTENT, 10);
	settle(&a, &b);
	CU_ASSERT_EQUAL_FATAL(b.n_acks, 2);
	PUT(&a, 1, AMQP_TX_SELECT, tx_select);
	get(QA);
	get(QB);
	CU_ASSERT_EQUAL_FATAL(a.n_gets, 2);
}

static void stop(void)
{
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	world_destroy();
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_CONNECTION), 0);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), 0);
}

/* Two publishes to each queue and an ack of each message. */
static void commit(void)
{
	for (int i = 0; i < 2; i++) {
		publish(&a, 1, QA, PERSISTENT, 10);
		publish(&a, 1, QB, PERSISTENT, 10);
	}
	PUT(&a, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = 2, .multiple = true);
	PUT(&a, 1, AMQP_TX_COMMIT, tx_commit);
	settle(&a, &b);
}

/* ---- The tests ---- */

static void acks_follow_publishes_and_commit_ok_follows_acks(void)
{
	start();
	holds_appends = holds_barriers = true;
	commit();
	CU_ASSERT_EQUAL(n_held, 2); /* one append in each log */
	CU_ASSERT_TRUE(held[0].append->is_atomic && held[1].append->is_atomic);
	CU_ASSERT_EQUAL(n_settle_appends, 0);
	CU_ASSERT_EQUAL(a.n_commit_oks, 0);
	holds_appends = false;
	release(STORE_DURABLE);
	CU_ASSERT_EQUAL(n_settle_appends, 2);
	CU_ASSERT_EQUAL(n_held, 2); /* barriers */
	CU_ASSERT_EQUAL(a.n_commit_oks, 0);
	release(STORE_DURABLE);
	CU_ASSERT_EQUAL(a.n_commit_oks, 1);
	CU_ASSERT_EQUAL(a.close_code, 0);
	stop();
}

static void commit_without_acks_needs_no_barrier(void)
{
	start();
	holds_barriers = true;
	publish(&a, 1, QA, PERSISTENT, 10);
	publish(&a, 1, QB, PERSISTENT, 10);
	PUT(&a, 1, AMQP_TX_COMMIT, tx_commit);
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_held, 0);
	CU_ASSERT_EQUAL(a.n_commit_oks, 1);
	stop();
}

/* The channel fails, and what it acknowledged comes back. */
static void publishes_that_fail_fail_the_commit(void)
{
	start();
	holds_appends = true;
	commit();
	holds_appends = false;
	release(STORE_UNKNOWN);
	CU_ASSERT_EQUAL(a.n_commit_oks, 0);
	CU_ASSERT_EQUAL(a.close_code, AMQP_PRECONDITION_FAILED);
	CU_ASSERT_EQUAL(n_settle_appends, 0);
	for (int i = 0; i < 3; i++)
		check_ready(QB, true);
	check_ready(QB, false);
	stop();
}

static void acks_that_fail_fail_the_commit(void)
{
	start();
	holds_barriers = true;
	commit();
	release(STORE_UNKNOWN);
	CU_ASSERT_EQUAL(a.n_commit_oks, 0);
	CU_ASSERT_EQUAL(a.close_code, AMQP_PRECONDITION_FAILED);
	stop();
}

static void what_comes_meanwhile_waits(void)
{
	start();
	holds_barriers = true;
	commit();
	PUT(&a, 1, AMQP_BASIC_GET, basic_get, .queue = QA, .no_ack = true);
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_code = 200);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.n_gets, 2);
	release(STORE_DURABLE);
	CU_ASSERT_EQUAL(a.n_commit_oks, 1);
	CU_ASSERT_EQUAL(a.n_gets, 3);
	stop();
}

/* Nobody is there to be told, of publishes or of acks. */
static void connection_goes_while_a_commit_waits(void)
{
	start();
	holds_appends = true;
	commit();
	client_end(&a);
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_settle_appends, 0);
	holds_appends = false;
	release(STORE_DURABLE);
	check_ready(QA, true); /* requeued */
	stop();

	start();
	holds_barriers = true;
	commit();
	client_end(&a);
	settle(&a, &b);
	release(STORE_DURABLE);
	for (int i = 0; i < 2; i++)
		check_ready(QB, true); /* those of the commit */
	check_ready(QB, false);
	stop();
}

/* The store answers after all else has ended. */
static void server_goes_while_a_commit_waits(void)
{
	start();
	commit();
	PUT(&a, 1, AMQP_BASIC_GET, basic_get, .queue = QA);
	settle(&a, &b);
	PUT(&a, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = 3);
	PUT(&a, 1, AMQP_TX_COMMIT, tx_commit);
	write_out(&a);
	loop_pool_visit(0, turn_here, NULL);
	stop();
}

UNIT_MAIN("tx", UNIT_TEST(acks_follow_publishes_and_commit_ok_follows_acks),
	  UNIT_TEST(commit_without_acks_needs_no_barrier),
	  UNIT_TEST(publishes_that_fail_fail_the_commit), UNIT_TEST(acks_that_fail_fail_the_commit),
	  UNIT_TEST(what_comes_meanwhile_waits), UNIT_TEST(connection_goes_while_a_commit_waits),
	  UNIT_TEST(server_goes_while_a_commit_waits))
