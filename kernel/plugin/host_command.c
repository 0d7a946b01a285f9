/* SPDX-License-Identifier: MIT */
/*
 * Commands of plugins.
 *
 * What a plugin prints, from any thread, is gathered in the call under the lock of the table of
 * calls; a letter tells home to look. So the order is that of the plugin's calls, whichever threads
 * they come from, and there is one letter at most. The end is noted in the same way, and takes the
 * call out of the table, so that nobody finds it again.
 */
#include "plugin/command.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "plugin/host.h"
#include "plugin/plugin.h"

struct plugin_call {
	struct pending_item item;
	struct letter letter;
	struct plugin *plugin; /* held */

	/* under the lock */
	struct buffer text;
	bool is_posted; /* the letter is under way */
	bool is_done;
	bool is_abandoned; /* nobody waits; out of the table */
	bool has_failed;
	char error[256];

	struct plugin_caller caller; /* home's */
};

static struct pending *calls_of(const struct plugin *plugin)
{
	return &plugin->plugins->calls;
}

static void call_free(struct plugin_call *call)
{
	struct plugin *plugin = call->plugin;

	buffer_fini(&call->text);
	mem_free(call);
	plugin_release(plugin);
}

static const char *call_error(const struct plugin_call *call, bool is_cut)
{
	if (call->has_failed)
		return call->error;
	return is_cut ? "out of memory" : NULL;
}

static void call_look(struct letter *letter)
{
	struct plugin_call *call = container_of(letter, struct plugin_call, letter);
	struct pending *calls = calls_of(call->plugin);
	bool is_abandoned, is_done;
	struct buffer text;

	pending_lock(calls);
	text = call->text;
	buffer_init(&call->text);
	call->text.failed = text.failed;
	call->is_posted = false;
	is_abandoned = call->is_abandoned;
	is_done = call->is_done;
	pending_unlock(calls);

	if (!is_abandoned && text.size != 0)
		call->caller.print(call->caller.context, buffer_slice(&text));
	buffer_fini(&text);
	if (!is_abandoned && is_done)
		call->caller.done(call->caller.context, call_error(call, call->text.failed));
	if (is_abandoned || is_done)
		call_free(call);
}

/* With the lock held; true if the letter is to be posted. */
static bool call_to_post(struct plugin_call *call)
{
	bool posts = !call->is_posted;

	call->is_posted = true;
	return posts;
}

/* ---- For plugins ---- */

static void host_call_print(const struct shunt_host *host, uint64_t id, struct shunt_bytes text)
{
	struct plugin *plugin = plugin_of_host(host);
	struct pending *calls = calls_of(plugin);
	struct pending_item *item;
	struct plugin_call *call = NULL;
	bool posts = false;

	pending_lock(calls);
	item = pending_find(calls, id, plugin);
	if (item != NULL) {
		call = container_of(item, struct plugin_call, item);
		buffer_append_slice(&call->text, slice_make(text.data, text.size));
		posts = call_to_post(call);
	}
	pending_unlock(calls);
	if (posts)
		plugins_post_home(&call->letter);
}

static void host_call_done(const struct shunt_host *host, uint64_t id, const char *error)
{
	struct plugin *plugin = plugin_of_host(host);
	struct pending *calls = calls_of(plugin);
	struct pending_item *item;
	struct plugin_call *call = NULL;
	bool posts = false;

	pending_lock(calls);
	item = pending_find(calls, id, plugin);
	if (item != NULL) {
		pending_remove(calls, item);
		call = container_of(item, struct plugin_call, item);
		call->is_done = true;
		call->has_failed = error != NULL;
		snprintf(call->error, sizeof(call->error), "%s", error != NULL ? error : "");
		posts = call_to_post(call);
	}
	pending_unlock(calls);
	if (posts)
		plugins_post_home(&call->letter);
}

/* ---- For who calls ---- */

static const struct shunt_command *command_of(const struct plugin *plugin, const char *name)
{
	for (size_t i = 0; i < plugin->staged.n_commands; i++)
		if (strcmp(plugin->staged.commands[i].name, name) == 0)
			return &plugin->staged.commands[i];
	return NULL;
}

struct plugin_call *plugins_call(struct plugins *plugins, const struct plugin_call_request *request,
				 const struct plugin_caller *caller, char *ret_reason, size_t size)
{
	struct plugin *plugin = plugins_find(plugins, request->plugin);
	const struct shunt_command *command =
		plugin != NULL ? command_of(plugin, request->command) : NULL;
	struct shunt_call view = {
		.size = sizeof(view),
		.argument_count = request->n_arguments,
		.arguments = request->arguments,
	};
	struct plugin_call *call;

	if (plugin == NULL)
		(void)plugin_refuse(ret_reason, size, "no plugin '%s' is loaded", request->plugin);
	else if (command == NULL)
		(void)plugin_refuse(ret_reason, size, "plugin '%s' has no command '%s'",
				    request->plugin, request->command);
	if (command == NULL)
		return NULL;
	call = mem_zalloc(sizeof(*call));
	call->letter.deliver = call_look;
	call->plugin = plugin;
	call->caller = *caller;
	buffer_init(&call->text);
	plugin_hold(plugin);
	pending_add(&plugins->calls, &call->item, plugin);
	view.id = call->item.id;
	command->run(plugin->state, &view);
	return call;
}

void plugin_call_abandon(struct plugin_call *call)
{
	struct pending *calls = calls_of(call->plugin);
	bool is_posted;

	pending_lock(calls);
	call->is_abandoned = true;
	if (!call->is_done)
		pending_remove(calls, &call->item);
	is_posted = call->is_posted;
	pending_unlock(calls);
	if (!is_posted)
		call_free(call);
}

/* Nothing runs any more, and no letter is under way. */
void plugin_cut_calls(struct plugin *plugin)
{
	struct pending *calls = calls_of(plugin);
	struct pending_item *item;

	for (;;) {
		pending_lock(calls);
		item = pending_any_of(calls, plugin);
		if (item != NULL)
			pending_remove(calls, item);
		pending_unlock(calls);
		if (item == NULL)
			return;

		struct plugin_call *call = container_of(item, struct plugin_call, item);

		call->caller.done(call->caller.context, "the broker has stopped");
		call_free(call);
	}
}

void host_offer_commands(struct shunt_host *host)
{
	host->call_print = host_call_print;
	host->call_done = host_call_done;
}
