/* SPDX-License-Identifier: MIT */
/*
 * The first user, of a broker that never had one: by an ordinary edit. The store remembers that
 * there was one, so that it does not come back, with its well-known password, when all users have
 * been deleted. If shuntd ends between the two the next start finds a user, and remembers that.
 */
#include <stdio.h>
#include <string.h>

#include "access/accounts_state.h"
#include "access/audit.h"
#include "access/password.h"
#include "base/bug.h"
#include "base/list.h"
#include "loop/loop.h"
#include "store/fields.h"

/* ---- What is remembered ---- */

#define MARK_KEY  "first-user"
#define MARK_KIND 'f'

static void visit_mark(void *context, struct slice key, struct slice value, uint64_t revision)
{
	(void)value;
	(void)revision;
	if (slice_equal(key, SLICE_LITERAL(MARK_KEY)))
		*(bool *)context = true;
}

struct marking {
	struct store_commit commit;
	bool is_done;
	enum store_result result;
};

static void marked(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct marking *marking = container_of(commit, struct marking, commit);

	(void)revision;
	marking->is_done = true;
	marking->result = result;
}

static int mark(struct store *store)
{
	struct marking marking = {.commit = {.n_changes = 1, .done = marked}};
	struct store_change change = {
		.key = SLICE_LITERAL(MARK_KEY),
		.expected_revision = STORE_ANY_REVISION,
	};
	struct buffer value;

	buffer_init(&value);
	fields_begin(&value, MARK_KIND);
	change.value = buffer_slice(&value);
	marking.commit.changes = &change;
	if (!value.failed) {
		store_commit(store, &marking.commit);
		while (!marking.is_done)
			loop_run_once(true);
	}
	buffer_fini(&value);
	return marking.is_done && marking.result == STORE_DURABLE ? 0 : -1;
}

/* ---- Making it ---- */

static void made(struct access_edits *edits)
{
	*(bool *)edits->context = true;
}

static void say_made(const struct access_first *first)
{
	static const struct audit_actor start = {SLICE_LITERAL("shuntd"), SLICE_LITERAL("shuntd")};
	char user[ACCESS_NAME_MAX + 16], vhost[ACCESS_NAME_MAX + 16];

	log_quote(user, sizeof(user), slice_cstr(first->user));
	log_quote(vhost, sizeof(vhost), slice_cstr(first->vhost));
	audit(&start, NULL, "user.created", "name=%s", user);
	audit(&start, NULL, "permission.created", "user=%s vhost=%s", user, vhost);
}

static int make_first(struct accounts *accounts, const struct access_first *first, char *ret_reason,
		      size_t size)
{
	char hash[ACCESS_HASH_MAX];
	bool is_done = false;

	if (password_hash(slice_cstr(first->pass), PASSWORD_ARGON2ID, hash) != 0) {
		(void)snprintf(ret_reason, size, "cannot hash the first user's password");
		return -1;
	}

	const struct access_edit items[] = {
		{
			.kind = ACCESS_ADD_USER,
			.account = {.name = slice_cstr(first->user),
				    .tags = slice_cstr(first->tags),
				    .algorithm = PASSWORD_ARGON2ID,
				    .password_hash = slice_cstr(hash)},
		},
		{
			.kind = ACCESS_SET_PERMISSION,
			.permission = {.user = slice_cstr(first->user),
				       .vhost = slice_cstr(first->vhost),
				       .configure = slice_cstr(first->configure),
				       .write = slice_cstr(first->write),
				       .read = slice_cstr(first->read)},
		},
	};
	struct access_edits edits = {.items = items, .n = 2, .done = made, .context = &is_done};

	access_edit(accounts->access, &edits);
	access_end_edits(accounts->access);
	bug_on(!is_done);
	explicit_bzero(hash, sizeof(hash));
	if (edits.result == 0) {
		say_made(first);
		return 0;
	}
	(void)snprintf(ret_reason, size, "cannot make the first user: %s", edits.reason);
	return -1;
}

int accounts_make_first(struct accounts *accounts, const struct access_first *first,
			char *ret_reason, size_t size)
{
	bool has_users = accounts_directory(accounts)->n > 0, is_marked = false;
	int r = store_definitions_load(accounts->store, SLICE_LITERAL(MARK_KEY), visit_mark,
				       &is_marked);

	if (r != 0) {
		(void)snprintf(ret_reason, size, "cannot see whether there was a first user: %s",
			       strerror(-r));
		return -1;
	}
	if (is_marked || (!has_users && first == NULL))
		return 0;
	if (!has_users && make_first(accounts, first, ret_reason, size) != 0)
		return -1;
	if (mark(accounts->store) == 0)
		return 0;
	(void)snprintf(ret_reason, size, "cannot store that there was a first user");
	return -1;
}
