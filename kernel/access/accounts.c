/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "access/accounts_state.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"

/* ---- The directory ---- */

struct directory *directory_create(size_t capacity)
{
	return mem_zalloc(sizeof(struct directory) + capacity * sizeof(struct account *));
}

size_t directory_place(const struct directory *directory, struct slice name)
{
	size_t low = 0, high = directory->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(slice_cstr(directory->items[middle]->name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct account *directory_find(const struct directory *directory, struct slice name)
{
	size_t i = directory_place(directory, name);

	return i < directory->n && slice_equal(slice_cstr(directory->items[i]->name), name)
		       ? directory->items[i]
		       : NULL;
}

/*
 * ---- Edits: one list of them after the other ----
 *
 * A list goes into a draft, the draft's changes to the store, and when they are there the draft
 * comes in force. A long one (an import) is prepared in steps, between which the loop turns.
 */

#define STEP_NS UINT64_C(200000)

static void finish(struct accounts *accounts, int result)
{
	struct access_edits *edits = accounts->waiting.first;

	draft_destroy(accounts->draft);
	accounts->draft = NULL;
	accounts->is_committing = false;
	chain_drop_first(&accounts->waiting);
	edits->result = result;
	edits->done(edits);
}

static void committed(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct accounts *accounts = container_of(commit, struct accounts, commit);
	struct access_edits *edits = accounts->waiting.first;

	(void)revision;
	if (result == STORE_DURABLE) {
		draft_publish(accounts->draft);
		finish(accounts, 0);
	} else {
		(void)snprintf(edits->reason, sizeof(edits->reason), "the store has failed");
		finish(accounts, -EIO);
	}
	if (accounts->waiting.first != NULL)
		loop_defer(&accounts->turn);
}

static void begin(struct accounts *accounts)
{
	struct access_edits *edits = accounts->waiting.first;

	edits->failed = 0;
	edits->reason[0] = '\0';
	accounts->draft = draft_create(accounts);
	accounts->n_applied = 0;
}

/* False: that was the time of a step. */
static bool apply(struct accounts *accounts, uint64_t until_ns, int *ret_result)
{
	struct access_edits *edits = accounts->waiting.first;

	while (*ret_result == 0 && accounts->n_applied < edits->n) {
		if (clock_monotonic_ns() >= until_ns)
			return false;
		edits->failed = accounts->n_applied;
		*ret_result = draft_apply(accounts->draft, &edits->items[accounts->n_applied++],
					  edits->reason, sizeof(edits->reason));
	}
	return true;
}

/* What there is to be stored; if that is nothing, all is done. */
static void commit(struct accounts *accounts)
{
	struct access_edits *edits = accounts->waiting.first;
	const struct store_change *changes = NULL;
	size_t n = 0;
	int r = draft_changes(accounts->draft, &changes, &n);

	if (r != 0)
		(void)snprintf(edits->reason, sizeof(edits->reason), "out of memory");
	if (r != 0 || n == 0) {
		finish(accounts, r);
		return;
	}
	accounts->commit = (struct store_commit){
		.changes = changes,
		.n_changes = n,
		.done = committed,
	};
	accounts->is_committing = true;
	store_commit(accounts->store, &accounts->commit);
}

/* One step of the first list. False: it needs another one. */
static bool advance(struct accounts *accounts)
{
	uint64_t until_ns = clock_monotonic_ns() + STEP_NS;
	int result = 0;

	if (accounts->draft == NULL)
		begin(accounts);
	if (!apply(accounts, until_ns, &result))
		return false;
	if (result != 0) {
		finish(accounts, result);
		return true;
	}
	if (!draft_encode(accounts->draft, until_ns))
		return false;
	commit(accounts);
	return true;
}

static void turn(struct loop_task *task)
{
	struct accounts *accounts = container_of(task, struct accounts, turn);

	while (accounts->waiting.first != NULL && !accounts->is_committing) {
		if (advance(accounts))
			continue;
		loop_defer_background(task);
		return;
	}
}

void access_edit(struct access *access, struct access_edits *edits)
{
	struct accounts *accounts = access->accounts;

	OWN(0);
	bug_on(accounts->store == NULL);
	chain_add(&accounts->waiting, edits);
	if (accounts->draft == NULL)
		loop_defer(&accounts->turn);
}

void access_end_edits(struct access *access)
{
	struct accounts *accounts = access->accounts;

	while (accounts->waiting.first != NULL)
		loop_run_once(true);
}

void access_on_user_deleted(struct access *access,
			    void (*deleted)(void *context, struct slice name), void *context)
{
	struct accounts *accounts = access->accounts;

	accounts->deleted = deleted;
	accounts->deleted_context = context;
}

/* ---- Life ---- */

struct accounts *accounts_create(struct access *access)
{
	struct accounts *accounts = mem_zalloc(sizeof(*accounts));

	accounts->access = access;
	accounts->patterns = patterns_create();
	atomic_init(&accounts->directory, directory_create(0));
	loop_task_init(&accounts->turn, turn);
	return accounts;
}

void accounts_destroy(struct accounts *accounts)
{
	struct directory *directory;

	access_end_edits(accounts->access);
	if (accounts->n_retired > 0)
		loop_pool_drain();
	bug_on(accounts->n_retired > 0);
	directory = atomic_load(&accounts->directory);
	for (size_t i = 0; i < directory->n; i++)
		account_destroy(accounts->patterns, directory->items[i]);
	mem_free(directory);
	patterns_destroy(accounts->patterns);
	mem_free(accounts);
}

/* ---- At home ---- */

bool access_find_account(const struct access *access, struct slice name,
			 struct account_view *ret_account)
{
	const struct account *account = directory_find(accounts_directory(access->accounts), name);

	if (account == NULL)
		return false;
	*ret_account = account_view(account);
	return true;
}

void access_each_account(const struct access *access,
			 void (*visit)(void *context, const struct account_view *account),
			 void *context)
{
	const struct directory *directory = accounts_directory(access->accounts);

	for (size_t i = 0; i < directory->n; i++) {
		const struct account_view view = account_view(directory->items[i]);

		visit(context, &view);
	}
}

/* How many of them do not come behind the name. */
static size_t directory_behind(const struct directory *directory, struct slice name)
{
	size_t low = 0, high = name.data != NULL ? directory->n : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(slice_cstr(directory->items[middle]->name), name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool access_some_accounts(const struct access *access, struct slice after, size_t n,
			  void (*visit)(void *context, const struct account_view *account),
			  void *context)
{
	const struct directory *directory = accounts_directory(access->accounts);
	size_t i = directory_behind(directory, after);

	for (; n != 0 && i < directory->n; i++, n--) {
		const struct account_view view = account_view(directory->items[i]);

		visit(context, &view);
	}
	return i < directory->n;
}

/* What is asked for, and what is called for each of it. */
struct walk {
	struct slice vhost; /* data NULL: all */
	bool are_topics;
	union {
		void (*plain)(void *context, const struct permission_view *permission);
		void (*topic)(void *context, const struct topic_permission_view *permission);
	} visit;
	void *context;
};

static void walk_account(const struct walk *walk, const struct account *account)
{
	const struct permission_list *list =
		walk->are_topics ? &account->topics : &account->permissions;

	for (size_t i = 0; i < list->n; i++) {
		const struct permission *permission = list->items[i];

		if (walk->vhost.data != NULL && !slice_equal(permission->vhost, walk->vhost))
			continue;
		if (walk->are_topics) {
			const struct topic_permission_view view =
				topic_permission_view(account, permission);

			walk->visit.topic(walk->context, &view);
		} else {
			const struct permission_view view = permission_view(account, permission);

			walk->visit.plain(walk->context, &view);
		}
	}
}

static void walk_accounts(const struct access *access, const struct walk *walk, struct slice user)
{
	const struct directory *directory = accounts_directory(access->accounts);
	const struct account *account;

	if (user.data != NULL) {
		account = directory_find(directory, user);
		if (account != NULL)
			walk_account(walk, account);
		return;
	}
	for (size_t i = 0; i < directory->n; i++)
		walk_account(walk, directory->items[i]);
}

void access_each_permission(const struct access *access, struct slice vhost, struct slice user,
			    void (*visit)(void *context, const struct permission_view *permission),
			    void *context)
{
	const struct walk walk = {
		.vhost = vhost,
		.visit.plain = visit,
		.context = context,
	};

	walk_accounts(access, &walk, user);
}

void access_each_topic_permission(
	const struct access *access, struct slice vhost, struct slice user,
	void (*visit)(void *context, const struct topic_permission_view *permission), void *context)
{
	const struct walk walk = {
		.vhost = vhost,
		.are_topics = true,
		.visit.topic = visit,
		.context = context,
	};

	walk_accounts(access, &walk, user);
}
