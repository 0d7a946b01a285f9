/* SPDX-License-Identifier: MIT */
/*
 * The built-in policy's logins. All are decided at home (loop 0), which owns what there is to
 * decide with: a login on another loop goes there and back by a letter. So nothing here has a lock.
 *
 * A password that was right within the last minutes is remembered, and lets in at once. All others
 * wait in turn by address for a worker that hashes, if their address may fail once more. What the
 * hashing takes is the same for all: who does not exist, has no password, or has one of RabbitMQ's
 * quick hashes costs one Argon2id as well; RabbitMQ's hashes are replaced by what that gave.
 *
 * The attempt is a copy of the login: whoever waits for it may go at any moment, which the attempt
 * learns on its own loop, and the home at its next look.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "access/accounts.h"
#include "access/login_queue.h"
#include "access/password.h"
#include "access/rehash.h"
#include "access/remembered.h"
#include "access/state.h"
#include "access/throttle.h"
#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/workers.h"

#define LOGINS_HOME	0u
#define LOGINS_JOBS_MAX 4u
#define LOGINS_AT_ONCE	64u /* answers in one go */

/* What a user is compared with. */
struct login_target {
	bool exists;
	enum password_algorithm algorithm;
	char hash[ACCESS_HASH_MAX]; /* "": no password */
	uint64_t serial;	    /* 0: does not exist */
};

/* On its loop, then at home, then on its loop. */
struct login_attempt {
	struct letter letter;
	struct logins *logins;
	struct access_login *login; /* its loop's; NULL: gone */
	_Atomic bool is_abandoned;
	unsigned loop;
	struct throttle_address address;
	struct slice user, password; /* in bytes */
	char mechanism[16];
	bool is_loopback, is_proven;

	/* at home */
	struct login_queued queued;
	struct remembered_digest digest;
	struct login_target target;
	struct list twins; /* with the same password, while it is hashed; of a twin: its link */
	int result_of_twin;

	/* the answer */
	struct access_user *result;
	char reason[384];

	char bytes[];
};

/* One that is being hashed. */
struct login_job {
	struct work work;
	struct logins *logins;
	struct login_attempt *attempt; /* NULL: the job is free */
	int result;
	char new_hash[ACCESS_HASH_MAX]; /* "": the old one stays */
};

struct logins {
	struct access *access;
	struct remembered *remembered;
	struct throttle *throttle;
	struct login_queue queue;
	struct list found; /* attempts, by twins: they have only to be told */
	bool is_stopping;
	struct letter again; /* the pump goes on in another turn */
	bool is_to_go_on;
	struct login_job jobs[LOGINS_JOBS_MAX];
};

static void login_pump(struct logins *logins);
static void login_consider(struct login_attempt *attempt);

/* ---- The attempt ---- */

static void attempt_free(struct login_attempt *attempt)
{
	access_user_unref(attempt->result);
	explicit_bzero(attempt->bytes, attempt->user.size + attempt->password.size);
	mem_free(attempt);
}

/* On the login's loop. */
static void attempt_give(struct login_attempt *attempt)
{
	struct access_login *login = attempt->login;

	if (login != NULL) {
		login->result = attempt->result;
		attempt->result = NULL;
		memcpy(login->reason, attempt->reason, sizeof(login->reason));
		access_answer(login, login->result != NULL ? ACCESS_ALLOW : ACCESS_DENY);
	}
	attempt_free(attempt);
}

static void attempt_return(struct letter *letter)
{
	attempt_give(container_of(letter, struct login_attempt, letter));
}

/* At home. It has an answer, or nobody waits for one. */
static void attempt_answer(struct login_attempt *attempt)
{
	if (attempt->queued.address != NULL)
		login_queue_leave(&attempt->logins->queue, &attempt->queued);
	explicit_bzero(&attempt->target, sizeof(attempt->target));
	if (attempt->loop == LOGINS_HOME) {
		attempt_give(attempt);
		return;
	}
	attempt->letter.deliver = attempt_return;
	loop_post(attempt->loop, &attempt->letter);
}

/* For the log: "user 'NAME' ..." */
static void attempt_refuse(struct login_attempt *attempt, const char *why)
{
	char quoted[280], *name = log_quote(quoted, sizeof(quoted), attempt->user) + 1;

	name[strlen(name) - 1] = '\0'; /* single quotes are RabbitMQ's */
	snprintf(attempt->reason, sizeof(attempt->reason), "user '%s' %s", name, why);
	attempt_answer(attempt);
}

static void attempt_refuse_wrong(struct login_attempt *attempt)
{
	attempt_refuse(attempt, "- invalid credentials");
}

static bool attempt_is_loopback_user(const struct login_attempt *attempt)
{
	const char *const *user = attempt->logins->access->config.loopback_users;

	for (; user != NULL && *user != NULL; user++)
		if (slice_equal(attempt->user, slice_cstr(*user)))
			return true;
	return false;
}

/* It is who it says. */
static void attempt_accept(struct login_attempt *attempt)
{
	if (!attempt->is_loopback && attempt_is_loopback_user(attempt)) {
		attempt_refuse(attempt, "can only connect via localhost");
		return;
	}
	attempt->result =
		access_user_of_account(attempt->logins->access, attempt->user, attempt->mechanism);
	if (attempt->result != NULL)
		attempt_answer(attempt);
	else
		attempt_refuse_wrong(attempt);
}

/* As the user is now. */
static struct login_target attempt_target(const struct login_attempt *attempt)
{
	struct login_target target = {.exists = false};

	target.exists = access_password_of(attempt->logins->access, attempt->user,
					   &target.algorithm, target.hash, &target.serial);
	return target;
}

/* An address that may fail no more could guess here what others have: it is only let in with what
 * was right from there. */
static bool attempt_is_remembered(const struct login_attempt *attempt)
{
	const struct login_target *target = &attempt->target;
	const struct logins *logins = attempt->logins;
	uint64_t now_ms = logins->access->now_ms();
	bool may_fail = throttle_may(logins->throttle, &attempt->address, now_ms);

	return target->exists && target->hash[0] != '\0' &&
	       remembered_has(logins->remembered, &attempt->digest,
			      may_fail ? NULL : &attempt->address, target->serial, now_ms);
}

/* ---- Hashing ---- */

/* On a worker. One Argon2id, whatever there is to compare with. */
static void job_run(struct work *work)
{
	struct login_job *job = container_of(work, struct login_job, work);
	const struct login_target *target = &job->attempt->target;
	struct slice password = job->attempt->password;
	char unused[ACCESS_HASH_MAX];
	int hashed;

	if (target->hash[0] != '\0' && target->algorithm == PASSWORD_ARGON2ID) {
		job->result = password_verify(password, PASSWORD_ARGON2ID, target->hash);
		return;
	}
	job->result = target->hash[0] != '\0'
			      ? password_verify(password, target->algorithm, target->hash)
			      : 1;
	hashed = password_hash(password, PASSWORD_ARGON2ID,
			       job->result == 0 ? job->new_hash : unused);
	if (hashed != 0 && job->result != 0)
		job->result = hashed;
}

static void job_decide(struct login_attempt *attempt, int result)
{
	if (result == 0)
		attempt_accept(attempt);
	else if (result == 1)
		attempt_refuse_wrong(attempt);
	else
		attempt_refuse(attempt, "- the password could not be checked");
}

/* The user was changed meanwhile: what was found holds no longer. It waits once more. */
static void job_begin_anew(struct login_attempt *attempt)
{
	login_queue_leave(&attempt->logins->queue, &attempt->queued);
	login_consider(attempt);
}

/* The user may have changed since its answer was found. It counts as if it had been hashed. */
static void job_decide_twin(struct logins *logins, struct login_attempt *twin)
{
	if (attempt_target(twin).serial != twin->target.serial) {
		job_begin_anew(twin);
		return;
	}
	if (twin->result_of_twin == 1)
		(void)throttle_take(logins->throttle, &twin->address, logins->access->now_ms());
	job_decide(twin, twin->result_of_twin);
}

/* Some of those whose answer is known. How many. */
static unsigned login_decide_found(struct logins *logins, unsigned limit)
{
	unsigned n = 0;

	for (struct list *link; n < limit && (link = list_pop(&logins->found)) != NULL; n++)
		job_decide_twin(logins, container_of(link, struct login_attempt, twins));
	return n;
}

/* There may be very many of them: they are answered some at a time. */
static void job_tell_twins(struct logins *logins, struct list *twins, int result)
{
	struct list *link;

	list_for_each(link, twins)
		container_of(link, struct login_attempt, twins)->result_of_twin = result;
	list_splice_tail(&logins->found, twins);
}

static void job_found(struct login_job *job, struct login_attempt *attempt)
{
	struct logins *logins = job->logins;
	struct login_target now = attempt_target(attempt);
	uint64_t now_ms = logins->access->now_ms();
	struct list twins;

	list_init(&twins);
	list_splice_tail(&twins, &attempt->twins);
	if (job->result != 1)
		throttle_give_back(logins->throttle, &attempt->address, now_ms);
	if (now.serial != attempt->target.serial) {
		job_begin_anew(attempt);
		job_tell_twins(logins, &twins, job->result); /* who see it, too */
		return;
	}
	if (job->result == 0) {
		remembered_add(logins->remembered, &attempt->digest, &attempt->address, now.serial,
			       now_ms);
		if (job->new_hash[0] != '\0')
			rehash_begin(logins->access, logins->remembered, attempt->user,
				     &attempt->digest, &attempt->address, now.hash, job->new_hash);
	}
	job_decide(attempt, job->result);
	job_tell_twins(logins, &twins, job->result);
}

/* Back at home. */
static void job_done(struct work *work)
{
	struct login_job *job = container_of(work, struct login_job, work);
	struct login_attempt *attempt = job->attempt;

	job->attempt = NULL;
	job_found(job, attempt);
	explicit_bzero(job->new_hash, sizeof(job->new_hash));
	login_pump(job->logins);
}

static void job_begin(struct login_job *job, struct login_attempt *attempt)
{
	job->attempt = attempt;
	job->result = -ECANCELED;
	job->new_hash[0] = '\0';
	job->work.run = job_run;
	job->work.done = job_done;
	access_work(job->logins->access, &job->work);
}

/* ---- Whose turn it is ---- */

static struct login_job *login_free_job(struct logins *logins)
{
	for (unsigned i = 0; i < logins->access->n_workers && i < LOGINS_JOBS_MAX; i++)
		if (logins->jobs[i].attempt == NULL)
			return &logins->jobs[i];
	return NULL;
}

/* The one with the same password of the same user that is being hashed. */
static struct login_attempt *login_twin(struct logins *logins, const struct login_attempt *attempt)
{
	for (unsigned i = 0; i < LOGINS_JOBS_MAX; i++) {
		struct login_attempt *other = logins->jobs[i].attempt;

		if (other != NULL && other->target.serial == attempt->target.serial &&
		    remembered_digest_equal(&other->digest, &attempt->digest))
			return other;
	}
	return NULL;
}

static void login_refuse_throttled(struct login_attempt *attempt)
{
	attempt_refuse(attempt, "- too many failed logins from this address");
}

/* What can be said without hashing is said. True: the job has begun. */
static bool login_begin(struct login_job *job, struct login_attempt *attempt)
{
	struct logins *logins = job->logins;
	struct login_attempt *twin;

	if (atomic_load_explicit(&attempt->is_abandoned, memory_order_relaxed)) {
		attempt_answer(attempt);
		return false;
	}
	attempt->target = attempt_target(attempt); /* it may have waited long */
	if (attempt_is_remembered(attempt)) {
		attempt_accept(attempt);
		return false;
	}
	if (!throttle_may(logins->throttle, &attempt->address, logins->access->now_ms())) {
		login_refuse_throttled(attempt);
		return false;
	}
	twin = login_twin(logins, attempt);
	if (twin != NULL) {
		list_add_tail(&twin->twins, &attempt->twins);
		return false;
	}
	(void)throttle_take(logins->throttle, &attempt->address, logins->access->now_ms());
	job_begin(job, attempt);
	return true;
}

static void login_go_on(struct letter *letter)
{
	struct logins *logins = container_of(letter, struct logins, again);

	logins->is_to_go_on = false;
	login_pump(logins);
}

/* Many may wait for the same password, or for an address that may fail no more: those are answered
 * without hashing, some at a time. */
static void login_pump(struct logins *logins)
{
	unsigned n = login_decide_found(logins, logins->is_stopping ? UINT_MAX : LOGINS_AT_ONCE);
	struct login_job *job = login_free_job(logins);
	struct login_queued *queued;

	for (; job != NULL && !logins->is_stopping && n < LOGINS_AT_ONCE; n++) {
		queued = login_queue_take(&logins->queue);
		if (queued == NULL)
			break;
		if (login_begin(job, container_of(queued, struct login_attempt, queued)))
			job = login_free_job(logins);
	}
	if (n < LOGINS_AT_ONCE || logins->is_stopping || logins->is_to_go_on)
		return;
	logins->is_to_go_on = true;
	loop_post(LOGINS_HOME, &logins->again);
}

/* What is answered at once, and what waits. */
static void login_consider(struct login_attempt *attempt)
{
	struct logins *logins = attempt->logins;

	attempt->target = attempt_target(attempt);
	if (logins->is_stopping)
		job_decide(attempt, -ECANCELED);
	else if (attempt->is_proven)
		attempt_accept(attempt);
	else if (attempt->password.size == 0)
		attempt_refuse(attempt,
			       "attempted to log in with a blank password, which is prohibited");
	else if (remembered_digest_of(logins->remembered, attempt->user, attempt->password,
				      &attempt->digest) != 0)
		job_decide(attempt, -ENOMEM);
	else if (attempt_is_remembered(attempt))
		attempt_accept(attempt);
	else if (!throttle_may(logins->throttle, &attempt->address, logins->access->now_ms()))
		login_refuse_throttled(attempt);
	else if (!login_queue_add(&logins->queue, &attempt->address, &attempt->queued))
		attempt_refuse(attempt, "- too many logins wait to be checked");
}

static void attempt_arrive(struct letter *letter)
{
	struct login_attempt *attempt = container_of(letter, struct login_attempt, letter);
	struct logins *logins = attempt->logins;

	login_consider(attempt);
	login_pump(logins);
}

/* ---- The door ---- */

/* On the login's loop. The attempt is answered, or comes back and is freed, later. */
static void login_abandoned(struct access_login *login)
{
	struct login_attempt *attempt = login->asked;

	attempt->login = NULL;
	atomic_store_explicit(&attempt->is_abandoned, true, memory_order_relaxed);
}

static struct login_attempt *attempt_create(struct logins *logins, struct access_login *login)
{
	struct login_attempt *attempt =
		mem_try_zalloc(sizeof(*attempt) + login->user.size + login->password.size);
	uint8_t *bytes;

	if (attempt == NULL)
		return NULL;
	bytes = (uint8_t *)attempt->bytes;
	slice_copy(bytes, login->user);
	slice_copy(bytes + login->user.size, login->password);
	attempt->user = slice_make(bytes, login->user.size);
	attempt->password = slice_make(bytes + login->user.size, login->password.size);
	attempt->logins = logins;
	attempt->login = login;
	attempt->loop = loop_index(loop_self());
	attempt->is_loopback = login->peer->is_loopback;
	attempt->is_proven = login->is_proven;
	attempt->address = throttle_address_of(
		slice_make(login->peer->host.data, login->peer->host.size), attempt->is_loopback);
	attempt->address.is_exempt = login->is_local;
	snprintf(attempt->mechanism, sizeof(attempt->mechanism), "%s", login->mechanism);
	list_init(&attempt->queued.link);
	list_init(&attempt->twins);
	return attempt;
}

void logins_authenticate(struct access_policy *policy, struct access_login *login)
{
	struct logins *logins = container_of(policy, struct access, builtin)->logins;
	struct login_attempt *attempt = attempt_create(logins, login);

	if (attempt == NULL) {
		snprintf(login->reason, sizeof(login->reason), "out of memory");
		access_answer(login, ACCESS_DENY);
		return;
	}
	login->asked = attempt;
	login->abandoned = login_abandoned;
	attempt->letter.deliver = attempt_arrive;
	if (attempt->loop == LOGINS_HOME)
		attempt_arrive(&attempt->letter);
	else
		loop_post(LOGINS_HOME, &attempt->letter);
}

struct logins *logins_create(struct access *access)
{
	struct logins *logins = mem_zalloc(sizeof(*logins));

	logins->access = access;
	logins->remembered = remembered_create();
	logins->throttle = throttle_create();
	login_queue_init(&logins->queue);
	list_init(&logins->found);
	logins->again.deliver = login_go_on;
	for (unsigned i = 0; i < LOGINS_JOBS_MAX; i++)
		logins->jobs[i].logins = logins;
	return logins;
}

/* Nobody waits for an answer any more. */
void logins_stop(struct logins *logins)
{
	struct login_queued *queued;

	logins->is_stopping = true;
	(void)login_decide_found(logins, UINT_MAX);
	while ((queued = login_queue_take(&logins->queue)) != NULL)
		job_decide(container_of(queued, struct login_attempt, queued), -ECANCELED);
	if (loop_count() != 0)
		loop_pool_drain();
}

void logins_destroy(struct logins *logins)
{
	if (logins == NULL)
		return;
	login_queue_fini(&logins->queue);
	throttle_destroy(logins->throttle);
	remembered_destroy(logins->remembered);
	mem_free(logins);
}
