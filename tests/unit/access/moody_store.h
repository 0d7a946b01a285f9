/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_ACCESS_MOODY_STORE_H
#define TESTS_UNIT_ACCESS_MOODY_STORE_H

/* The engine in memory behind one whose commits can be held back, or made to fail. */

#include "base/chain.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/engine.h"

struct moody_store {
	struct store store; /* first */
	struct store *inner;
	struct loop_task refuse;
	CHAIN(struct store_commit) held, refused;
	enum store_result refusal; /* STORE_DURABLE: there is none */
	bool holds;
	unsigned n_commits, n_changes; /* what was asked of it */
};

static inline struct moody_store *moody_of(struct store *store)
{
	return container_of(store, struct moody_store, store);
}

static inline void moody_refuse(struct loop_task *task)
{
	struct moody_store *moody = container_of(task, struct moody_store, refuse);
	struct store_commit *commit, *following;

	chain_take_each(commit, following, &moody->refused)
		commit->done(commit, moody->refusal, 0);
}

static inline void moody_commit(struct store *store, struct store_commit *commit)
{
	struct moody_store *moody = moody_of(store);

	moody->n_commits++;
	moody->n_changes += (unsigned)commit->n_changes;
	if (moody->refusal != STORE_DURABLE) {
		chain_add(&moody->refused, commit);
		loop_defer(&moody->refuse);
	} else if (moody->holds) {
		chain_add(&moody->held, commit);
	} else {
		store_commit(moody->inner, commit);
	}
}

static inline void moody_release(struct moody_store *moody)
{
	struct store_commit *commit, *following;

	moody->holds = false;
	chain_take_each(commit, following, &moody->held)
		store_commit(moody->inner, commit);
}

static inline int moody_load(struct store *store, struct slice prefix,
			     void (*visit)(void *context, struct slice key, struct slice value, uint64_t revision),
			     void *context)
{
	return store_definitions_load(moody_of(store)->inner, prefix, visit, context);
}

static inline void moody_destroy(struct store *store)
{
	store_destroy(moody_of(store)->inner);
	mem_free(moody_of(store));
}

static const struct store_engine_ops moody_ops = {
	.name = "moody",
	.commit = moody_commit,
	.load = moody_load,
	.destroy = moody_destroy,
};

static inline struct moody_store *moody_create(unsigned n_logs)
{
	struct moody_store *moody = mem_zalloc(sizeof(*moody));

	moody->inner = store_memory_create(n_logs);
	moody->store.ops = &moody_ops;
	moody->refusal = STORE_DURABLE;
	loop_task_init(&moody->refuse, moody_refuse);
	return moody;
}

#endif
