/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdlib.h>

#include <string.h>

#include "base/clock.h"
#include "contract.h"

#include "../unit.h"

#define LIMIT_MS 30000
#define TICK_MS	 20

struct store *the_store;
struct store_log *the_log;
uint64_t the_epoch;
unsigned completions;
_Thread_local bool in_call;

static struct store *(*create_store)(unsigned n_logs);

void contract_use(struct store *(*create)(unsigned n_logs))
{
	create_store = create;
}

void stage_set(unsigned n_loops)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(n_loops), 0);
	the_store = create_store(n_loops);
	the_log = store_log_of(the_store, 0);
	completions = 0;
}

void stage_clear(void)
{
	store_destroy(the_store);
	the_store = NULL;
	loop_pool_destroy();
}

/* Keeps a turn from blocking for good when what is waited for does not come. */
static void tick(struct loop_timer *timer)
{
	loop_timer_start_ms(timer, TICK_MS);
}

void wait_for(const bool *done)
{
	uint64_t limit = clock_monotonic_ms() + LIMIT_MS;
	struct loop_timer timer;

	loop_timer_init(&timer, tick);
	loop_timer_start_ms(&timer, TICK_MS);
	while (!*done && clock_monotonic_ms() < limit)
		loop_run_once(true);
	loop_timer_stop(&timer);
	CU_ASSERT_TRUE_FATAL(*done);
}

/* ---- leading ---- */

struct leading {
	struct store_lead lead;
	bool is_done;
};

static void acquired(struct store_lead *lead, enum store_result result, uint64_t epoch)
{
	struct leading *leading = container_of(lead, struct leading, lead);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	the_epoch = epoch;
	leading->is_done = true;
}

static void lost(struct store_lead *lead)
{
	(void)lead;
}

void stage_lead(void)
{
	static struct leading leading;

	leading = (struct leading){.lead = {.acquired = acquired, .lost = lost}};
	CALL(store_log_lead(the_log, &leading.lead));
	wait_for(&leading.is_done);
}

/* ---- bodies ---- */

static void hold(void *owner)
{
	struct body *body = owner;

	atomic_fetch_add(&body->holds, 1);
}

static void drop(void *owner)
{
	struct body *body = owner;

	atomic_fetch_add(&body->drops, 1);
}

void body_set(struct body *body, unsigned content)
{
	memset(body->bytes, (int)(content & 0xff), sizeof(body->bytes));
	atomic_init(&body->holds, 0);
	atomic_init(&body->drops, 0);
}

bool body_is_free(const struct body *body)
{
	return atomic_load(&body->holds) == atomic_load(&body->drops);
}

/* ---- appends ---- */

static void append_done(struct store_append *append, enum store_result result)
{
	struct entry *entry = container_of(append, struct entry, append);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_FALSE(entry->is_done);
	entry->is_done = true;
	entry->result = result;
	entry->order = completions++;
}

void entry_begin(struct entry *entry)
{
	*entry = (struct entry){.append = {.done = append_done}};
	entry->append.records = entry->records;
}

static struct store_record *next_record(struct entry *entry)
{
	CU_ASSERT_TRUE_FATAL(entry->append.n_records < RECORDS_MAX);
	return &entry->records[entry->append.n_records++];
}

uint32_t entry_publish(struct entry *entry, struct body *body)
{
	*next_record(entry) = (struct store_record){
		.type = STORE_PUBLISH,
		.body = {.bytes = slice_make(body->bytes, sizeof(body->bytes)),
			 .owner = body,
			 .hold = hold,
			 .drop = drop},
	};
	return (uint32_t)entry->append.n_records - 1;
}

void entry_enqueue(struct entry *entry, uint32_t publish, uint64_t queue_id, uint64_t seq,
		   uint64_t expires_ms)
{
	*next_record(entry) = (struct store_record){
		.type = STORE_ENQUEUE,
		.queue_id = queue_id,
		.seq_first = seq,
		.seq_last = seq,
		.publish = publish,
		.expires_ms = expires_ms,
	};
}

void entry_add(struct entry *entry, enum store_record_type type, uint64_t queue_id,
	       uint64_t seq_first, uint64_t seq_last)
{
	*next_record(entry) = (struct store_record){
		.type = type, .queue_id = queue_id, .seq_first = seq_first, .seq_last = seq_last};
}

void entry_submit(struct entry *entry, struct store_log *log, uint64_t epoch)
{
	CALL(store_log_append(log, epoch, &entry->append));
}

enum store_result entry_do(struct entry *entry)
{
	entry_submit(entry, the_log, the_epoch);
	wait_for(&entry->is_done);
	return entry->result;
}

void put(struct body *body, uint64_t queue_id, uint64_t seq)
{
	struct entry entry;

	entry_begin(&entry);
	entry_enqueue(&entry, entry_publish(&entry, body), queue_id, seq, 0);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
}

void settle(uint64_t queue_id, uint64_t seq_first, uint64_t seq_last)
{
	struct entry entry;

	entry_begin(&entry);
	entry_add(&entry, STORE_SETTLE, queue_id, seq_first, seq_last);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
}

/* ---- recovery ---- */

static void replay_queue(struct store_recovery *recovery, uint64_t queue_id, uint64_t last_seq)
{
	struct replay *replay = container_of(recovery, struct replay, recovery);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(replay->n_messages, 0);
	if (queue_id < 8)
		replay->last_seqs[queue_id] = last_seq;
}

static void replay_message(struct store_recovery *recovery, const struct store_recovered *message)
{
	struct replay *replay = container_of(recovery, struct replay, recovery);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_TRUE_FATAL(replay->n_messages < REPLAY_MAX);
	replay->messages[replay->n_messages++] = (struct replayed){
		.queue_id = message->queue_id,
		.seq = message->seq,
		.expires_ms = message->expires_ms,
		.deliveries = message->deliveries,
		.first_byte = message->body.size > 0 ? message->body.data[0] : 0,
	};
}

static int compare(const void *a, const void *b)
{
	const struct replayed *left = a, *right = b;

	if (left->queue_id != right->queue_id)
		return left->queue_id < right->queue_id ? -1 : 1;
	return left->seq < right->seq ? -1 : left->seq > right->seq;
}

static void replay_done(struct store_recovery *recovery, enum store_result result)
{
	struct replay *replay = container_of(recovery, struct replay, recovery);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	replay->is_done = true;
}

const struct replay *recover(void)
{
	static struct replay replay;

	replay = (struct replay){.recovery = {.queue = replay_queue,
					      .message = replay_message,
					      .done = replay_done}};
	CALL(store_log_recover(the_log, &replay.recovery));
	wait_for(&replay.is_done);
	qsort(replay.messages, replay.n_messages, sizeof(replay.messages[0]), compare);
	return &replay;
}

bool is_message(const struct replay *replay, size_t i, uint64_t queue_id, uint64_t seq,
		unsigned first_byte)
{
	const struct replayed *message = &replay->messages[i];

	return i < replay->n_messages && message->queue_id == queue_id && message->seq == seq &&
	       message->first_byte == (first_byte & 0xff);
}

/* ---- reading ---- */

struct one_read {
	struct store_read read;
	bool is_done;
	unsigned n_bodies;
	enum store_result result;
	uint8_t first;
};

static void one_body(struct store_read *read, size_t index, enum store_result result,
		     struct slice body)
{
	struct one_read *one = container_of(read, struct one_read, read);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(index, 0);
	one->n_bodies++;
	one->result = result;
	if (result == STORE_DURABLE && body.size > 0)
		one->first = body.data[0];
}

static void one_done(struct store_read *read)
{
	container_of(read, struct one_read, read)->is_done = true;
}

enum store_result read_one(uint64_t queue_id, uint64_t seq, uint8_t *ret_first)
{
	struct one_read one = {
		.read = {.queue_id = queue_id,
			 .seqs = &seq,
			 .n_seqs = 1,
			 .body = one_body,
			 .done = one_done},
		.result = STORE_UNKNOWN,
	};

	CALL(store_log_read(the_log, &one.read));
	CU_ASSERT_EQUAL(one.n_bodies, 0);
	wait_for(&one.is_done);
	CU_ASSERT_EQUAL(one.n_bodies, 1);
	*ret_first = one.first;
	return one.result;
}

struct store_log_stats stats(void)
{
	struct store_log_stats s;

	store_log_stats(the_log, &s);
	return s;
}
