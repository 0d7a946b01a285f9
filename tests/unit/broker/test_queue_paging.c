/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "broker/alarm.h"
#include "copying_store.h"
#include "queue_case.h"

/* Long queues: bodies leave memory, and are read back. The log copies, as one on disk does. */

#define BUDGET	  (UINT64_C(64) << 10)
#define BODY_SIZE 500u
#define PIECE	  (UINT64_C(1) << 20) /* read at once; twice as much may be there */

static struct copying_log *log_of_queue;

static void setup_paging(bool durable)
{
	struct queue_options options = fixture_options();

	options.durable = durable;
	fixture_create_store = copying_store_create;
	setup_with(options);
	fixture_broker.queue_memory_max = BUDGET;
	fixture_broker.queue_transient_max = UINT64_MAX;
	log_of_queue = copying_log_of(fixture_broker.store, 0);
}

static struct message *make_numbered(uint64_t number, bool persistent)
{
	struct message *m = make_message(BODY_SIZE);

	memcpy(message_body_bytes(m), &number, sizeof(number));
	m->persistent = persistent;
	return m;
}

static uint64_t number_of(const struct message *m)
{
	uint64_t number;

	CU_ASSERT_EQUAL_FATAL(message_body(m).size, BODY_SIZE);
	memcpy(&number, message_body(m).data, sizeof(number));
	for (unsigned i = sizeof(number); i < BODY_SIZE; i++)
		CU_ASSERT_EQUAL_FATAL(message_body(m).data[i], 'x');
	return number;
}

static struct queue_stats stats_now(void)
{
	struct queue_stats stats;

	queue_stats(queue, &stats);
	return stats;
}

/* Numbers are the queue's. Until all are in the log. */
static void publish_numbered(uint64_t first, uint64_t last, bool persistent)
{
	for (uint64_t i = first; i <= last; i++) {
		struct message *m = make_numbered(i, persistent);
		enum queue_publish_result result =
			queue_publish_take(queue, m, ep.endpoint.ref, persistent ? i : 0);

		if (result == QUEUE_REJECTED)
			CU_FAIL_FATAL("rejected");
		if (i % 100 == 0 || i == last) {
			turn();
			turn();
			turn();
			fake_endpoint_forget(&ep);
		}
	}
}

static uint64_t messages_now(void)
{
	return account_kind_total(ACCOUNT_MESSAGE);
}

/* ---- A consumer that checks what it gets, and does not keep it ---- */

static struct {
	uint64_t next, n, most_bytes;
	uint64_t gap, after_gap; /* the first that does not come, the next one that does */
	bool acks, wants_redelivered;
} seen;

static void check_deliveries(struct fake_endpoint *fake, uint32_t consumer)
{
	uint64_t now = messages_now();

	if (now > seen.most_bytes)
		seen.most_bytes = now;
	for (size_t i = 0; i < fake->n_deliveries; i++) {
		const struct delivery *d = &fake->deliveries[i].delivery;
		uint64_t seq = d->seq;

		CU_ASSERT_EQUAL(number_of(d->message), seen.next);
		CU_ASSERT_EQUAL(d->seq, seen.next);
		CU_ASSERT_EQUAL(d->redelivered, seen.wants_redelivered);
		seen.next++;
		seen.n++;
		if (seen.next == seen.gap) {
			seen.next = seen.after_gap;
			seen.wants_redelivered = false;
		}
		queue_credit(ref, fake->endpoint.ref, consumer, queue_delivery_bytes(d->message));
		if (seen.acks)
			queue_settle(ref, fake->endpoint.ref, consumer, QUEUE_ACK, &seq, 1);
	}
	fake_endpoint_forget(fake);
}

static void see_from(uint64_t next, bool acks, bool redelivered)
{
	seen.next = next;
	seen.n = seen.most_bytes = seen.gap = 0;
	seen.acks = acks;
	seen.wants_redelivered = redelivered;
	other.on_deliver = check_deliveries;
}

/* ---- */

static void memory_is_bounded_and_all_come_in_order(void)
{
	uint64_t n = 20000, before, slots_before;

	setup_paging(true);
	before = messages_now();
	slots_before = account_kind_total(ACCOUNT_QUEUE);
	publish_numbered(1, n, true);
	CU_ASSERT(messages_now() - before < 2 * BUDGET);
	CU_ASSERT(account_kind_total(ACCOUNT_QUEUE) - slots_before < 18 * n);
	CU_ASSERT_EQUAL(stats_now().ready, n);
	CU_ASSERT_EQUAL(stats_now().body_bytes, n * BODY_SIZE);
	CU_ASSERT(stats_now().ready_away > n - BUDGET / BODY_SIZE);
	CU_ASSERT_EQUAL(stats_now().away_bytes, stats_now().ready_away * BODY_SIZE);
	CU_ASSERT_EQUAL(log_of_queue->n_reads, 0);

	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == n);
	CU_ASSERT(seen.most_bytes - before < 3 * PIECE);
	CU_ASSERT_EQUAL(stats_now().ready + stats_now().unacknowledged, 0);
	CU_ASSERT_EQUAL(stats_now().away_bytes, 0);
	CU_ASSERT_EQUAL(messages_now(), before);
	teardown();
}

/* Ready ones wait while a consumer with a small prefetch goes on. */
static void pieces_are_read_ahead_of_a_small_prefetch(void)
{
	setup_paging(true);
	publish_numbered(1, 10000, true);
	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 5), 0);
	WAIT_FOR(seen.n == 10000);
	CU_ASSERT(log_of_queue->n_reads <= 10000 * BODY_SIZE / (PIECE / 2) + 2);
	teardown();
}

/* A consumer without prefetch takes all; what it has leaves memory, and comes back when it goes. */
static void taken_ones_leave_memory_and_come_back(void)
{
	uint64_t n = 12000, before;

	setup_paging(true);
	before = messages_now();
	publish_numbered(1, n, true);
	see_from(1, false, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == n);
	CU_ASSERT(messages_now() - before < 2 * BUDGET);
	CU_ASSERT_EQUAL(stats_now().unacknowledged, n);
	CU_ASSERT(stats_now().unacknowledged_away > n - BUDGET / BODY_SIZE);

	cancel(&other, 1);
	for (uint64_t seq = n; seq > 0; seq--)
		settle(&other, 1, QUEUE_REQUEUE, seq);
	CU_ASSERT_EQUAL(stats_now().ready, n);
	see_from(1, true, true);
	CU_ASSERT_EQUAL(consume(&other, 2, 100), 0);
	WAIT_FOR(seen.n == n);
	CU_ASSERT(seen.most_bytes - before < 3 * PIECE);
	CU_ASSERT_EQUAL(messages_now(), before);
	teardown();
}

/* From the first to the last, so that they wait in the heap. */
static void returned_ones_that_are_away_come_first(void)
{
	setup_paging(true);
	publish_numbered(1, 3000, true);
	see_from(1, false, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 2000), 0);
	WAIT_FOR(seen.n == 2000);
	cancel(&other, 1);
	for (uint64_t seq = 1001; seq <= 1500; seq++)
		settle(&other, 1, QUEUE_REQUEUE, seq);
	for (uint64_t seq = 1; seq <= 1000; seq++)
		settle(&other, 1, QUEUE_ACK, seq);
	for (uint64_t seq = 1501; seq <= 2000; seq++)
		settle(&other, 1, QUEUE_ACK, seq);
	see_from(1001, true, true);
	seen.gap = 1501;
	seen.after_gap = 2001;
	CU_ASSERT_EQUAL(consume(&other, 2, 500), 0);
	WAIT_FOR(seen.n == 1500);
	teardown();
}

/* What is published while others wait behind is delivered after them. */
static void publishes_go_on_meanwhile(void)
{
	setup_paging(true);
	publish_numbered(1, 3000, true);
	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 10), 0);
	publish_numbered(3001, 9000, true);
	WAIT_FOR(seen.n == 9000);
	teardown();
}

/* ---- basic.get ---- */

struct waiting_get {
	struct queue_request request;
	unsigned done; /* 0: not yet, else its place among those done */
};

static unsigned n_answered;

static void get_done(struct queue_request *request)
{
	container_of(request, struct waiting_get, request)->done = ++n_answered;
}

static void submit_get(struct waiting_get *get)
{
	*get = (struct waiting_get){.request = {.operation = QUEUE_GET,
						.queue = ref,
						.asker = ep.endpoint.ref,
						.connection = 1,
						.done = get_done,
						.queue_name = SLICE_LITERAL("q"),
						.vhost_name = SLICE_LITERAL("/")}};
	queue_request_submit(&get->request);
}

static void expect_get(const struct waiting_get *get, unsigned place, uint64_t number)
{
	const struct delivery *d = &get->request.get.delivery;

	CU_ASSERT_EQUAL(get->done, place);
	CU_ASSERT_EQUAL(get->request.error.code, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d->message);
	CU_ASSERT_EQUAL(d->seq, number);
	CU_ASSERT_EQUAL(number_of(d->message), number);
	message_unref(d->message);
}

/* A queue whose messages from the first on are away: the head was acknowledged. */
static uint64_t setup_away_head(uint64_t n)
{
	uint64_t head;

	setup_paging(true);
	publish_numbered(1, n, true);
	head = n - stats_now().ready_away + 1;
	see_from(1, true, false);
	log_of_queue->holds_reads = true;
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == head - 1);
	cancel(&other, 1);
	CU_ASSERT_EQUAL(stats_now().ready, stats_now().ready_away);
	n_answered = 0;
	return head;
}

static void gets_wait_and_keep_their_order(void)
{
	struct waiting_get gets[3];
	uint64_t head = setup_away_head(1000);

	for (int i = 0; i < 3; i++)
		submit_get(&gets[i]);
	turn();
	CU_ASSERT_EQUAL(n_answered, 0);
	CU_ASSERT_EQUAL(count_ready(), 1001 - head); /* does not wait */
	copying_release_reads(log_of_queue);
	WAIT_FOR(n_answered == 3);
	for (unsigned i = 0; i < 3; i++)
		expect_get(&gets[i], i + 1, head + i);
	CU_ASSERT_EQUAL(gets[2].request.get.ready_count, 1000 - head - 2);
	teardown();
}

static void a_get_finds_the_queue_purged(void)
{
	struct queue_request purge = {.connection = 1};
	struct waiting_get get;
	uint64_t head = setup_away_head(1000);

	submit_get(&get);
	submit(&purge, QUEUE_PURGE, &ep);
	CU_ASSERT_EQUAL(purge.message_count, 1001 - head);
	CU_ASSERT_EQUAL(get.done, 1);
	CU_ASSERT_EQUAL(get.request.error.code, 0);
	CU_ASSERT_PTR_NULL(get.request.get.delivery.message);
	publish_numbered(1001, 1001, true);
	copying_release_reads(log_of_queue);
	turn();
	turn();
	see_from(1001, true, false);
	CU_ASSERT_EQUAL(consume(&other, 2, 0), 0);
	WAIT_FOR(seen.n == 1);
	teardown();
}

static void a_get_finds_the_queue_gone(void)
{
	struct waiting_get get;

	(void)setup_away_head(1000);
	submit_get(&get);
	(void)destroy_queue();
	CU_ASSERT_EQUAL(get.done, 1);
	CU_ASSERT_EQUAL(get.request.error.code, AMQP_NOT_FOUND);
	CU_ASSERT_EQUAL(copying_release_reads(log_of_queue), 1);
	turn();
	turn();
	teardown();
}

/* The broker's end: a get and a read are left. */
static void a_get_finds_the_broker_gone(void)
{
	struct waiting_get get;

	(void)setup_away_head(1000);
	submit_get(&get);
	CU_ASSERT_EQUAL(copying_release_reads(log_of_queue), 1);
	teardown();
	CU_ASSERT_EQUAL(get.done, 1);
}

static void a_get_waits_for_the_messages_of_a_consumer(void)
{
	struct waiting_get get;
	uint64_t head = setup_away_head(1000);

	see_from(head + 1, true, false);
	submit_get(&get);
	CU_ASSERT_EQUAL(consume(&other, 2, 0), 0);
	copying_release_reads(log_of_queue);
	WAIT_FOR(seen.n == 1000 - head);
	expect_get(&get, 1, head);
	teardown();
}

/* ---- A read under way ---- */

static void the_consumer_goes_meanwhile(void)
{
	uint64_t head = setup_away_head(3000);

	see_from(head, true, false);
	CU_ASSERT_EQUAL(consume(&other, 2, 0), 0);
	turn();
	cancel(&other, 2);
	CU_ASSERT_EQUAL(copying_release_reads(log_of_queue), 1);
	turn();
	turn();
	CU_ASSERT_EQUAL(seen.n, 0);
	CU_ASSERT_EQUAL(stats_now().ready, 3001 - head);
	CU_ASSERT_EQUAL(consume(&other, 3, 0), 0);
	WAIT_FOR(seen.n == 3001 - head);
	teardown();
}

/* ---- Failures ---- */

static void what_could_not_be_appended_stays(void)
{
	setup_paging(true);
	publish_numbered(1, 200, true);
	log_of_queue->fails_appends = true;
	publish_numbered(201, 600, true);
	log_of_queue->fails_appends = false;
	publish_numbered(601, 1000, true);
	CU_ASSERT(stats_now().ready_away > 400);
	CU_ASSERT(stats_now().ready_away <= 600);
	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == 1000);
	teardown();
}

static uint64_t live_messages(void)
{
	struct store_log_stats stats;

	store_log_stats(&log_of_queue->log, &stats);
	return stats.live_messages;
}

static void what_cannot_be_read_leaves_the_queue_and_not_the_log(void)
{
	setup_paging(true);
	publish_numbered(1, 2000, true);
	log_of_queue->unreadable_seq = 1000;
	see_from(1, true, false);
	seen.gap = 1000;
	seen.after_gap = 1001;
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == 1999);
	CU_ASSERT_EQUAL(stats_now().ready + stats_now().unacknowledged, 0);
	CU_ASSERT_EQUAL(stats_now().body_bytes, 0);
	WAIT_FOR(live_messages() == 1);
	teardown();
}

/* In the midst of a piece: what is behind it waits, and all is there in the end. */
static void without_memory_it_is_read_again(void)
{
	unsigned n_reads;
	uint64_t head = setup_away_head(1000);

	see_from(head, true, false);
	CU_ASSERT_EQUAL(consume(&other, 2, 0), 0);
	turn();
	n_reads = log_of_queue->n_reads;
	copying_release_reads(log_of_queue);
	mem_fault_after(10);
	turn();
	mem_fault_after(-1);
	WAIT_FOR(seen.n == 1001 - head);
	CU_ASSERT(log_of_queue->n_reads > n_reads);
	teardown();
}

static void a_get_goes_past_what_cannot_be_read(void)
{
	struct waiting_get get;
	uint64_t head = setup_away_head(500);

	log_of_queue->unreadable_seq = head;
	submit_get(&get);
	copying_release_reads(log_of_queue);
	WAIT_FOR(n_answered == 1);
	expect_get(&get, 1, head + 1);
	teardown();
}

/* ---- Messages that need not be in the log ---- */

static void transient_ones_leave_memory_too(void)
{
	uint64_t n = 10000, before;

	setup_paging(false);
	fixture_broker.queue_transient_max = 2 * BUDGET;
	before = messages_now();
	publish_numbered(1, n, false);
	CU_ASSERT(messages_now() - before < 4 * BUDGET);
	CU_ASSERT_EQUAL(stats_now().ready, n);
	CU_ASSERT(live_messages() >= stats_now().ready_away);
	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == n);
	CU_ASSERT(seen.most_bytes - before < 3 * PIECE);
	WAIT_FOR(live_messages() == 0);
	teardown();
}

/* Those that stayed in memory come before, between and after. */
static void kinds_are_mixed(void)
{
	setup_paging(true);
	fixture_broker.queue_transient_max = 2 * BUDGET;
	for (uint64_t i = 1; i <= 6000; i++)
		publish_numbered(i, i, i % 3 == 0);
	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 20), 0);
	WAIT_FOR(seen.n == 6000);
	teardown();
}

static void the_log_forgets_transient_ones_with_their_queue(void)
{
	struct queue_request purge = {.connection = 1};

	setup_paging(false);
	fixture_broker.queue_transient_max = BUDGET;
	publish_numbered(1, 2000, false);
	CU_ASSERT(live_messages() > 0);
	submit(&purge, QUEUE_PURGE, &ep);
	CU_ASSERT_EQUAL(purge.message_count, 2000);
	WAIT_FOR(live_messages() == 0);
	publish_numbered(2001, 4000, false);
	CU_ASSERT(live_messages() > 0);
	(void)destroy_queue();
	WAIT_FOR(live_messages() == 0);
	teardown();
}

/* ---- When memory is short ---- */

static void queues_shrink_when_memory_is_short(void)
{
	uint64_t before;

	setup_paging(true);
	fixture_broker.queue_memory_max = QUEUE_MEMORY_MAX;
	before = messages_now();
	publish_numbered(1, 6000, true);
	CU_ASSERT_EQUAL(stats_now().ready_away, 0);
	fixture_broker.alarms = alarms_create(1, account_total() * 3 / 2);
	uint64_t n = 6000, limit_ms = clock_monotonic_ms() + LIMIT_MS;
	/* By publishes alone: between them the loop may have nothing to do. */
	while (messages_now() - before >= 2 * QUEUE_MEMORY_MIN && clock_monotonic_ms() < limit_ms) {
		n++;
		publish_numbered(n, n, true);
	}
	CU_ASSERT(messages_now() - before < 2 * QUEUE_MEMORY_MIN);
	CU_ASSERT(stats_now().ready_away > 0);
	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == n);
	alarms_destroy(fixture_broker.alarms);
	teardown();
}

/* However short the queue is. */
static void all_that_is_stored_leaves_when_memory_is_out(void)
{
	uint64_t n = 500;

	setup_paging(true);
	fixture_broker.queue_memory_max = QUEUE_MEMORY_MAX;
	publish_numbered(1, n, true);
	CU_ASSERT_EQUAL(stats_now().ready_away, 0);
	fixture_broker.alarms = alarms_create(1, account_total());
	queue_page_out_all(&fixture_broker);
	WAIT_FOR(stats_now().ready_away == n);
	publish_numbered(n + 1, n + 1, true);
	/* there may be room again, so it may stay */
	CU_ASSERT(stats_now().ready_away >= n);
	see_from(1, true, false);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	WAIT_FOR(seen.n == n + 1);
	alarms_destroy(fixture_broker.alarms);
	teardown();
}

UNIT_MAIN("queue_paging", UNIT_TEST(memory_is_bounded_and_all_come_in_order),
	  UNIT_TEST(pieces_are_read_ahead_of_a_small_prefetch),
	  UNIT_TEST(taken_ones_leave_memory_and_come_back),
	  UNIT_TEST(returned_ones_that_are_away_come_first), UNIT_TEST(publishes_go_on_meanwhile),
	  UNIT_TEST(gets_wait_and_keep_their_order), UNIT_TEST(a_get_finds_the_queue_purged),
	  UNIT_TEST(a_get_finds_the_queue_gone), UNIT_TEST(a_get_finds_the_broker_gone),
	  UNIT_TEST(a_get_waits_for_the_messages_of_a_consumer),
	  UNIT_TEST(the_consumer_goes_meanwhile), UNIT_TEST(what_could_not_be_appended_stays),
	  UNIT_TEST(what_cannot_be_read_leaves_the_queue_and_not_the_log),
	  UNIT_TEST(without_memory_it_is_read_again),
	  UNIT_TEST(a_get_goes_past_what_cannot_be_read),
	  UNIT_TEST(transient_ones_leave_memory_too), UNIT_TEST(kinds_are_mixed),
	  UNIT_TEST(the_log_forgets_transient_ones_with_their_queue),
	  UNIT_TEST(queues_shrink_when_memory_is_short),
	  UNIT_TEST(all_that_is_stored_leaves_when_memory_is_out))
