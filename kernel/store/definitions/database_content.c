/* SPDX-License-Identifier: MIT */
#include "store/definitions/database_content.h"

/*
 * What fails before COMMIT, or in it for want of room, has left nothing in the file. When COMMIT
 * fails in another way (a sync, mostly), the whole transaction may lie in SQLite's log although
 * SQLite does not count it, and a crash now would bring it back. So another transaction is written,
 * which takes its place there. If that cannot be done either, nobody knows; the next transaction
 * that succeeds decides.
 *
 * Revisions never go back, so one that came to nothing is not used again.
 */

#include "base/bug.h"

static void lock(struct content *c)
{
	bug_on(pthread_mutex_lock(&c->lock) != 0);
}

static void unlock(struct content *c)
{
	bug_on(pthread_mutex_unlock(&c->lock) != 0);
}

/* ---- transactions ---- */

/* It must change something: SQLite writes nothing for a value that is there already. */
static bool overwrite(struct content *c)
{
	bool is_undecided;
	int r = database_file_begin(&c->file);

	if (r == 0)
		r = database_file_set(&c->file, "revision", ++c->revision);
	if (r == 0)
		return database_file_commit(&c->file, &is_undecided) == 0;
	database_file_rollback(&c->file);
	return false;
}

/* r: how what was to be done within the transaction has ended. */
static int end_transaction(struct content *c, int r, bool *ret_is_undecided)
{
	bool is_undecided = false;

	if (r == 0)
		r = database_file_commit(&c->file, &is_undecided);
	else
		database_file_rollback(&c->file);
	*ret_is_undecided = is_undecided && !overwrite(c);
	return r;
}

int content_set(struct content *c, const struct content_number *numbers, size_t n_numbers)
{
	bool is_undecided;
	int r;

	lock(c);
	r = database_file_begin(&c->file);
	for (size_t i = 0; i < n_numbers && r == 0; i++)
		r = database_file_set(&c->file, numbers[i].name, numbers[i].value);
	r = end_transaction(c, r, &is_undecided);
	unlock(c);
	return r;
}

/* ---- commits ---- */

static int check(struct content *c, struct request *request)
{
	for (size_t i = 0; i < request->n_changes; i++) {
		const struct change *change = &request->changes[i];
		uint64_t present;
		int r;

		if (change->expected_revision == STORE_ANY_REVISION)
			continue;
		r = database_file_find(&c->file, change->news.key, &present);
		if (r < 0)
			return r;
		if (present != change->expected_revision) {
			request->result = STORE_FENCED;
			return 0;
		}
	}
	request->result = STORE_DURABLE;
	return 0;
}

static int write_changes(struct content *c, struct request *request)
{
	int r = 0;

	request->revision = ++c->revision;
	for (size_t i = 0; i < request->n_changes && r == 0; i++) {
		struct news *news = &request->changes[i].news;

		news->revision = request->revision;
		if (news->value.data)
			r = database_file_put(&c->file, news->key, news->value, news->revision);
		else
			r = database_file_delete(&c->file, news->key);
	}
	return r;
}

static int run_requests(struct content *c, struct request *group)
{
	int r = 0;

	for (struct request *request = group; request && r == 0; request = request->next) {
		if (request->has_failed)
			continue;
		r = check(c, request);
		if (r == 0 && request->result == STORE_DURABLE)
			r = write_changes(c, request);
	}
	return r;
}

/* What the file is to say: more, if more ids were asked for and there are more. */
static uint64_t next_bound(struct content *c)
{
	uint64_t bound = atomic_load(&c->id_bound);

	if (!atomic_exchange(&c->wants_ids, false) || bound > DATABASE_ID_END - DATABASE_ID_BLOCK)
		return bound;
	return bound + DATABASE_ID_BLOCK;
}

static int run_transaction(struct content *c, struct request *group, bool *ret_is_undecided)
{
	uint64_t bound = next_bound(c), revision = c->revision;
	int r = database_file_begin(&c->file);

	if (r == 0)
		r = run_requests(c, group);
	if (r == 0 && c->revision != revision)
		r = database_file_set(&c->file, "revision", c->revision);
	if (r == 0 && bound != atomic_load(&c->id_bound))
		r = database_file_set(&c->file, "next_id", bound);
	r = end_transaction(c, r, ret_is_undecided);
	if (r == 0)
		atomic_store(&c->id_bound, bound);
	return r;
}

/* One that was fenced has changed nothing, but what fenced it may be gone. */
static void fail(struct request *group, bool is_undecided)
{
	for (struct request *request = group; request; request = request->next) {
		bool has_changed = request->revision > 0;

		request->result = is_undecided && has_changed ? STORE_UNKNOWN : STORE_ERROR;
		request->revision = 0;
	}
}

int content_run_group(struct content *c, struct request *group)
{
	bool is_undecided;
	int r;

	lock(c);
	r = run_transaction(c, group, &is_undecided);
	unlock(c);
	if (r < 0)
		fail(group, is_undecided);
	return r;
}

/* ---- reading ---- */

int content_list(struct content *c, struct slice prefix,
		 void (*visit)(void *context, struct slice key, struct slice value,
			       uint64_t revision),
		 void *context)
{
	int r;

	lock(c);
	r = database_file_list(&c->file, prefix, visit, context);
	unlock(c);
	return r;
}

/* next_id is read before id_bound, which is never the lower of the two. */
uint64_t content_take_ids(struct content *c, unsigned n, bool *ret_is_asking)
{
	uint64_t first = atomic_load(&c->next_id), left, taken;

	do {
		left = atomic_load(&c->id_bound) - first;
		taken = n <= left ? n : 0;
	} while (!atomic_compare_exchange_weak(&c->next_id, &first, first + taken));
	*ret_is_asking = (taken == 0 || left - taken < DATABASE_ID_BLOCK / 2) &&
			 !atomic_exchange(&c->wants_ids, true);
	return taken > 0 ? first : 0;
}

/* ---- life ---- */

int content_init_take(struct content *c, struct database_file file,
		      const struct database_meta *meta)
{
	bug_on(pthread_mutex_init(&c->lock, NULL) != 0);
	c->file = file;
	c->revision = meta->revision;
	atomic_init(&c->next_id, meta->state.next_id);
	atomic_init(&c->id_bound, meta->state.next_id);
	atomic_init(&c->wants_ids, true);
	return content_run_group(c, NULL);
}

void content_fini(struct content *c)
{
	database_file_close(&c->file);
	(void)pthread_mutex_destroy(&c->lock);
}
