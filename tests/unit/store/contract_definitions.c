/* SPDX-License-Identifier: MIT */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "loop/mailbox.h"

#include "../unit.h"

struct committing {
	struct store_commit commit;
	struct store_change changes[4];
	enum store_result result;
	uint64_t revision;
	unsigned loop;
	bool is_done;
};

static void done(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct committing *committing = container_of(commit, struct committing, commit);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_FALSE(committing->is_done);
	CU_ASSERT_EQUAL(loop_index(loop_self()), commit->loop);
	committing->result = result;
	committing->revision = revision;
	committing->is_done = true;
}

static void change(struct committing *c, const char *key, const char *value, uint64_t expected)
{
	c->changes[c->commit.n_changes++] = (struct store_change){
		.key = slice_cstr(key),
		.value = value ? slice_cstr(value) : SLICE_EMPTY,
		.expected_revision = expected,
	};
	c->commit.changes = c->changes;
	c->commit.done = done;
}

static enum store_result submit(struct committing *c, uint64_t *ret_revision)
{
	CALL(store_commit(the_store, &c->commit));
	memset(c->changes, 0, sizeof(c->changes)); /* they were copied */
	CU_ASSERT_FALSE(c->is_done);
	wait_for(&c->is_done);
	if (ret_revision)
		*ret_revision = c->revision;
	return c->result;
}

static enum store_result put_one(const char *key, const char *value, uint64_t expected,
				 uint64_t *ret_revision)
{
	struct committing c = {.is_done = false};

	change(&c, key, value, expected);
	return submit(&c, ret_revision);
}

/* All definitions with the prefix as "key=value;". */
static void append_text(void *context, struct slice key, struct slice value, uint64_t revision)
{
	char *text = context;
	size_t size = strlen(text);

	CU_ASSERT_TRUE(revision > 0);
	(void)snprintf(text + size, 1000 - size, SLICE_FMT "=" SLICE_FMT ";", SLICE_ARG(key),
		       SLICE_ARG(value));
}

static const char *load(const char *prefix)
{
	static char text[1000];

	text[0] = '\0';
	CU_ASSERT_EQUAL(store_definitions_load(the_store, slice_cstr(prefix), append_text, text),
			0);
	return text;
}

void contract_commit_compares_revisions(void)
{
	uint64_t first, second, third;

	stage_set(1);
	CU_ASSERT_EQUAL(put_one("a", "1", 5, NULL), STORE_FENCED);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, &first), STORE_DURABLE);
	CU_ASSERT_TRUE(first > 0);
	CU_ASSERT_EQUAL(put_one("a", "2", 0, NULL), STORE_FENCED);
	CU_ASSERT_STRING_EQUAL(load(""), "a=1;");
	CU_ASSERT_EQUAL(put_one("a", "2", first, &second), STORE_DURABLE);
	CU_ASSERT_TRUE(second > first);
	CU_ASSERT_EQUAL(put_one("a", "3", first, NULL), STORE_FENCED);
	CU_ASSERT_EQUAL(put_one("a", "4", STORE_ANY_REVISION, &third), STORE_DURABLE);
	CU_ASSERT_TRUE(third > second);
	CU_ASSERT_STRING_EQUAL(load(""), "a=4;");
	CU_ASSERT_EQUAL(put_one("a", NULL, second, NULL), STORE_FENCED);
	CU_ASSERT_EQUAL(put_one("a", NULL, third, NULL), STORE_DURABLE);
	CU_ASSERT_STRING_EQUAL(load(""), "");
	CU_ASSERT_EQUAL(put_one("a", NULL, third, NULL), STORE_FENCED);
	CU_ASSERT_EQUAL(put_one("a", NULL, STORE_ANY_REVISION, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("a", "", 0, &first), STORE_DURABLE);
	CU_ASSERT_TRUE(first > third);
	CU_ASSERT_STRING_EQUAL(load(""), "a=;");
	stage_clear();
}

void contract_commit_is_all_or_nothing(void)
{
	struct committing good = {.is_done = false}, bad = {.is_done = false};
	uint64_t revision;

	stage_set(1);
	change(&good, "a", "1", 0);
	change(&good, "b", "1", 0);
	CU_ASSERT_EQUAL(submit(&good, &revision), STORE_DURABLE);
	change(&bad, "a", "2", revision);
	change(&bad, "c", "2", 0);
	change(&bad, "b", NULL, revision + 100);
	CU_ASSERT_EQUAL(submit(&bad, NULL), STORE_FENCED);
	CU_ASSERT_STRING_EQUAL(load(""), "a=1;b=1;");
	for (int n = 1; n <= 2; n++) {
		bad = (struct committing){.is_done = false};
		change(&bad, "a", "3", STORE_ANY_REVISION);
		change(&bad, "b", "3", STORE_ANY_REVISION);
		mem_fault_after(n);
		CALL(store_commit(the_store, &bad.commit));
		mem_fault_after(-1);
		wait_for(&bad.is_done);
		/* An engine that needs no memory for it is fine too. */
		if (bad.result == STORE_ERROR)
			CU_ASSERT_STRING_EQUAL(load(""), "a=1;b=1;");
	}
	stage_clear();
}

void contract_load_by_prefix_in_order(void)
{
	static const char *const keys[] = {"queue/b", "queue/a", "user/x",
					   "queue/c", "queu",	 "queue/"};

	stage_set(1);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		CU_ASSERT_EQUAL(put_one(keys[i], "1", 0, NULL), STORE_DURABLE);
	CU_ASSERT_STRING_EQUAL(load("queue/"), "queue/=1;queue/a=1;queue/b=1;queue/c=1;");
	CU_ASSERT_STRING_EQUAL(load("user/"), "user/x=1;");
	CU_ASSERT_STRING_EQUAL(load("nothing"), "");
	stage_clear();
}

/* ---- watching ---- */

struct watching {
	struct store_watch watch;
	char seen[1000];
	unsigned n_seen;
	unsigned n_enough; /* then is_enough */
	bool is_enough;
	uint64_t revision;	/* of the last one seen */
	bool unwatch;		/* when called */
	struct watching *other; /* to unwatch when called */
};

static void changed(struct store_watch *watch, struct slice key, struct slice value,
		    uint64_t revision)
{
	struct watching *w = container_of(watch, struct watching, watch);
	size_t size = strlen(w->seen);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(loop_index(loop_self()), watch->loop);
	CU_ASSERT_TRUE(revision >= w->revision);
	w->revision = revision;
	(void)snprintf(w->seen + size, sizeof(w->seen) - size, SLICE_FMT "%s" SLICE_FMT ";",
		       SLICE_ARG(key), value.data ? "=" : " gone", SLICE_ARG(value));
	w->n_seen++;
	if (w->n_seen == w->n_enough)
		w->is_enough = true;
	if (w->unwatch)
		store_unwatch(the_store, watch);
	if (w->other)
		store_unwatch(the_store, &w->other->watch);
	w->other = NULL;
}

static void watch(struct watching *w, const char *prefix, unsigned n_enough)
{
	*w = (struct watching){.watch = {.prefix = slice_cstr(prefix), .changed = changed},
			       .n_enough = n_enough};
	store_watch(the_store, &w->watch);
}

void contract_watch_sees_later_commits(void)
{
	static struct watching queues, users;
	struct committing both = {.is_done = false};

	stage_set(1);
	CU_ASSERT_EQUAL(put_one("queue/early", "1", 0, NULL), STORE_DURABLE);
	watch(&queues, "queue/", 3);
	watch(&users, "user/", 1);
	change(&both, "queue/a", "1", 0);
	change(&both, "user/x", "1", 0);
	CU_ASSERT_EQUAL(submit(&both, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("queue/a", "2", STORE_ANY_REVISION, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("queue/a", "3", 0, NULL), STORE_FENCED);
	CU_ASSERT_EQUAL(put_one("queue/a", NULL, STORE_ANY_REVISION, NULL), STORE_DURABLE);
	wait_for(&queues.is_enough);
	wait_for(&users.is_enough);
	CU_ASSERT_STRING_EQUAL(queues.seen, "queue/a=1;queue/a=2;queue/a gone;");
	CU_ASSERT_STRING_EQUAL(users.seen, "user/x=1;");
	store_unwatch(the_store, &queues.watch);
	users.n_enough = 2;
	users.is_enough = false;
	CU_ASSERT_EQUAL(put_one("queue/late", "1", 0, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("user/late", "1", 0, NULL), STORE_DURABLE);
	wait_for(&users.is_enough);
	CU_ASSERT_EQUAL(queues.n_seen, 3);
	store_unwatch(the_store, &users.watch);
	stage_clear();
}

void contract_unwatch_in_the_callback(void)
{
	static struct watching watchers[3];

	stage_set(1);
	for (unsigned i = 0; i < 3; i++) {
		watch(&watchers[i], "k", i == 1 ? 2 : 1);
		watchers[i].unwatch = i != 1;
	}
	CU_ASSERT_EQUAL(put_one("k", "1", STORE_ANY_REVISION, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("k", "2", STORE_ANY_REVISION, NULL), STORE_DURABLE);
	wait_for(&watchers[1].is_enough);
	CU_ASSERT_EQUAL(watchers[0].n_seen, 1);
	CU_ASSERT_EQUAL(watchers[1].n_seen, 2);
	CU_ASSERT_EQUAL(watchers[2].n_seen, 1);
	store_unwatch(the_store, &watchers[1].watch);
	stage_clear();
}

/* Whichever of the two is called first takes the other off. */
void contract_unwatch_another_in_the_callback(void)
{
	static struct watching watchers[3];

	stage_set(1);
	watch(&watchers[0], "k", 1);
	watch(&watchers[1], "k", 1);
	watch(&watchers[2], "k", 2);
	watchers[0].other = &watchers[1];
	watchers[1].other = &watchers[0];
	CU_ASSERT_EQUAL(put_one("k", "1", STORE_ANY_REVISION, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("k", "2", STORE_ANY_REVISION, NULL), STORE_DURABLE);
	wait_for(&watchers[2].is_enough);
	CU_ASSERT_EQUAL(watchers[0].n_seen + watchers[1].n_seen, 2);
	CU_ASSERT_TRUE(watchers[0].n_seen == 0 || watchers[1].n_seen == 0);
	stage_clear();
}

void contract_destroy_with_notices_under_way(void)
{
	static struct watching w;
	struct committing c = {.is_done = false};

	stage_set(1);
	watch(&w, "k", 1);
	change(&c, "k", "1", STORE_ANY_REVISION);
	CALL(store_commit(the_store, &c.commit));
	stage_clear();
	CU_ASSERT_TRUE(c.is_done);
	CU_ASSERT_EQUAL(c.result, STORE_DURABLE);
}

/*
 * Two loops commit to the same key, each its next when the one before is done, and watch it. Each
 * must see every commit, in the order of the revisions.
 */
#define N_COMMITS 200

struct committer {
	struct letter letter;
	struct committing c;
	struct watching w;
	unsigned n_done;
	_Atomic bool is_finished;
};

static void commit_next(struct committer *committer);

static void committer_done(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct committer *committer = container_of(commit, struct committer, c.commit);

	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	CU_ASSERT_TRUE(revision > 0);
	committer->n_done++;
	if (committer->n_done < N_COMMITS)
		commit_next(committer);
}

static void commit_next(struct committer *committer)
{
	committer->c = (struct committing){.is_done = false};
	change(&committer->c, "k", "v", STORE_ANY_REVISION);
	committer->c.commit.done = committer_done;
	store_commit(the_store, &committer->c.commit);
}

static struct committer committers[2];

static void counted(struct store_watch *watch_, struct slice key, struct slice value,
		    uint64_t revision)
{
	struct committer *committer = container_of(watch_, struct committer, w.watch);

	CU_ASSERT_TRUE(revision > committer->w.revision);
	CU_ASSERT_TRUE(slice_equal(key, SLICE_LITERAL("k")));
	CU_ASSERT_TRUE(slice_equal(value, SLICE_LITERAL("v")));
	committer->w.revision = revision;
	if (++committer->w.n_seen < 2 * N_COMMITS)
		return;
	store_unwatch(the_store, watch_);
	atomic_store(&committer->is_finished, true);
	if (atomic_load(&committers[0].is_finished) && atomic_load(&committers[1].is_finished))
		loop_pool_stop();
}

static void start_watching(void *argument)
{
	struct committer *committer = argument;

	committer->w =
		(struct watching){.watch = {.prefix = SLICE_LITERAL("k"), .changed = counted}};
	store_watch(the_store, &committer->w.watch);
}

static void start_committing(struct letter *letter)
{
	commit_next(container_of(letter, struct committer, letter));
}

void contract_watch_from_every_loop(void)
{
	memset(committers, 0, sizeof(committers));
	stage_set(2);
	for (unsigned i = 0; i < 2; i++) {
		loop_pool_visit(i, start_watching, &committers[i]);
		committers[i].letter.deliver = start_committing;
		loop_post(i, &committers[i].letter);
	}
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(committers[i].n_done, N_COMMITS);
		CU_ASSERT_EQUAL(committers[i].w.n_seen, 2 * N_COMMITS);
	}
	stage_clear();
}

/* ---- ids ---- */

#define N_THREADS 3
#define N_IDS	  5000

static uint64_t ids[N_THREADS][N_IDS];

static void *take_ids(void *argument)
{
	uint64_t *taken = argument;

	for (unsigned i = 0; i < N_IDS;) {
		unsigned n = 1 + i % 7;
		uint64_t id = store_ids(the_store, n);

		for (unsigned j = 0; j < n && i < N_IDS; j++)
			taken[i++] = id + j;
	}
	return NULL;
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

void contract_ids_are_unique(void)
{
	pthread_t threads[N_THREADS];
	uint64_t *all = &ids[0][0];
	unsigned n_same = 0;

	stage_set(1);
	for (unsigned i = 0; i < N_THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, take_ids, ids[i]), 0);
	for (unsigned i = 0; i < N_THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_join(threads[i], NULL), 0);
	qsort(all, N_THREADS * N_IDS, sizeof(*all), compare_ids);
	for (unsigned i = 1; i < N_THREADS * N_IDS; i++)
		n_same += all[i] == all[i - 1];
	CU_ASSERT_EQUAL(n_same, 0);
	CU_ASSERT_NOT_EQUAL(all[0], 0);
	stage_clear();
}
