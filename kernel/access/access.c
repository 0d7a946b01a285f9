/* SPDX-License-Identifier: MIT */
#include "access/access.h"

#include <stdio.h>
#include <string.h>

#include "access/accounts_state.h"
#include "access/state.h"
#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/grace.h"
#include "loop/loop.h"

/* In the order in which they are asked; the built-in one is the last. Never changed: another takes
 * its place. */
struct access_list {
	struct loop_grace grace; /* once it was replaced */
	size_t n;
	struct access_policy *items[];
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
	access_usage_unref(user->usage);
	mem_free(user->name);
	mem_free(user->tags);
	mem_free(user);
}

const char *access_user_tags(const struct access *access, const struct access_user *user)
{
	return user->is_account ? accounts_tags_of(access->accounts, slice_cstr(user->name))
				: user->tags;
}

bool access_user_has_tag(const struct access *access, const struct access_user *user,
			 const char *tag)
{
	size_t size = strlen(tag);

	for (const char *at = access_user_tags(access, user); *at != '\0';) {
		size_t length = strcspn(at, ",");

		if (length == size && memcmp(at, tag, size) == 0)
			return true;
		at += length;
		at += *at == ',';
	}
	return false;
}

static enum access_verdict builtin_authorize(struct access_policy *policy,
					     const struct access_question *question,
					     struct access_reply *reply)
{
	const struct access *access = container_of(policy, struct access, builtin);

	(void)reply; /* whatever changes there is a new generation */
	return accounts_authorize(access->accounts, question);
}

/* ---- Who is asked ---- */

static struct access_list *access_list_create(size_t n)
{
	return mem_zalloc(sizeof(struct access_list) + n * sizeof(struct access_policy *));
}

static bool access_is_among(const struct access_policy *policy, struct access_policies policies)
{
	for (size_t i = 0; i < policies.n; i++)
		if (policies.items[i] == policy)
			return true;
	return false;
}

static bool access_comes_after(const struct access_policy *a, uint64_t rank, uint64_t index)
{
	return a->rank > rank || (a->rank == rank && a->index > index);
}

/* The list is in order. */
static void access_list_insert(struct access_list *list, struct access_policy *policy)
{
	size_t i = list->n++;

	for (; i > 0 && access_comes_after(list->items[i - 1], policy->rank, policy->index); i--)
		list->items[i] = list->items[i - 1];
	list->items[i] = policy;
}

static void access_list_replaced(struct loop_grace *grace)
{
	mem_free(container_of(grace, struct access_list, grace));
}

void access_change(struct access *access, struct access_policies out, struct access_policies in)
{
	struct access_list *old = atomic_load(&access->policies);
	struct access_list *list = access_list_create(old->n + in.n);

	for (size_t i = 0; i < old->n; i++)
		if (!access_is_among(old->items[i], out))
			list->items[list->n++] = old->items[i];
	for (size_t i = 0; i < in.n; i++)
		access_list_insert(list, in.items[i]);
	atomic_store_explicit(&access->policies, list, memory_order_release);
	access_has_changed(access);
	if (loop_self() != NULL)
		loop_grace_begin(&old->grace, access_list_replaced);
	else
		mem_free(old);
}

bool access_has_policies(const struct access *access)
{
	return atomic_load_explicit(&access->policies, memory_order_acquire)->n > 1;
}

/* ---- The door ---- */

struct access *access_create(const struct access_config *config)
{
	struct access *access = mem_zalloc(sizeof(*access));
	struct access_list *list = access_list_create(1);

	access->config = *config;
	access->builtin = (struct access_policy){
		.name = "builtin",
		.rank = UINT64_MAX,
		.authenticate = logins_authenticate,
		.authorize = builtin_authorize,
	};
	list->n = 1;
	list->items[0] = &access->builtin;
	atomic_init(&access->policies, list);
	atomic_init(&access->generation, 1);
	access->accounts = accounts_create(access);
	access->n_workers = 1;
	access->now_ms = loop_now_ms;
	access->logins = logins_create(access);
	return access;
}

int access_start_workers(struct access *access, unsigned n_threads)
{
	bug_on(access->workers != NULL);
	access->n_workers = n_threads;
	/* Few are hashed that are not right (login.c), and who waits is a client: behind busy
	 * loops, as beside a flood of wrong logins, a login takes four times as long; like this
	 * half as long again (bench/logins). */
	return workers_create("password", WORKERS_BESIDE, n_threads, &access->workers);
}

static void access_work_done(struct letter *letter)
{
	struct work *work = container_of(letter, struct work, letter);

	work->done(work);
}

void access_work(struct access *access, struct work *work)
{
	if (access->workers != NULL) {
		workers_submit(access->workers, work);
		return;
	}
	work->home = loop_index(loop_self());
	work->run(work);
	work->letter.deliver = access_work_done;
	loop_post(work->home, &work->letter);
}

void access_destroy(struct access *access)
{
	if (access == NULL)
		return;
	logins_stop(access->logins);
	workers_destroy(access->workers);
	access_end_edits(access);
	logins_destroy(access->logins);
	accounts_destroy(access->accounts);
	mem_free(atomic_load(&access->policies));
	mem_free(access);
}

/* Asks the first one behind the place that the login has come to. The list may have changed since
 * then; the built-in policy is always there and passes nothing on. */
static void access_ask(struct access_login *login)
{
	const struct access_list *list =
		atomic_load_explicit(&login->access->policies, memory_order_acquire);

	for (size_t i = 0; i < list->n; i++) {
		struct access_policy *policy = list->items[i];

		if (policy->authenticate == NULL ||
		    !access_comes_after(policy, login->rank, login->index))
			continue;
		login->rank = policy->rank;
		login->index = policy->index;
		policy->authenticate(policy, login);
		return;
	}
}

void access_authenticate(struct access *access, struct access_login *login)
{
	login->access = access;
	login->rank = login->index = 0;
	access_ask(login);
}

void access_answer(struct access_login *login, enum access_verdict verdict)
{
	login->abandoned = NULL;
	if (verdict == ACCESS_PASS)
		access_ask(login);
	else
		login->done(login);
}

void access_abandon(struct access_login *login)
{
	if (login->abandoned != NULL)
		login->abandoned(login);
}

/* What was said by those that passed it on counts, too: later they may say something else. */
static enum access_verdict access_ask_one(struct access_policy *policy,
					  const struct access_question *question,
					  struct access_reply *reply)
{
	uint32_t before = reply->remember_ms;
	enum access_verdict verdict;

	if (policy->authorize == NULL)
		return ACCESS_PASS;
	reply->remember_ms = ACCESS_REMEMBER_ALWAYS;
	reply->reason[0] = '\0';
	verdict = policy->authorize(policy, question, reply);
	if (before < reply->remember_ms)
		reply->remember_ms = before;
	return verdict;
}

bool access_authorize(struct access *access, const struct access_question *question,
		      struct access_reply *ret_reply)
{
	const struct access_list *list =
		atomic_load_explicit(&access->policies, memory_order_acquire);
	struct access_reply own, *reply = ret_reply != NULL ? ret_reply : &own;

	reply->remember_ms = ACCESS_REMEMBER_ALWAYS;
	reply->reason[0] = '\0';
	for (size_t i = 0; i < list->n; i++) {
		enum access_verdict verdict = access_ask_one(list->items[i], question, reply);

		if (verdict != ACCESS_PASS)
			return verdict == ACCESS_ALLOW;
	}
	return false;
}

bool access_asks_topics(struct access *access, const struct access_user *user, struct slice vhost)
{
	return access_has_policies(access) ||
	       accounts_have_topics(access->accounts, slice_cstr(user->name), vhost);
}

/* Who sees the new number sees the new policies. */
uint64_t access_generation(const struct access *access)
{
	return atomic_load_explicit(&access->generation, memory_order_acquire);
}

void access_has_changed(struct access *access)
{
	atomic_fetch_add_explicit(&access->generation, 1, memory_order_release);
}
