/* SPDX-License-Identifier: MIT */
#include "store/store.h"

/*
 * The engine that keeps everything in memory: behind unit tests, and the measure of what the
 * contract says. Appends take effect in the call, so none is ever elided; what is asynchronous is
 * the telling: completions wait in lists of their log, which one task of the turn works off. A
 * list is taken as a whole before its callbacks run, so what they ask for anew comes in the task's
 * next run.
 *
 * The caller of store_log_append need not keep the bytes: each body is held from the call on, until
 * it is settled.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bug.h"
#include "base/chain.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/definitions/definitions.h"
#include "store/engine.h"
#include "store/memory/live.h"

struct memory_log {
	struct store_log log; /* first */
	struct loop_task tell;
	struct live live;
	uint64_t epoch; /* 0: nobody leads */
	struct store_lead *leader;
	struct store_log_stats stats;
	CHAIN(struct store_append) appends;
	CHAIN(struct store_read) reads;
	CHAIN(struct store_recovery) recoveries;
	CHAIN(struct store_barrier) barriers;
	CHAIN(struct store_lead) leads;
	CHAIN(struct store_commit) commits;
};

struct memory_store {
	struct store store; /* first */
	struct definitions *definitions;
	_Atomic uint64_t next_id;
	_Atomic uint64_t n_epochs;
	bool is_closing;
};

static struct memory_log *log_of(struct store_log *log)
{
	return container_of(log, struct memory_log, log);
}

static struct memory_store *store_of(struct store *store)
{
	return container_of(store, struct memory_store, store);
}

/* ---- telling ---- */

static bool has_news(const struct memory_log *m)
{
	return m->appends.first || m->reads.first || m->recoveries.first || m->barriers.first ||
	       m->leads.first || m->commits.first;
}

static void tell_soon(struct memory_log *m)
{
	if (!store_of(m->log.store)->is_closing)
		loop_defer(&m->tell);
}

static void tell_appends(struct memory_log *m)
{
	struct store_append *append, *following;

	if (m->appends.first)
		m->stats.syncs++;
	chain_take_each(append, following, &m->appends)
		append->done(append, append->result);
}

static void answer_read(struct memory_log *m, struct store_read *read)
{
	for (size_t i = 0; i < read->n_seqs; i++) {
		struct slice body = SLICE_EMPTY;
		int r = live_read(&m->live, read->queue_id, read->seqs[i], &body);

		read->body(read, i, r < 0 ? STORE_ERROR : STORE_DURABLE, body);
	}
	read->done(read);
}

/* Who led before has lost it when another takes it. */
static void tell_leads(struct memory_log *m)
{
	struct store_lead *lead, *following;

	chain_take_each(lead, following, &m->leads) {
		struct store_lead *before = m->leader;

		m->epoch = 0;
		m->leader = NULL;
		if (before)
			before->lost(before);
		m->leader = lead;
		m->epoch = atomic_fetch_add(&store_of(m->log.store)->n_epochs, 1) + 1;
		lead->acquired(lead, STORE_DURABLE, m->epoch);
	}
}

static void tell(struct memory_log *m)
{
	struct store_recovery *recovery, *next_recovery;
	struct store_barrier *barrier, *next_barrier;
	struct store_commit *commit, *next_commit;
	struct store_read *read, *next_read;

	chain_take_each(read, next_read, &m->reads)
		answer_read(m, read);
	tell_appends(m);
	chain_take_each(barrier, next_barrier, &m->barriers)
		barrier->done(barrier, STORE_DURABLE);
	chain_take_each(commit, next_commit, &m->commits)
		commit->done(commit, commit->result, commit->revision);
	chain_take_each(recovery, next_recovery, &m->recoveries) {
		live_replay(&m->live, recovery);
		recovery->done(recovery, STORE_DURABLE);
	}
	tell_leads(m);
}

static void run_tell(struct loop_task *task)
{
	tell(container_of(task, struct memory_log, tell));
}

/* ---- the log ---- */

static void count(struct store_log_stats *stats, const struct store_append *append)
{
	stats->appends++;
	stats->records += append->n_records;
	for (size_t i = 0; i < append->n_records; i++)
		if (append->records[i].type == STORE_PUBLISH)
			stats->bytes += append->records[i].body.bytes.size;
}

static void memory_append(struct store_log *log, uint64_t epoch, struct store_append *append)
{
	struct memory_log *m = log_of(log);

	if (epoch == 0 || epoch != m->epoch) {
		append->result = STORE_FENCED;
	} else if (live_apply(&m->live, append->records, append->n_records) < 0) {
		append->result = STORE_ERROR;
	} else {
		append->result = STORE_DURABLE;
		count(&m->stats, append);
	}
	chain_add(&m->appends, append);
	tell_soon(m);
}

static void memory_read(struct store_log *log, struct store_read *read)
{
	chain_add(&log_of(log)->reads, read);
	tell_soon(log_of(log));
}

static void memory_recover(struct store_log *log, struct store_recovery *recovery)
{
	chain_add(&log_of(log)->recoveries, recovery);
	tell_soon(log_of(log));
}

static void memory_barrier(struct store_log *log, struct store_barrier *barrier)
{
	chain_add(&log_of(log)->barriers, barrier);
	tell_soon(log_of(log));
}

static void memory_compact(struct store_log *log)
{
	live_compact(&log_of(log)->live);
}

static void memory_lead(struct store_log *log, struct store_lead *lead)
{
	struct memory_log *m = log_of(log);

	chain_add(&m->leads, lead);
	tell_soon(m);
}

static void memory_release(struct store_log *log)
{
	log_of(log)->epoch = 0;
	log_of(log)->leader = NULL;
}

static void memory_stats(const struct store_log *log, struct store_log_stats *ret_stats)
{
	const struct memory_log *m = container_of(log, const struct memory_log, log);

	*ret_stats = m->stats;
	ret_stats->live_messages = m->live.n_messages;
}

/* ---- definitions ---- */

static void memory_commit(struct store *store, struct store_commit *commit)
{
	struct memory_log *m = log_of(store_log_of(store, commit->loop));

	definitions_commit(store_of(store)->definitions, commit);
	chain_add(&m->commits, commit);
	tell_soon(m);
}

static int memory_load(struct store *store, struct slice prefix,
		       void (*visit)(void *context, struct slice key, struct slice value,
				     uint64_t revision),
		       void *context)
{
	return definitions_load(store_of(store)->definitions, prefix, visit, context);
}

static void memory_watch(struct store *store, struct store_watch *watch)
{
	definitions_watch(store_of(store)->definitions, watch);
}

static void memory_unwatch(struct store *store, struct store_watch *watch)
{
	definitions_unwatch(store_of(store)->definitions, watch);
}

static uint64_t memory_ids(struct store *store, unsigned n)
{
	return atomic_fetch_add_explicit(&store_of(store)->next_id, n, memory_order_relaxed);
}

/* What was there before is always gone. */
static bool memory_is_clean(const struct store *store)
{
	(void)store;
	return true;
}

/* ---- life ---- */

static void close_log(void *argument)
{
	struct memory_log *m = argument;

	while (has_news(m))
		tell(m);
	loop_cancel(&m->tell);
	live_fini(&m->live);
}

static void memory_destroy(struct store *store)
{
	struct memory_store *s = store_of(store);

	s->is_closing = true;
	for (unsigned i = 0; i < store->n_logs; i++) {
		loop_pool_visit(i, close_log, log_of(store->logs[i]));
		mem_free(log_of(store->logs[i]));
	}
	definitions_destroy(s->definitions);
	mem_free(store->logs);
	mem_free(s);
}

static const struct store_engine_ops memory_ops = {
	.name = "memory",
	.append = memory_append,
	.read = memory_read,
	.recover = memory_recover,
	.barrier = memory_barrier,
	.compact = memory_compact,
	.lead = memory_lead,
	.release = memory_release,
	.stats = memory_stats,
	.commit = memory_commit,
	.load = memory_load,
	.watch = memory_watch,
	.unwatch = memory_unwatch,
	.ids = memory_ids,
	.is_clean = memory_is_clean,
	.destroy = memory_destroy,
};

static struct store_log *create_log(struct store *store, unsigned loop)
{
	struct memory_log *m = mem_zalloc(sizeof(*m));

	m->log.store = store;
	m->log.loop = loop;
	loop_task_init(&m->tell, run_tell);
	live_init(&m->live);
	return &m->log;
}

struct store *store_memory_create(unsigned n_logs)
{
	struct memory_store *s = mem_zalloc(sizeof(*s));

	bug_on(n_logs == 0 || n_logs > loop_count());
	s->store.ops = &memory_ops;
	s->store.n_logs = n_logs;
	s->store.logs = mem_zalloc(n_logs * sizeof(*s->store.logs));
	for (unsigned i = 0; i < n_logs; i++)
		s->store.logs[i] = create_log(&s->store, i);
	s->definitions = definitions_create(n_logs);
	atomic_init(&s->next_id, 1);
	atomic_init(&s->n_epochs, 0);
	return &s->store;
}
