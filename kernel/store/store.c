/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include "base/bug.h"
#include "loop/loop.h"
#include "store/engine.h"

static void check_records(const struct store_append *append)
{
	size_t publish = SIZE_MAX;

	for (size_t i = 0; i < append->n_records; i++) {
		const struct store_record *record = &append->records[i];

		bug_on(record->type < STORE_PUBLISH || record->type > STORE_EXPIRE);
		bug_on(record->type != STORE_PUBLISH && record->queue_id == 0);
		if (record->type != STORE_ENQUEUE) {
			publish = record->type == STORE_PUBLISH ? i : SIZE_MAX;
			continue;
		}
		bug_on(publish == SIZE_MAX || record->publish != publish);
		bug_on(record->seq_first != record->seq_last);
	}
}

void store_log_append(struct store_log *log, uint64_t epoch, struct store_append *append)
{
	OWN(log->loop);
	check_records(append);
	append->next = NULL;
	append->log = log;
	log->store->ops->append(log, epoch, append);
}

void store_log_read(struct store_log *log, struct store_read *read)
{
	OWN(log->loop);
	read->next = NULL;
	read->log = log;
	log->store->ops->read(log, read);
}

void store_log_recover(struct store_log *log, struct store_recovery *recovery)
{
	OWN(log->loop);
	recovery->next = NULL;
	recovery->log = log;
	log->store->ops->recover(log, recovery);
}

void store_log_barrier(struct store_log *log, struct store_barrier *barrier)
{
	OWN(log->loop);
	barrier->next = NULL;
	barrier->log = log;
	log->store->ops->barrier(log, barrier);
}

void store_log_compact(struct store_log *log)
{
	OWN(log->loop);
	log->store->ops->compact(log);
}

void store_log_lead(struct store_log *log, struct store_lead *lead)
{
	OWN(log->loop);
	lead->next = NULL;
	lead->log = log;
	log->store->ops->lead(log, lead);
}

void store_log_release(struct store_log *log)
{
	OWN(log->loop);
	log->store->ops->release(log);
}

void store_log_stats(const struct store_log *log, struct store_log_stats *ret_stats)
{
	OWN(log->loop);
	log->store->ops->stats(log, ret_stats);
}

void store_commit(struct store *store, struct store_commit *commit)
{
	bug_on(!loop_self());
	commit->next = NULL;
	commit->loop = loop_index(loop_self());
	store->ops->commit(store, commit);
}

int store_definitions_load(struct store *store, struct slice prefix,
			   void (*visit)(void *context, struct slice key, struct slice value,
					 uint64_t revision),
			   void *context)
{
	return store->ops->load(store, prefix, visit, context);
}

void store_watch(struct store *store, struct store_watch *watch)
{
	bug_on(!loop_self());
	watch->next = NULL;
	watch->loop = loop_index(loop_self());
	store->ops->watch(store, watch);
}

void store_unwatch(struct store *store, struct store_watch *watch)
{
	OWN(watch->loop);
	store->ops->unwatch(store, watch);
}

uint64_t store_ids(struct store *store, unsigned n)
{
	return store->ops->ids(store, n);
}

bool store_is_clean(const struct store *store)
{
	return store->ops->is_clean(store);
}

struct store_log *store_log_of(struct store *store, unsigned loop)
{
	bug_on(loop >= store->n_logs);
	return store->logs[loop];
}

void store_destroy(struct store *store)
{
	if (store)
		store->ops->destroy(store);
}
