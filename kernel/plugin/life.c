/* SPDX-License-Identifier: MIT */
/*
 * From being in force to being gone.
 *
 * Closing: the plugin is taken out of where loops look for policies and hooks; a grace period later
 * no loop is inside one. Then the plugin's own hold is given up. Whoever gives back the last one
 * does not count it down but sends it home as a letter: so nobody looks at the plugin after having
 * given back what it held, and there is one such letter. Should somebody hold the plugin anew
 * meanwhile (its own threads may post until stop() has ended them), the letter is a hold like any,
 * to be given back. If it is the only one, stop() is called. What was posted until then is still to
 * come home, where it is dropped; so the letter goes round once more before the file is closed.
 */
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "conn/hooks/hooks.h"
#include "loop/loop.h"
#include "plugin/plugin.h"
#include "plugin/script.h"

#define MINOR_OF_ACTIVATE 3 /* of the ABI: what is older has not got it */

const char *plugin_phase_name(enum plugin_phase phase)
{
	static const char *const names[] = {
		[PLUGIN_STARTING] = "starting", [PLUGIN_STAGED] = "staged",
		[PLUGIN_ACTIVE] = "active",	[PLUGIN_LEAVING] = "leaving",
		[PLUGIN_STOPPED] = "stopped",
	};

	return names[phase];
}

void plugins_post_home(struct letter *letter)
{
	if (loop_self() != NULL)
		loop_post(0, letter);
	else if (loop_count() != 0)
		loop_post_outside(0, letter);
	else
		letter->deliver(letter);
}

/* ---- Holding ---- */

void plugin_hold(struct plugin *plugin)
{
	atomic_fetch_add_explicit(&plugin->holds, 1, memory_order_relaxed);
}

/* What was done while holding comes before what is done when nobody holds any more. */
void plugin_release(struct plugin *plugin)
{
	uint64_t holds = atomic_load_explicit(&plugin->holds, memory_order_acquire);

	while (holds > 1)
		if (atomic_compare_exchange_weak_explicit(&plugin->holds, &holds, holds - 1,
							  memory_order_acq_rel,
							  memory_order_acquire))
			return;
	plugins_post_home(&plugin->unheld);
}

/* ---- In force or not ---- */

/* replaced: those of it go, and these take their place. NULL: none do. */
static void put_hooks_in_force(struct plugin *plugin, const struct plugin *replaced)
{
	struct hooks *hooks = plugin->plugins->config.hooks;
	size_t n = plugin->staged.n_hooks;
	struct hook *in_force;

	if (hooks == NULL)
		return;
	in_force = mem_alloc((n + 1) * sizeof(*in_force));
	for (size_t i = 0; i < n; i++)
		in_force[i] = (struct hook){.functions = &plugin->staged.hooks[i]->own,
					    .plugin = plugin->state,
					    .owner = plugin,
					    .rank = plugin->rank};
	hooks_replace(hooks, replaced, in_force, n);
	mem_free(in_force);
}

static void take_hooks_out(const struct plugin *plugin)
{
	if (plugin->plugins->config.hooks != NULL)
		hooks_replace(plugin->plugins->config.hooks, plugin, NULL, 0);
}

static void take_out(struct plugin *plugin)
{
	plugin_stop_timers(plugin);
	take_hooks_out(plugin);
	plugin->phase = PLUGIN_LEAVING;
	list_remove(&plugin->link);
	list_add_tail(&plugin->plugins->leaving, &plugin->link);
}

/* Before anything else of it is called. */
static void call_activate(struct plugin *plugin)
{
	bool has_it = plugin->self.abi_minor >= MINOR_OF_ACTIVATE && plugin->self.activate != NULL;

	if (has_it && !plugin->plugins->config.only_looks)
		plugin->self.activate(plugin->state);
}

void plugin_activate(struct plugin *plugin, struct plugin *replaced)
{
	struct list *before = &plugin->plugins->active;

	bug_on(plugin->phase != PLUGIN_STAGED);
	bug_on(replaced != NULL && replaced->phase != PLUGIN_ACTIVE);
	plugin->rank = replaced != NULL ? replaced->rank : ++plugin->plugins->last_rank;
	plugin->phase = PLUGIN_ACTIVE;
	plugin->replaces = NULL;
	if (replaced != NULL)
		before = &replaced->link;
	list_remove(&plugin->link);
	list_add_tail(before, &plugin->link);
	call_activate(plugin);
	put_hooks_in_force(plugin, replaced);
	plugins_change_policies(plugin->plugins, replaced, plugin);
	if (replaced != NULL)
		take_out(replaced);
	plugin_start_timers(plugin);
}

void plugin_deactivate(struct plugin *plugin)
{
	if (plugin->phase != PLUGIN_ACTIVE)
		return;
	plugins_change_policies(plugin->plugins, plugin, NULL);
	take_out(plugin);
}

/* ---- Closing ---- */

static void call_stop(struct plugin *plugin)
{
	plugin->phase = PLUGIN_STOPPED;
	if (plugin->self.stop != NULL)
		plugin->self.stop(plugin->state);
}

/* Without the file. */
static void plugin_free(struct plugin *plugin)
{
	void (*closed)(void *context) = plugin->closed;
	void *context = plugin->closed_context;

	list_remove(&plugin->link);
	plugin_free_timers(plugin);
	plugin_staged_fini(&plugin->staged);
	if (plugin->script != NULL)
		script_fini(plugin);
	setting_list_unref(plugin->settings);
	mem_free(plugin->name);
	mem_free(plugin);
	if (closed != NULL)
		closed(context);
}

/* On the helper's thread: closing a file may wait for the disk. */
static void close_file(struct helper_job *job)
{
	struct plugin *plugin = container_of(job, struct plugin, closing);

	if (plugin->script != NULL)
		script_close(plugin);
	plugin_file_close(&plugin->file);
}

static void file_closed(struct helper_job *job)
{
	struct plugin *plugin = container_of(job, struct plugin, closing);

	plugin_free(plugin);
}

static void plugin_close(struct plugin *plugin)
{
	plugin->closing = (struct helper_job){.run = close_file, .done = file_closed};
	plugins_help(plugin->plugins, PLUGIN_HELP_FILES, &plugin->closing);
}

static void plugin_unheld(struct letter *letter)
{
	struct plugin *plugin = container_of(letter, struct plugin, unheld);

	if (atomic_load_explicit(&plugin->holds, memory_order_acquire) != 1) {
		plugin_release(plugin);
		return;
	}
	if (plugin->phase != PLUGIN_STOPPED) {
		call_stop(plugin);
		plugin_release(plugin);
	} else {
		plugin_close(plugin);
	}
}

static void grace_is_over(struct loop_grace *grace)
{
	plugin_release(container_of(grace, struct plugin, grace));
}

void plugin_close_later(struct plugin *plugin, void (*closed)(void *context), void *context)
{
	bug_on(plugin->phase == PLUGIN_ACTIVE || plugin->phase == PLUGIN_STARTING);
	if (plugin->phase == PLUGIN_STAGED)
		take_out(plugin);
	plugin->closed = closed;
	plugin->closed_context = context;
	plugin->is_closing = true;
	loop_grace_begin(&plugin->grace, grace_is_over);
}

void plugin_abandon(struct plugin *plugin)
{
	plugin->phase = PLUGIN_STOPPED;
	plugin->is_closing = true;
	list_remove(&plugin->link);
	list_add_tail(&plugin->plugins->leaving, &plugin->link);
	if (atomic_load_explicit(&plugin->holds, memory_order_acquire) == 1)
		plugin_close(plugin);
	else
		plugin_release(plugin);
}

void plugin_life_init(struct plugin *plugin)
{
	atomic_init(&plugin->holds, 1);
	plugin->unheld.deliver = plugin_unheld;
	plugin->phase = PLUGIN_STARTING;
}

/* ---- The end ---- */

static void drain(void)
{
	if (loop_self() != NULL)
		loop_pool_drain();
}

static bool is_leaving(const struct plugins *plugins, const struct plugin *plugin)
{
	struct list *pos;

	list_for_each(pos, &plugins->leaving)
		if (pos == &plugin->link)
			return true;
	return false;
}

void plugin_end(struct plugin *plugin)
{
	struct plugins *plugins = plugin->plugins;

	plugin_deactivate(plugin);
	drain();
	plugin_cut_calls(plugin);
	if (!plugin->is_closing) {
		plugin->is_closing = true;
		if (plugin->phase != PLUGIN_LEAVING)
			take_out(plugin);
		plugin_release(plugin);
	}
	drain();
	if (!is_leaving(plugins, plugin))
		return;
	/* Something is pending that never came to an end. */
	if (plugin->phase != PLUGIN_STOPPED)
		call_stop(plugin);
	drain();
	if (!is_leaving(plugins, plugin))
		return;
	log_warning("plugin", "left open, as something of it is pending: name=%s count=%llu",
		    plugin->name, (unsigned long long)atomic_load(&plugin->holds));
	list_remove(&plugin->link);
}
