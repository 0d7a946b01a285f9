/* SPDX-License-Identifier: MIT */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* This version's. */
static const struct shunt_host *actor_host;
static struct shunt_counter *actor_events;

static void copy(char *to, size_t room, struct shunt_bytes from)
{
	size_t n = from.size < room - 1 ? from.size : room - 1;

	memcpy(to, from.data, n);
	to[n] = '\0';
}

static void actor_posted(void *context)
{
	((struct actor_notes *)context)->n_posted++;
}

static void actor_fired(void *context)
{
	((struct actor_notes *)context)->n_fired++;
}

static void actor_authenticate(void *plugin, const struct shunt_login *login)
{
	struct actor_notes *notes = plugin;

	notes->n_logins++;
	actor_host->counter_add(actor_host, actor_events, 1);
	if (notes->passes_logins_on) {
		actor_host->login_done(actor_host, login->id, SHUNT_NEXT, NULL, NULL, NULL);
		return;
	}
	notes->login = login->id;
	notes->peer_is_loopback = login->peer->is_loopback;
	copy(notes->user, sizeof(notes->user), login->user);
	copy(notes->password, sizeof(notes->password), login->password);
	copy(notes->mechanism, sizeof(notes->mechanism), login->mechanism);
	copy(notes->peer, sizeof(notes->peer), login->peer->host);
}

#define TEXT(bytes) (int)(bytes).size, (bytes).size != 0 ? (const char *)(bytes).data : ""

static enum shunt_verdict actor_decide(void *plugin, const struct shunt_question *question,
				       struct shunt_answer *answer)
{
	struct actor_notes *notes = plugin;

	notes->n_questions++;
	snprintf(notes->question, sizeof(notes->question), "%d %d %.*s %.*s %.*s %.*s %zu", (int)question->operation,
		 (int)question->resource, TEXT(question->user), TEXT(question->tags), TEXT(question->vhost),
		 TEXT(question->name), question->arguments.size);
	if (notes->remember_ms != 0)
		answer->remember_ms = notes->remember_ms;
	if (notes->reason != NULL)
		snprintf(answer->reason, sizeof(answer->reason), "%s", notes->reason);
	if (notes->fills_reason)
		memset(answer->reason, 'x', sizeof(answer->reason));
	return notes->verdict;
}

static void actor_run(void *plugin, const struct shunt_call *call)
{
	struct actor_notes *notes = plugin;
	size_t n = 0;

	notes->n_calls++;
	notes->call = call->id;
	for (size_t i = 0; i < call->argument_count; i++)
		n += (size_t)snprintf(notes->arguments + n, sizeof(notes->arguments) - n, "[%.*s]",
				      TEXT(call->arguments[i]));
}

static int64_t actor_level(void *plugin)
{
	return -(int64_t)((struct actor_notes *)plugin)->n_started;
}

static const struct shunt_access_policy actor_policy = {
	.size = sizeof(actor_policy),
	.name = "actor",
	.authenticate = actor_authenticate,
	.decide = actor_decide,
};
static const struct shunt_command actor_command = {
	.size = sizeof(actor_command), .name = "act", .help = "acts", .run = actor_run
};
static const struct shunt_metric actor_counter = {
	.size = sizeof(actor_counter), .name = "events", .help = "what has happened"
};
static const struct shunt_metric actor_gauge = { .size = sizeof(actor_gauge), .name = "level", .read = actor_level };

static int actor_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	struct actor_notes *notes = (struct actor_notes *)(uintptr_t)strtoull(host->config(host, "notes"), NULL, 10);

	*ret_plugin = notes;
	actor_host = notes->host = host;
	notes->n_started++;
	if (notes->posts_in_start)
		host->post(host, actor_posted, notes);
	notes->timer = host->timer_create(host, actor_fired, notes);
	host->timer_start(host, notes->timer, 1, 1);
	if (notes->fails)
		return -1;
	if (host->register_access_policy(host, &actor_policy, error) != 0 ||
	    host->register_command(host, &actor_command, error) != 0 ||
	    host->register_metric(host, &actor_counter, &actor_events, error) != 0)
		return -1;
	notes->events = actor_events;
	return host->register_metric(host, &actor_gauge, NULL, error);
}

static void actor_stop(void *plugin)
{
	struct actor_notes *notes = plugin;

	notes->n_stopped++;
	if (notes->posts_in_stop)
		notes->host->post(notes->host, actor_posted, notes);
	if (notes->stopping != NULL)
		notes->stopping(notes);
}

static const struct shunt_option actor_options[] = {
	{ "notes", "where the test looks", NULL, 0, 0, SHUNT_OPTION_STRING },
	{ NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING },
};

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "actor",
	.version = "1",
	.licence = "MIT",
	.description = "for tests",
	.options = actor_options,
	.start = actor_start,
	.stop = actor_stop,
};
