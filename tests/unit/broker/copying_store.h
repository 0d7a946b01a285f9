/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_COPYING_STORE_H
#define TESTS_UNIT_BROKER_COPYING_STORE_H

/*
 * The engine in memory behind one that copies bodies, so that a message that the queue lets go is
 * gone, as with a log on disk. Reads can be held back, and appends and reads can be made to fail.
 */

#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/engine.h"

struct copying_log {
	struct store_log log; /* first */
	struct store_log *inner;
	struct loop_task fail;
	struct store_append *failing; /* the newest */
	struct store_read *held;
	unsigned n_reads;
	bool holds_reads, fails_appends;
	uint64_t unreadable_seq; /* 0: none */
	void (*body)(struct store_read *read, size_t index, enum store_result result,
		     struct slice body);
};

struct copying_store {
	struct store store; /* first */
	struct store *inner;
};

static inline struct copying_log *copying_log_of(struct store *store, unsigned loop)
{
	return container_of(store->logs[loop], struct copying_log, log);
}

static inline struct copying_log *copying_of(struct store_log *log)
{
	return container_of(log, struct copying_log, log);
}

static inline void copying_copy(struct store_body *body)
{
	void *bytes = mem_alloc(body->bytes.size);

	memcpy(bytes, body->bytes.data, body->bytes.size);
	*body = (struct store_body){
		.bytes = {bytes, body->bytes.size}, .owner = bytes, .drop = mem_free};
}

static inline void copying_fail(struct loop_task *task)
{
	struct copying_log *l = container_of(task, struct copying_log, fail);
	struct store_append *append = l->failing;

	l->failing = NULL;
	while (append) {
		struct store_append *next = append->next;

		append->done(append, STORE_ERROR);
		append = next;
	}
}

/* One that fails is the only one of its turn, so the order stays. */
static inline void copying_append(struct store_log *log, uint64_t epoch,
				  struct store_append *append)
{
	struct copying_log *l = copying_of(log);

	if (l->fails_appends) {
		append->next = l->failing;
		l->failing = append;
		loop_defer(&l->fail);
		return;
	}
	for (size_t i = 0; i < append->n_records; i++)
		if (append->records[i].type == STORE_PUBLISH)
			copying_copy(&append->records[i].body);
	store_log_append(l->inner, epoch, append);
}

/* Of the only log whose test wants it. */
static struct copying_log *copying_spoiled;

static inline void copying_body(struct store_read *read, size_t index, enum store_result result,
				struct slice body)
{
	if (read->seqs[index] == copying_spoiled->unreadable_seq) {
		result = STORE_ERROR;
		body = SLICE_EMPTY;
	}
	copying_spoiled->body(read, index, result, body);
}

static inline void copying_begin_read(struct copying_log *l, struct store_read *read)
{
	if (l->unreadable_seq != 0) {
		copying_spoiled = l;
		l->body = read->body;
		read->body = copying_body;
	}
	store_log_read(l->inner, read);
}

static inline void copying_read(struct store_log *log, struct store_read *read)
{
	struct copying_log *l = copying_of(log);

	l->n_reads++;
	if (!l->holds_reads) {
		copying_begin_read(l, read);
		return;
	}
	read->next = l->held;
	l->held = read;
}

/* Those that were held back begin. */
static inline unsigned copying_release_reads(struct copying_log *l)
{
	unsigned n = 0;

	l->holds_reads = false;
	while (l->held) {
		struct store_read *read = l->held;

		l->held = read->next;
		copying_begin_read(l, read);
		n++;
	}
	return n;
}

static inline void copying_lead(struct store_log *log, struct store_lead *lead)
{
	store_log_lead(copying_of(log)->inner, lead);
}

static inline void copying_release(struct store_log *log)
{
	store_log_release(copying_of(log)->inner);
}

static inline void copying_stats(const struct store_log *log, struct store_log_stats *ret_stats)
{
	store_log_stats(container_of(log, const struct copying_log, log)->inner, ret_stats);
}

static inline void copying_destroy(struct store *store)
{
	struct copying_store *s = container_of(store, struct copying_store, store);

	store_destroy(s->inner);
	for (unsigned i = 0; i < store->n_logs; i++)
		mem_free(copying_of(store->logs[i]));
	mem_free(store->logs);
	mem_free(s);
}

static const struct store_engine_ops copying_ops = {
	.name = "copying",
	.append = copying_append,
	.read = copying_read,
	.lead = copying_lead,
	.release = copying_release,
	.stats = copying_stats,
	.destroy = copying_destroy,
};

static inline struct store *copying_store_create(unsigned n_logs)
{
	struct copying_store *s = mem_zalloc(sizeof(*s));

	s->inner = store_memory_create(n_logs);
	s->store.ops = &copying_ops;
	s->store.n_logs = n_logs;
	s->store.logs = mem_zalloc(n_logs * sizeof(*s->store.logs));
	for (unsigned i = 0; i < n_logs; i++) {
		struct copying_log *l = mem_zalloc(sizeof(*l));

		l->log.store = &s->store;
		l->log.loop = i;
		l->inner = store_log_of(s->inner, i);
		loop_task_init(&l->fail, copying_fail);
		s->store.logs[i] = &l->log;
	}
	return &s->store;
}

#endif
