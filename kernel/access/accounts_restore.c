/* SPDX-License-Identifier: MIT */
/*
 * The start: accounts from the store, then permissions, which need them; no loop runs, so what is
 * made is changed in place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/accounts_state.h"
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/restoring.h"

struct restore {
	struct accounts *accounts;
	struct directory *directory; /* grows */
	size_t capacity;
	struct buffer key;
	uint64_t n_permissions, n_topics, n_failed;
};

/* ---- What cannot be read ---- */

static void refuse(struct restore *restore, struct slice key, const char *reason)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char quoted[512];

	restore->n_failed++;
	log_limited(&limit, LOG_LEVEL_ERROR, "access",
		    "a definition cannot be brought back: key=%s reason=\"%s\"",
		    log_quote(quoted, sizeof(quoted), key), reason);
}

static bool is_its_key(struct restore *restore, struct slice key)
{
	return !restore->key.failed && slice_equal(buffer_slice(&restore->key), key);
}

/* The start goes on: it was one that compiled once, with another version of PCRE2. */
static void say_broken(const struct permission *permission, struct slice key, const char *reason)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char quoted[512];

	if (permission_is_broken(permission))
		log_limited(&limit, LOG_LEVEL_ERROR, "access",
			    "a permission allows nothing: key=%s reason=\"%s\"",
			    log_quote(quoted, sizeof(quoted), key), reason);
}

static const char damaged[] = "it is damaged, or of a later version";

/* ---- Users ---- */

static void add_account(struct restore *restore, const struct account_view *view)
{
	struct account *account = account_create(view);

	if (restore->directory->n == restore->capacity) {
		restore->capacity = 2 * restore->capacity + 8;
		restore->directory = mem_realloc(
			restore->directory,
			sizeof(struct directory) + restore->capacity * sizeof(struct account *));
	}
	account->serial = ++restore->accounts->last_serial;
	atomic_store(&account->usage->max_connections, account->max_connections);
	atomic_store(&account->usage->max_channels, account->max_channels);
	restore->directory->items[restore->directory->n++] = account;
}

static void visit_user(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct restore *restore = context;
	struct account_view view;

	(void)revision;
	if (account_read_value(value, &view) != 0) {
		refuse(restore, key, damaged);
		return;
	}
	buffer_clear(&restore->key);
	account_put_key(&restore->key, view.name);
	if (is_its_key(restore, key))
		add_account(restore, &view);
	else
		refuse(restore, key, damaged);
}

static int by_name(const void *a, const void *b)
{
	const struct account *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int restore_users(struct restore *restore)
{
	int r = store_definitions_load(restore->accounts->store, SLICE_LITERAL("user/"), visit_user,
				       restore);

	if (restore->directory->n > 0)
		qsort(restore->directory->items, restore->directory->n, sizeof(struct account *),
		      by_name);
	return r;
}

/* ---- Permissions ---- */

/* NULL: refused. */
static struct account *user_of(struct restore *restore, struct slice key, struct slice user)
{
	struct account *account = NULL;

	if (!is_its_key(restore, key)) {
		refuse(restore, key, damaged);
		return NULL;
	}
	account = directory_find(restore->directory, user);
	if (account == NULL)
		refuse(restore, key, "its user is not there");
	return account;
}

static void visit_permission(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct restore *restore = context;
	struct patterns *patterns = restore->accounts->patterns;
	struct permission *permission;
	struct permission_view view;
	struct account *account;
	char reason[256];

	(void)revision;
	if (permission_read_value(value, &view) != 0) {
		refuse(restore, key, damaged);
		return;
	}
	buffer_clear(&restore->key);
	permission_put_key(&restore->key, view.vhost, view.user);
	account = user_of(restore, key, view.user);
	if (account == NULL)
		return;
	permission = permission_create(patterns, &view, reason, sizeof(reason));
	say_broken(permission, key, reason);
	permission_list_put_take(patterns, &account->permissions, permission);
	restore->n_permissions++;
}

static void visit_topic(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct restore *restore = context;
	struct patterns *patterns = restore->accounts->patterns;
	struct topic_permission_view view;
	struct permission *permission;
	struct account *account;
	char reason[256];

	(void)revision;
	if (topic_permission_read_value(value, &view) != 0) {
		refuse(restore, key, damaged);
		return;
	}
	buffer_clear(&restore->key);
	topic_permission_put_key(&restore->key, view.vhost, view.user, view.exchange);
	account = user_of(restore, key, view.user);
	if (account == NULL)
		return;
	permission = permission_create_topic(patterns, &view, reason, sizeof(reason));
	say_broken(permission, key, reason);
	permission_list_put_take(patterns, &account->topics, permission);
	restore->n_topics++;
}

static int restore_permissions(struct restore *restore)
{
	return store_definitions_load(restore->accounts->store, SLICE_LITERAL("permission/"),
				      visit_permission, restore);
}

static int restore_topics(struct restore *restore)
{
	return store_definitions_load(restore->accounts->store, SLICE_LITERAL("topic-permission/"),
				      visit_topic, restore);
}

/* ---- All of it ---- */

static const struct {
	const char *what;
	int (*run)(struct restore *restore);
} steps[] = {
	{"users", restore_users},
	{"permissions", restore_permissions},
	{"topic permissions", restore_topics},
};

static int run_steps(struct restore *restore, char *ret_reason, size_t size)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = steps[i].run(restore);

		if (restoring_check(steps[i].what, r, restore->n_failed, ret_reason, size) != 0)
			return -1;
	}
	return 0;
}

int accounts_restore(struct access *access, struct store *store, const struct access_first *first,
		     char *ret_reason, size_t size)
{
	struct accounts *accounts = access->accounts;
	struct restore restore = {
		.accounts = accounts,
		.directory = atomic_load(&accounts->directory),
	};
	int r;

	OWN(0);
	bug_on(accounts->store != NULL);
	accounts->store = store;
	buffer_init(&restore.key);
	r = run_steps(&restore, ret_reason, size);
	buffer_fini(&restore.key);
	atomic_store(&accounts->directory, restore.directory);
	if (r != 0)
		return r;
	access_has_changed(access);
	if (restore.directory->n > 0)
		log_info("access", "recovered: users=%zu permissions=%llu topic_permissions=%llu",
			 restore.directory->n, (unsigned long long)restore.n_permissions,
			 (unsigned long long)restore.n_topics);
	return accounts_make_first(accounts, first, ret_reason, size);
}
