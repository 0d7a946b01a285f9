/* SPDX-License-Identifier: MIT */
#include "store/definitions/database.h"

/*
 * A commit is copied into a request, which waits in the one queue. The thread takes all that wait,
 * has them done in order in one transaction, which syncs once. Then the requests go into the lists
 * of their loops, each of which gets one letter to work its list off, and the watchers are told. A
 * group that failed is answered like any other, and the next one tries again.
 */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "store/definitions/database_content.h"
#include "store/definitions/watchers.h"

struct completions;

struct completions_letter {
	struct letter letter;		 /* first */
	struct completions *completions; /* NULL: too late */
};

/* What is done and not told yet to one loop. */
struct completions {
	struct database *database;
	struct completions_letter *letter; /* under way */
	struct request_chain requests;
};

struct database {
	struct database_state state;
	struct content content;
	struct watchers *watchers;
	pthread_t thread;

	/* Held for moments only, for what is handed over between loops and the thread. */
	pthread_mutex_t lock;
	pthread_cond_t work; /* for the thread */
	pthread_cond_t rest; /* of the thread */
	struct request_chain waiting;
	bool is_busy;
	bool is_stopping;
	unsigned n_loops;
	struct completions completions[];
};

static void lock(struct database *db)
{
	bug_on(pthread_mutex_lock(&db->lock) != 0);
}

static void unlock(struct database *db)
{
	bug_on(pthread_mutex_unlock(&db->lock) != 0);
}

static void wait_for(pthread_cond_t *condition, struct database *db)
{
	bug_on(pthread_cond_wait(condition, &db->lock) != 0);
}

void database_commit(struct database *db, struct store_commit *commit)
{
	struct request *request;

	bug_on(commit->loop >= db->n_loops);
	request = database_request_create(commit);
	lock(db);
	database_request_chain_add(&db->waiting, request);
	if (db->waiting.first == request)
		(void)pthread_cond_signal(&db->work);
	unlock(db);
}

/* ---- completions ---- */

static void complete(struct request *request)
{
	while (request) {
		struct request *next = request->next;
		struct store_commit *commit = request->commit;

		commit->result = request->result;
		commit->revision = request->revision;
		commit->done(commit, request->result, request->revision);
		news_owner_unref(&request->owner);
		request = next;
	}
}

/* On their loop. */
static void complete_all(void *argument)
{
	struct completions *completions = argument;
	struct request *requests;

	lock(completions->database);
	requests = database_request_chain_take(&completions->requests);
	unlock(completions->database);
	complete(requests);
}

static void deliver(struct letter *letter)
{
	struct completions_letter *own = container_of(letter, struct completions_letter, letter);
	struct completions *completions = own->completions;

	if (completions) {
		lock(completions->database);
		completions->letter = NULL;
		unlock(completions->database);
		complete_all(completions);
	}
	mem_free(own);
}

static void wake(struct completions *completions, unsigned loop)
{
	if (!completions->requests.first || completions->letter)
		return;
	completions->letter = mem_alloc(sizeof(*completions->letter));
	*completions->letter = (struct completions_letter){.letter = {.deliver = deliver},
							   .completions = completions};
	loop_post_outside(loop, &completions->letter->letter);
}

/* Each loop's requests stay in the order of its calls. */
static void hand_over(struct database *db, struct request *group)
{
	lock(db);
	while (group) {
		struct request *next = group->next;

		database_request_chain_add(&db->completions[group->commit->loop].requests, group);
		group = next;
	}
	for (unsigned i = 0; i < db->n_loops; i++)
		wake(&db->completions[i], i);
	unlock(db);
}

/* ---- the thread ---- */

static void announce(struct database *db, const struct request *group)
{
	for (; group; group = group->next)
		for (size_t i = 0; i < group->n_changes && group->result == STORE_DURABLE; i++)
			watchers_announce(db->watchers, &group->changes[i].news);
}

/* Here and nowhere else it is known why; a result only says that it failed. */
static void report(int r)
{
	static struct log_limit limit = LOG_LIMIT(1);

	log_limited(&limit, LOG_LEVEL_ERROR, "store", "definitions cannot be written: %s",
		    strerror(-r));
}

static void run_group(struct database *db, struct request *group)
{
	int r = content_run_group(&db->content, group);

	if (r < 0)
		report(r);
	watchers_begin(db->watchers);
	announce(db, group);
	hand_over(db, group);
	watchers_end(db->watchers);
}

static bool has_work(struct database *db)
{
	return db->waiting.first || atomic_load(&db->content.wants_ids);
}

static void *run(void *argument)
{
	struct database *db = argument;

	lock(db);
	for (;;) {
		struct request *group;

		while (!has_work(db) && !db->is_stopping)
			wait_for(&db->work, db);
		if (db->is_stopping)
			break;
		group = database_request_chain_take(&db->waiting);
		db->is_busy = true;
		unlock(db);
		run_group(db, group);
		lock(db);
		db->is_busy = false;
		(void)pthread_cond_signal(&db->rest);
	}
	unlock(db);
	return NULL;
}

/* Signals are for the main thread: this one is born with all of them blocked. */
static int start_thread(struct database *db)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&db->thread, NULL, run, db);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		(void)pthread_setname_np(db->thread, "definitions"); /* only for people */
	return -rc;
}

static void stop_thread(struct database *db)
{
	lock(db);
	db->is_stopping = true;
	(void)pthread_cond_signal(&db->work);
	unlock(db);
	bug_on(pthread_join(db->thread, NULL) != 0);
}

/* ---- the other doors ---- */

const struct database_state *database_state(const struct database *db)
{
	return &db->state;
}

int database_set_logs(struct database *db, uint64_t generation, uint64_t count)
{
	const struct content_number numbers[] = {{"log_generation", generation},
						 {"log_count", count}};

	return content_set(&db->content, numbers, 2);
}

int database_set_clean(struct database *db, bool is_clean)
{
	return content_set(&db->content, &(struct content_number){"is_clean", is_clean}, 1);
}

int database_load(struct database *db, struct slice prefix,
		  void (*visit)(void *context, struct slice key, struct slice value,
				uint64_t revision),
		  void *context)
{
	return content_list(&db->content, prefix, visit, context);
}

void database_watch(struct database *db, struct store_watch *watch)
{
	watchers_add(db->watchers, watch);
}

void database_unwatch(struct database *db, struct store_watch *watch)
{
	watchers_remove(db->watchers, watch);
}

uint64_t database_ids(struct database *db, unsigned n)
{
	bool is_asking;
	uint64_t first;

	bug_on(n == 0);
	first = content_take_ids(&db->content, n, &is_asking);
	if (is_asking) {
		lock(db);
		(void)pthread_cond_signal(&db->work);
		unlock(db);
	}
	return first;
}

/* ---- life ---- */

static struct database *create(unsigned n_loops)
{
	struct database *db = mem_zalloc(sizeof(*db) + n_loops * sizeof(db->completions[0]));

	bug_on(pthread_mutex_init(&db->lock, NULL) != 0 ||
	       pthread_cond_init(&db->work, NULL) != 0 || pthread_cond_init(&db->rest, NULL) != 0);
	db->watchers = watchers_create(n_loops);
	db->n_loops = n_loops;
	for (unsigned i = 0; i < n_loops; i++)
		db->completions[i].database = db;
	return db;
}

static void destroy(struct database *db)
{
	watchers_destroy(db->watchers);
	content_fini(&db->content);
	(void)pthread_cond_destroy(&db->work);
	(void)pthread_cond_destroy(&db->rest);
	(void)pthread_mutex_destroy(&db->lock);
	mem_free(db);
}

int database_open(const char *path, unsigned n_loops, struct database **ret_database,
		  char *ret_reason, size_t reason_size)
{
	struct database_file file = {.sqlite = NULL};
	struct database_meta meta = {.revision = 0};
	struct database *db;
	int r = database_file_open(path, &file, &meta, ret_reason, reason_size);

	if (r < 0)
		return r;
	db = create(n_loops);
	db->state = meta.state;
	r = content_init_take(&db->content, file, &meta);
	if (r == 0)
		r = start_thread(db);
	if (r < 0) {
		(void)snprintf(ret_reason, reason_size, "cannot be used: %s", strerror(-r));
		destroy(db);
		return r;
	}
	*ret_database = db;
	return 0;
}

/* Waits for the thread, then does what the letters would have done. Whether that was anything. */
static bool finish_commits(struct database *db)
{
	bool had_some = false;

	lock(db);
	while (db->waiting.first || db->is_busy)
		wait_for(&db->rest, db);
	for (unsigned i = 0; i < db->n_loops; i++)
		had_some |= db->completions[i].requests.first != NULL;
	unlock(db);
	for (unsigned i = 0; had_some && i < db->n_loops; i++)
		loop_pool_visit(i, complete_all, &db->completions[i]);
	return had_some;
}

/* No id from next_id up was given out, so the next run may go on there. */
static int set_end(struct database *db, bool clean)
{
	const struct content_number numbers[] = {{"next_id", atomic_load(&db->content.next_id)},
						 {"is_clean", true}};
	int r = content_set(&db->content, numbers, clean ? 2 : 1);

	return clean ? r : 0;
}

int database_close(struct database *db, bool clean)
{
	int r;

	if (!db)
		return 0;
	while (finish_commits(db))
		;
	stop_thread(db);
	for (unsigned i = 0; i < db->n_loops; i++)
		if (db->completions[i].letter)
			db->completions[i].letter->completions = NULL;
	r = set_end(db, clean);
	destroy(db);
	return r;
}
