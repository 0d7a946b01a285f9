/* SPDX-License-Identifier: MIT */
/* From being opened to being closed, while loops turn. */
#include "living.h"

#include <pthread.h>

static void staged_is_not_in_force(void)
{
	struct plugin *plugin;

	world_begin();
	plugin = open_staged(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plugin);
	CU_ASSERT_EQUAL(notes.n_started, 1);
	CU_ASSERT_PTR_NULL(plugins_find(plugins, "actor"));
	CU_ASSERT_FALSE(access_has_policies(door));
	CU_ASSERT_STRING_EQUAL(plugin_phase_name(plugin->phase), "staged");
	CU_ASSERT_EQUAL(plugin->staged.n_policies, 1);
	CU_ASSERT_EQUAL(plugin->staged.n_commands, 1);
	CU_ASSERT_EQUAL(plugin->staged.n_metrics, 2);
	CU_ASSERT_EQUAL(plugin->staged.n_types, 0);
	plugin_activate(plugin, NULL);
	CU_ASSERT_PTR_EQUAL(plugins_find(plugins, "actor"), plugin);
	CU_ASSERT_TRUE(access_has_policies(door));
	plugin_deactivate(plugin);
	CU_ASSERT_PTR_NULL(plugins_find(plugins, "actor"));
	CU_ASSERT_FALSE(access_has_policies(door));
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
}

static void staged_can_be_closed(void)
{
	world_begin();
	plugin_close_later(open_staged(NULL), closed, NULL);
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(copies_count(), 0);
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
}

/* What is held is closed when nobody holds it any more, and no earlier. */
static void *release_on_a_thread(void *plugin)
{
	plugin_release(plugin);
	return NULL;
}

static void held(void)
{
	struct plugin *plugin;
	pthread_t thread;

	world_begin();
	plugin = active();
	plugin_hold(plugin);
	plugin_hold(plugin);
	plugin_deactivate(plugin);
	plugin_close_later(plugin, closed, NULL);
	loop_pool_drain();
	plugin_release(plugin);
	loop_pool_drain();
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, release_on_a_thread, plugin), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_join(thread, NULL), 0);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	world_end();
}

/* Each loop has to end a turn before stop(). */
static void closing_waits_for_a_grace_period(void)
{
	struct plugin *plugin;

	world_begin();
	plugin = active();
	plugin_deactivate(plugin);
	plugin_close_later(plugin, closed, NULL);
	for (int i = 0; i < 10; i++)
		loop_run_once(false); /* loop 1 does not turn */
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	world_end();
}

/* stop() is the last that is called of it. */
static void posted_before_and_after_stop(void)
{
	struct plugin *plugin;

	world_begin();
	notes.posts_in_start = notes.posts_in_stop = true;
	plugin = active();
	plugin_deactivate(plugin);
	plugin_close_later(plugin, closed, NULL);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_posted, 1);
	world_end();
	CU_ASSERT_EQUAL(notes.n_posted, 1);
}

static void the_end_of_the_broker(void)
{
	world_begin();
	notes.posts_in_start = notes.posts_in_stop = true;
	(void)active();
	CU_ASSERT_EQUAL(copies_count(), 1);
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(notes.n_posted, 1);
}

static void the_end_of_the_broker_while_closing(void)
{
	struct plugin *plugin;

	world_begin();
	plugin = active();
	plugin_deactivate(plugin);
	plugin_close_later(plugin, closed, NULL);
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(n_closed, 1);
}

/* Nothing that it has posted is called any more; nor is stop(). */
static void start_that_fails(void)
{
	world_begin();
	notes.fails = notes.posts_in_start = true;
	CU_ASSERT_PTR_NULL(open_staged(NULL));
	ASSERT_TEXT(reason, "it does not start: it does not say why");
	UNTIL(copies_count() == 0);
	CU_ASSERT_EQUAL(notes.n_posted, 0);
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	world_end();
}

/* ---- Another version ---- */

static void replaced(void)
{
	struct plugin *old, *new;

	world_begin();
	old = active();
	CU_ASSERT_PTR_NULL(open_staged(NULL));
	ASSERT_TEXT(reason, "a plugin named 'actor' is loaded already");
	new = open_staged(old);
	CU_ASSERT_PTR_NOT_NULL_FATAL(new);
	CU_ASSERT_PTR_NOT_EQUAL(old->file.object, new->file.object);
	CU_ASSERT_STRING_NOT_EQUAL(old->file.copy, new->file.copy);
	CU_ASSERT_PTR_EQUAL(plugins_find(plugins, "actor"), old);
	plugin_activate(new, old);
	CU_ASSERT_PTR_EQUAL(plugins_find(plugins, "actor"), new);
	CU_ASSERT_EQUAL(new->rank, old->rank);
	plugin_close_later(old, closed, NULL);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_started, 2);
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_TRUE(access_has_policies(door));
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 2);
}

static void replaced_by_another_plugin(void)
{
	struct plugin *old, *new = NULL;

	world_begin();
	old = active();
	CU_ASSERT_EQUAL(plugins_open_staged(plugins, &(struct plugin_open){ .name_or_path = "probe", .replaces = old }, &new, reason, sizeof(reason)),
			-1);
	ASSERT_TEXT(reason, "it is plugin 'probe', not 'actor'");
	world_end();
}

/* ---- Opened on another thread ---- */

static struct plugin *opened;
static unsigned n_opened;

static void note_opened(void *context, struct plugin *plugin, const char *why)
{
	(void)context;
	opened = plugin;
	n_opened++;
	(void)snprintf(reason, sizeof(reason), "%s", why != NULL ? why : "");
}

static void open_later(const char *name)
{
	n_opened = 0;
	plugins_open_staged_later(plugins, &(struct plugin_open){ .name_or_path = name, .replaces = NULL }, note_opened, NULL);
}

static void opened_later(void)
{
	world_begin();
	open_later("actor");
	CU_ASSERT_EQUAL(n_opened, 0);
	CU_ASSERT_EQUAL(notes.n_started, 0);
	UNTIL(n_opened == 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(opened);
	CU_ASSERT_EQUAL(notes.n_started, 1);
	plugin_activate(opened, NULL);
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
}

static void refused_later(void)
{
	world_begin();
	open_later("no_such");
	UNTIL(n_opened == 1);
	CU_ASSERT_PTR_NULL(opened);
	ASSERT_TEXT(reason, MODULE("no_such") ": cannot open shared object file: No such file or directory");
	open_later("bad_magic");
	UNTIL(n_opened == 1);
	CU_ASSERT_PTR_NULL(opened);
	ASSERT_TEXT(reason, "shunt_plugin has the magic number 0x00c0ffee, not 0x544e4853");
	world_end();
}

/* It is not started any more. */
static void opened_while_the_broker_ends(void)
{
	world_begin();
	open_later("actor");
	loop_pool_stop();
	world_end();
	CU_ASSERT_EQUAL(n_opened, 1);
	CU_ASSERT_PTR_NULL(opened);
	ASSERT_TEXT(reason, "the broker is stopping");
	CU_ASSERT_EQUAL(notes.n_started, 0);
}

/* ---- Timers ---- */

static void count(void *n)
{
	(*(unsigned *)n)++;
}

static void timers_fire_while_it_is_in_force(void)
{
	struct plugin *plugin;
	unsigned before;

	world_begin();
	plugin = open_staged(NULL);
	plugin_activate(plugin, NULL);
	UNTIL(notes.n_fired >= 3);
	plugin_deactivate(plugin);
	before = notes.n_fired;
	notes.host->timer_start(notes.host, notes.timer, 0, 0);
	plugin_close_later(plugin, closed, NULL);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_fired, before);
	world_end();
}

static void timers_that_are_stopped_and_freed(void)
{
	unsigned n = 0;
	struct shunt_timer *once, *never;

	world_begin();
	(void)active();
	notes.host->timer_stop(notes.host, notes.timer);
	once = notes.host->timer_create(notes.host, count, &n);
	never = notes.host->timer_create(notes.host, count, &n);
	CU_ASSERT_TRUE_FATAL(once != NULL && never != NULL);
	notes.host->timer_start(notes.host, never, 1, 0);
	notes.host->timer_start(notes.host, once, 1, 1);
	notes.host->timer_start(notes.host, once, 2, 0); /* forgets the former start */
	notes.host->timer_free(notes.host, never);
	notes.host->timer_free(notes.host, NULL);
	UNTIL(n == 1);
	notes.host->timer_start(notes.host, once, 1, 0);
	UNTIL(n == 2);
	CU_ASSERT_EQUAL(notes.n_fired, 0);
	world_end();
	CU_ASSERT_EQUAL(n, 2);
}

UNIT_MAIN("life", UNIT_TEST(staged_is_not_in_force), UNIT_TEST(staged_can_be_closed), UNIT_TEST(held),
	  UNIT_TEST(closing_waits_for_a_grace_period), UNIT_TEST(posted_before_and_after_stop),
	  UNIT_TEST(the_end_of_the_broker), UNIT_TEST(the_end_of_the_broker_while_closing), UNIT_TEST(start_that_fails),
	  UNIT_TEST(replaced), UNIT_TEST(replaced_by_another_plugin), UNIT_TEST(opened_later), UNIT_TEST(refused_later),
	  UNIT_TEST(opened_while_the_broker_ends), UNIT_TEST(timers_fire_while_it_is_in_force),
	  UNIT_TEST(timers_that_are_stopped_and_freed))
