/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_QUEUE_LOG_FIXTURE_H
#define TESTS_UNIT_BROKER_QUEUE_LOG_FIXTURE_H

/* A queue's side of the log, over a store that answers when it is told to. For the one that
 * includes it. */

#include "base/account.h"
#include "broker/change/declare.h"
#include "broker/queue/log.h"
#include "fake_endpoint.h"
#include "loop/loop.h"
#include "store/store.h"

/* ---- A log that keeps what it gets, and answers when it is told to. ---- */

#define RECORDS_MAX 64
#define APPENDS_MAX 16

struct store_log {
	bool is_held_back; /* leading it is not granted yet */
	struct store_lead *lead;
	struct store_append *appends[APPENDS_MAX];
	size_t n_appends, n_done;
	struct store_record records[RECORDS_MAX];
	size_t n_records;
	bool ignores_records; /* there are many */
	unsigned n_released;
	struct store_barrier *barrier;
};

static struct store_log store;

void store_log_append(struct store_log *log, uint64_t epoch, struct store_append *append)
{
	CU_ASSERT_EQUAL(epoch, 9);
	CU_ASSERT_FATAL(log->n_appends < APPENDS_MAX);
	CU_ASSERT_FATAL(log->ignores_records || append->n_records <= RECORDS_MAX);
	log->appends[log->n_appends++] = append;
	if (log->ignores_records)
		return;
	log->n_records = append->n_records;
	for (size_t i = 0; i < append->n_records; i++)
		log->records[i] = append->records[i];
}

void store_log_lead(struct store_log *log, struct store_lead *lead)
{
	CU_ASSERT_PTR_NULL(log->lead);
	log->lead = lead;
}

void store_log_release(struct store_log *log)
{
	log->n_released++;
}

void store_log_barrier(struct store_log *log, struct store_barrier *barrier)
{
	CU_ASSERT_PTR_NULL(log->barrier);
	log->barrier = barrier;
}

static inline void grant(enum store_result result)
{
	struct store_lead *lead = store.lead;

	CU_ASSERT_PTR_NOT_NULL_FATAL(lead);
	store.lead = NULL;
	lead->acquired(lead, result, 9);
}

static inline void complete(enum store_result result)
{
	CU_ASSERT_FATAL(store.n_done < store.n_appends);
	struct store_append *append = store.appends[store.n_done++];

	append->done(append, result);
}

static inline void pass(enum store_result result)
{
	struct store_barrier *barrier = store.barrier;

	CU_ASSERT_PTR_NOT_NULL_FATAL(barrier);
	store.barrier = NULL;
	barrier->done(barrier, result);
}

/* The latest one. */
static inline const struct store_append *append(void)
{
	CU_ASSERT_FATAL(store.n_appends > 0);
	return store.appends[store.n_appends - 1];
}

/* Queues are linked in, and would read. */
struct store_log *store_log_of(struct store *all, unsigned loop)
{
	(void)all;
	(void)loop;
	return &store;
}

void store_log_read(struct store_log *log, struct store_read *read)
{
	(void)log;
	(void)read;
	CU_FAIL("nobody reads");
}

/* The topology with them, but for this. */
void declare_queue_expire(struct broker *broker, struct queue_entry *entry)
{
	(void)broker;
	(void)entry;
}

/* ---- */

static struct queue_log *queue_log;
static struct queue_log_state state;
static struct fake_endpoint publisher;
static uint64_t account_before;

static inline void setup(void)
{
	account_before = account_total();
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	store = (struct store_log){.n_appends = 0};
	queue_log = queue_log_create(&store);
	queue_log_state_init(&state, 5);
	fake_endpoint_begin(&publisher);
}

/* As above, and the log is led. */
static inline void setup_led(void)
{
	setup();
	queue_log_settle(queue_log, &state, STORE_SETTLE, 1);
	queue_log_flush(queue_log);
	grant(STORE_DURABLE);
	loop_run_once(false);
	complete(STORE_DURABLE);
}

static inline void check_account(void)
{
	CU_ASSERT_EQUAL(account_total(), account_before);
}

/* With calls of the store that have not been answered. */
static inline void teardown_early(void)
{
	fake_endpoint_end(&publisher);
	queue_log_state_fini(&state);
	queue_log_destroy(queue_log);
	loop_pool_destroy();
}

static inline void teardown(void)
{
	teardown_early();
	check_account();
}

static inline struct message *make(void)
{
	struct message *m =
		message_create(SLICE_EMPTY, SLICE_LITERAL("k"), slice_make("\0\0", 2), 4);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	return m;
}

/* One message for this queue, as `seq` of the queue and of the publisher. */
static inline void publish(uint64_t seq)
{
	struct message *m = make();

	queue_log_publish(queue_log, &state, seq, m, 0, publisher.endpoint.ref, seq);
	message_unref(m);
}

#endif
