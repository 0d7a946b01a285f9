/* SPDX-License-Identifier: MIT */
/* Loops that ask all the time, while home changes what they ask about. */
#include <stdatomic.h>
#include <unistd.h>

#include "accounts_fixture.h"
#include "loop/mailbox.h"

#define ROUNDS	300 /* at least */
#define ENOUGH	20
#define LIMIT_S 60

struct asker {
	struct letter letter;
	struct loop_task task;
	struct access_user *user;
	_Atomic unsigned n_allowed, n_passwords, n_taken, n_wrong;
};

static struct asker askers[LOOPS];
static atomic_bool is_over;
static _Atomic unsigned n_asking;
/* In round N the queue "qN" may be read for a time: not before it has begun, not after it has ended. */
static _Atomic unsigned begun, ended;

static bool may_read(const struct asker *asker, unsigned queue)
{
	char name[16];
	const struct access_question question = {
		.user = asker->user,
		.operation = ACCESS_READ,
		.vhost = SLICE_LITERAL("/"),
		.name = slice_make(name, (size_t)snprintf(name, sizeof(name), "q%u", queue)),
	};

	return access_authorize(door, &question, NULL);
}

static void ask_permission(struct asker *asker)
{
	unsigned past = atomic_load(&ended), now = atomic_load(&begun), future = now + 1;

	asker->n_allowed += may_read(asker, now);
	asker->n_wrong += may_read(asker, past);
	if (may_read(asker, future) && atomic_load(&begun) < future)
		asker->n_wrong++;
}

static void ask_password(struct asker *asker)
{
	enum password_algorithm algorithm;
	char hash[ACCESS_HASH_MAX];
	uint64_t serial;

	if (!access_password_of(door, SLICE_LITERAL("u"), &algorithm, hash, &serial))
		return;
	asker->n_passwords++;
	/* both halves are of one edit */
	if (strlen(hash) != 8 || memcmp(hash, hash + 4, 4) != 0)
		asker->n_wrong++;
}

static void ask_limit(struct asker *asker)
{
	struct access_user *user = access_user_of_account(door, SLICE_LITERAL("u"), "PLAIN");
	int64_t limit;

	if (user == NULL)
		return;
	if (access_take_connection(door, user, &limit)) {
		asker->n_taken++;
		access_give_connection(door, user);
	}
	access_user_unref(user);
}

static void ask(struct loop_task *task)
{
	struct asker *asker = container_of(task, struct asker, task);

	for (unsigned i = 0; i < 10; i++) {
		ask_permission(asker);
		ask_password(asker);
		ask_limit(asker);
	}
	if (!atomic_load(&is_over))
		loop_defer_next(task);
	else if (atomic_fetch_sub(&n_asking, 1) == 1)
		loop_pool_stop();
}

static void begin_asking(struct letter *letter)
{
	struct asker *asker = container_of(letter, struct asker, letter);

	asker->user = access_user_create(SLICE_LITERAL("u"), "", "PLAIN");
	loop_task_init(&asker->task, ask);
	loop_defer_next(&asker->task);
}

/* ---- Home: four lists of edits a round, the next one when the one before is done ---- */

static struct access_edits edits;
static struct access_edit items[2];
static char pattern[32], hash[16];
static unsigned n_failed, n_steps;

static bool all_have_seen_enough(void)
{
	for (unsigned i = 1; i < LOOPS; i++)
		if (askers[i].n_allowed < ENOUGH || askers[i].n_passwords < ENOUGH || askers[i].n_taken < ENOUGH)
			return false;
	return true;
}

static void begin_round(unsigned round)
{
	(void)snprintf(hash, sizeof(hash), "%04u%04u", round % 10000, round % 10000);
	(void)snprintf(pattern, sizeof(pattern), "^q%u$", round);
	items[0] = user_edit(ACCESS_PUT_USER, "u");
	items[0].account.password_hash = slice_cstr(hash);
	items[0].account.max_connections = round % 2;
	items[1] = permission_edit("/", "u", "", "", pattern);
	atomic_store(&begun, round);
}

static void end_round(unsigned round)
{
	items[0] = clear_edit("/", "u");
	items[1] = user_edit(round % 3 == 0 ? ACCESS_DELETE_USER : ACCESS_SET_TAGS, "u");
}

static void next_step(struct access_edits *done)
{
	unsigned round = n_steps / 4 + 1, step = n_steps % 4;

	n_failed += done->result != 0;
	n_steps++;
	if (step == 0)
		atomic_store(&ended, round - 1);
	if (step == 0 && round > ROUNDS && all_have_seen_enough()) {
		atomic_store(&is_over, true);
		return;
	}
	if (step == 0) {
		begin_round(round);
	} else if (step == 1) {
		items[0] = user_edit(ACCESS_ADD_USER, "beside");
		items[1] = topic_edit("/", "beside", "t", pattern, "");
	} else if (step == 2) {
		items[0] = user_edit(ACCESS_DELETE_USER, "beside");
		items[1] = user_edit(ACCESS_SET_TAGS, "guest");
	} else {
		end_round(round);
	}
	edits.n = 2;
	access_edit(door, &edits);
}

static void loops_ask_while_home_changes(void)
{
	(void)alarm(LIMIT_S);
	scene_begin();
	memset(askers, 0, sizeof(askers));
	atomic_store(&n_asking, LOOPS - 1);
	for (unsigned i = 1; i < LOOPS; i++) {
		askers[i].letter.deliver = begin_asking;
		loop_post(i, &askers[i].letter);
	}
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	edits = (struct access_edits){ .items = items, .done = next_step };
	access_edit(door, &edits); /* of nothing: then the first step is taken */
	loop_run();
	(void)alarm(0);
	CU_ASSERT_EQUAL(n_failed, 0);
	for (unsigned i = 1; i < LOOPS; i++) {
		CU_ASSERT_EQUAL(askers[i].n_wrong, 0);
		access_user_unref(askers[i].user);
	}
	scene_end();
}

UNIT_MAIN("accounts_threads", UNIT_TEST(loops_ask_while_home_changes))
