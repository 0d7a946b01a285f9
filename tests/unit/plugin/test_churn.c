/* SPDX-License-Identifier: MIT */
/* One version of a plugin after the other, while another loop asks its policy all the time. */
#include "living.h"

#include <stdatomic.h>

#define VERSIONS 60 /* at least, and as many logins: neither waits for the other */

/* ---- Loop 1: who asks ---- */

static const struct shunt_peer peer = { .size = sizeof(peer) };

static struct asker {
	struct letter letter;
	struct loop_task task;
	struct access_login login;
	bool is_pending;
	unsigned n_logins, n_let_in, n_asked, n_refused;
	atomic_uint n_over; /* logins; home looks at it */
} asker;
static atomic_bool is_over;

static void next_version(void *unused);

static void begin_changing(struct letter *letter)
{
	(void)letter;
	next_version(NULL);
}

/* The first one is hashed, which takes longer; versions come and go beside those that are remembered. */
static void login_done(struct access_login *login)
{
	static struct letter first = { .deliver = begin_changing };

	if (asker.n_logins == 1)
		loop_post(0, &first);
	asker.n_let_in += login->result != NULL;
	asker.is_pending = false;
	atomic_fetch_add(&asker.n_over, 1);
	access_user_unref(login->result);
}

static void log_in(void)
{
	asker.is_pending = true;
	asker.n_logins++;
	asker.login = (struct access_login){
		.user = SLICE_LITERAL("guest"),
		.password = SLICE_LITERAL("guest"),
		.mechanism = "PLAIN",
		.peer = &peer,
		.done = login_done,
	};
	access_authenticate(door, &asker.login);
}

static void ask(struct loop_task *task)
{
	static char name[] = "guest", tags[] = "";
	struct access_user user = { .refs = 1, .name = name, .tags = tags };
	const struct access_question question = {
		.user = &user,
		.operation = ACCESS_CONFIGURE,
		.resource = ACCESS_RESOURCE_QUEUE,
		.vhost = SLICE_LITERAL("/"),
		.name = SLICE_LITERAL("q"),
		.peer = &peer,
	};

	for (int i = 0; i < 20; i++, asker.n_asked++)
		asker.n_refused += !access_authorize(door, &question, NULL);
	if (asker.is_pending || !atomic_load(&is_over)) {
		if (!asker.is_pending)
			log_in();
		loop_defer_next(task);
	} else {
		loop_pool_stop();
	}
}

static void begin_asking(struct letter *letter)
{
	(void)letter;
	loop_task_init(&asker.task, ask);
	loop_defer_next(&asker.task);
}

/* ---- Home: versions ---- */

static unsigned n_versions; /* that took the place of another */

static void next_version(void *unused)
{
	struct plugin *old = plugins_find(plugins, "actor"), *new;

	(void)unused;
	if (n_versions >= VERSIONS && atomic_load(&asker.n_over) > VERSIONS) {
		atomic_store(&is_over, true);
		return;
	}
	n_versions++;
	new = open_staged(old);
	CU_ASSERT_PTR_NOT_NULL_FATAL(new);
	plugin_activate(new, old);
	plugin_close_later(old, next_version, NULL);
}

static void versions_come_and_go(void)
{
	world_begin();
	memset(&asker, 0, sizeof(asker));
	atomic_store(&is_over, false);
	n_versions = 0;
	notes.verdict = SHUNT_NEXT;
	notes.passes_logins_on = true;
	(void)active();
	asker.letter.deliver = begin_asking;
	loop_post(1, &asker.letter);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	CU_ASSERT_TRUE(n_versions >= VERSIONS);
	CU_ASSERT_EQUAL(notes.n_started, n_versions + 1);
	CU_ASSERT_EQUAL(notes.n_stopped, n_versions);
	CU_ASSERT_TRUE(asker.n_logins > VERSIONS);
	/* never without a policy, and never passed on to nobody */
	CU_ASSERT_EQUAL(asker.n_let_in, asker.n_logins);
	CU_ASSERT_EQUAL(notes.n_logins, asker.n_logins);
	CU_ASSERT_EQUAL(notes.n_questions, asker.n_asked);
	CU_ASSERT_EQUAL(asker.n_refused, 0);
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, n_versions + 1);
}

UNIT_MAIN("churn", UNIT_TEST(versions_come_and_go))
