/* SPDX-License-Identifier: MIT */
#include "access/access.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

struct access {
	struct list policies; /* struct access_policy.link, in the order of registration; the
				 built-in one is last */
	_Atomic uint64_t generation;
	struct access_policy builtin;
	struct access_config config;
};

struct access_user *access_user_create(struct slice name, const char *tags, const char *mechanism)
{
	struct access_user *user = mem_zalloc(sizeof(*user));

	user->refs = 1;
	user->name = slice_strdup(name);
	user->tags = mem_strdup(tags);
	snprintf(user->mechanism, sizeof(user->mechanism), "%s", mechanism);
	return user;
}

struct access_user *access_user_ref(struct access_user *user)
{
	user->refs++;
	return user;
}

void access_user_unref(struct access_user *user)
{
	if (user == NULL || --user->refs != 0)
		return;
	mem_free(user->name);
	mem_free(user->tags);
	mem_free(user);
}

/* ---- The user of the configuration ---- */

static bool access_is_loopback_user(const struct access_config *config, struct slice name)
{
	for (const char *const *user = config->loopback_users; *user != NULL; user++)
		if (slice_equal(name, slice_cstr(*user)))
			return true;
	return false;
}

/* Takes the same time wherever the first difference is; the length may show. */
static bool access_same_secret(struct slice given, struct slice right)
{
	unsigned char difference = given.size != right.size;

	for (size_t i = 0; i < given.size && right.size != 0; i++)
		difference |= (unsigned char)(given.data[i] ^ right.data[i % right.size]);
	return difference == 0;
}

static void builtin_authenticate(struct access_policy *policy, struct access_login *login)
{
	struct access *access = container_of(policy, struct access, builtin);
	const struct access_config *config = &access->config;
	bool is_right = access_same_secret(login->password, slice_cstr(config->default_pass));

	is_right &= slice_equal(login->user, slice_cstr(config->default_user));
	if (!is_right)
		snprintf(login->reason, sizeof(login->reason), "unknown user or wrong password");
	else if (!login->peer_is_loopback && access_is_loopback_user(config, login->user))
		snprintf(login->reason, sizeof(login->reason),
			 "user '%s' can only connect via localhost", config->default_user);
	else
		login->result = access_user_create(login->user, config->default_user_tags,
						   login->mechanism);
	login->done(login);
}

static enum access_verdict builtin_authorize(struct access_policy *policy,
					     const struct access_question *question)
{
	const struct access *access = container_of(policy, struct access, builtin);

	return strcmp(question->user->name, access->config.default_user) == 0 ? ACCESS_ALLOW
									      : ACCESS_DENY;
}

/* ---- The door ---- */

struct access *access_create(const struct access_config *config)
{
	struct access *access = mem_zalloc(sizeof(*access));

	access->config = *config;
	atomic_init(&access->generation, 1);
	list_init(&access->policies);
	access->builtin = (struct access_policy){
		.name = "builtin",
		.authenticate = builtin_authenticate,
		.authorize = builtin_authorize,
	};
	list_add_tail(&access->policies, &access->builtin.link);
	return access;
}

void access_destroy(struct access *access)
{
	mem_free(access);
}

void access_register(struct access *access, struct access_policy *policy)
{
	list_add_head(&access->policies, &policy->link);
	atomic_fetch_add_explicit(&access->generation, 1, memory_order_relaxed);
}

void access_authenticate(struct access *access, struct access_login *login)
{
	struct list *pos;

	list_for_each(pos, &access->policies) {
		struct access_policy *policy = container_of(pos, struct access_policy, link);

		if (policy->authenticate != NULL) {
			policy->authenticate(policy, login);
			return;
		}
	}
}

bool access_authorize(struct access *access, const struct access_question *question)
{
	struct list *pos;

	list_for_each(pos, &access->policies) {
		struct access_policy *policy = container_of(pos, struct access_policy, link);
		enum access_verdict verdict = policy->authorize != NULL
						      ? policy->authorize(policy, question)
						      : ACCESS_PASS;

		if (verdict != ACCESS_PASS)
			return verdict == ACCESS_ALLOW;
	}
	return false;
}

uint64_t access_generation(const struct access *access)
{
	return atomic_load_explicit(&access->generation, memory_order_relaxed);
}
