/* SPDX-License-Identifier: MIT */
/* What connections need of the accounts, on any loop: logging in, limits, permissions. */
#include <string.h>

#include "access/accounts_state.h"
#include "base/bug.h"

bool access_password_of(struct access *access, struct slice name,
			enum password_algorithm *ret_algorithm, char ret_hash[ACCESS_HASH_MAX],
			uint64_t *ret_serial)
{
	const struct account *account = directory_find(accounts_directory(access->accounts), name);

	if (account == NULL)
		return false;
	*ret_algorithm = account->algorithm;
	memcpy(ret_hash, account->hash_bytes, account->hash.size + 1);
	*ret_serial = account->serial;
	return true;
}

struct access_user *access_user_of_account(struct access *access, struct slice name,
					   const char *mechanism)
{
	const struct account *account = directory_find(accounts_directory(access->accounts), name);
	struct access_user *user;

	if (account == NULL)
		return NULL;
	user = access_user_create(name, "", mechanism);
	user->is_account = true;
	user->usage = access_usage_ref(account->usage);
	return user;
}

const char *accounts_tags_of(const struct accounts *accounts, struct slice name)
{
	const struct account *account = directory_find(accounts_directory(accounts), name);

	return account != NULL ? account->tags : "";
}

/* ---- Limits ---- */

static bool take(_Atomic int64_t *count, int64_t limit, int64_t *ret_limit)
{
	int64_t n = atomic_load_explicit(count, memory_order_relaxed);

	do {
		if (limit != ACCESS_NO_LIMIT && n >= limit) {
			*ret_limit = limit;
			return false;
		}
	} while (!atomic_compare_exchange_weak(count, &n, n + 1));
	return true;
}

static void give(_Atomic int64_t *count)
{
	int64_t before = atomic_fetch_sub(count, 1);

	bug_on(before <= 0);
}

/* Limits are the name's, whoever has authenticated it. */
static void know(struct access *access, struct access_user *user)
{
	const struct account *account;

	if (user->usage != NULL)
		return;
	account = directory_find(accounts_directory(access->accounts), slice_cstr(user->name));
	if (account != NULL)
		user->usage = access_usage_ref(account->usage);
}

bool access_take_connection(struct access *access, struct access_user *user, int64_t *ret_limit)
{
	know(access, user);
	return user->usage == NULL || take(&user->usage->n_connections,
					   atomic_load(&user->usage->max_connections), ret_limit);
}

void access_give_connection(struct access *access, struct access_user *user)
{
	(void)access;
	if (user->usage != NULL)
		give(&user->usage->n_connections);
}

bool access_take_channel(struct access *access, struct access_user *user, int64_t *ret_limit)
{
	(void)access;
	return user->usage == NULL ||
	       take(&user->usage->n_channels, atomic_load(&user->usage->max_channels), ret_limit);
}

void access_give_channel(struct access *access, struct access_user *user)
{
	(void)access;
	if (user->usage != NULL)
		give(&user->usage->n_channels);
}

/* ---- Permissions, as rabbit_auth_backend_internal has them ---- */

static bool allows(const struct account *account, const struct access_question *question,
		   unsigned pattern)
{
	const struct permission *permission =
		permission_list_find(&account->permissions, question->vhost, SLICE_EMPTY);

	return permission != NULL &&
	       pattern_matches(permission->patterns[pattern].compiled, question->name);
}

/* Without any permission for the exchange all of its topics are allowed. */
static bool allows_topic(const struct account *account, const struct access_question *question,
			 unsigned pattern)
{
	const struct permission *permission =
		permission_list_find(&account->topics, question->vhost, question->name);

	return permission == NULL ||
	       pattern_matches(permission->patterns[pattern].compiled, question->routing_key);
}

static bool is_allowed(const struct account *account, const struct access_question *question)
{
	switch (question->operation) {
	case ACCESS_VHOST:
		return permission_list_find(&account->permissions, question->vhost, SLICE_EMPTY) !=
		       NULL;
	case ACCESS_CONFIGURE:
		return allows(account, question, PERMISSION_CONFIGURE);
	case ACCESS_WRITE:
		return allows(account, question, PERMISSION_WRITE);
	case ACCESS_READ:
		return allows(account, question, PERMISSION_READ);
	case ACCESS_WRITE_TOPIC:
		return allows_topic(account, question, PERMISSION_WRITE);
	case ACCESS_READ_TOPIC:
		return allows_topic(account, question, PERMISSION_READ);
	}
	return false;
}

enum access_verdict accounts_authorize(const struct accounts *accounts,
				       const struct access_question *question)
{
	const struct account *account =
		directory_find(accounts_directory(accounts), slice_cstr(question->user->name));

	return account != NULL && is_allowed(account, question) ? ACCESS_ALLOW : ACCESS_DENY;
}

bool accounts_have_topics(const struct accounts *accounts, struct slice user, struct slice vhost)
{
	const struct account *account = directory_find(accounts_directory(accounts), user);

	return account != NULL && permission_list_covers(&account->topics, vhost);
}
