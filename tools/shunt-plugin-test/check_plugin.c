/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "base/mem.h"
#include "trace.h"

/* ---- The plugin as a whole ---- */

void check_symbol(struct subject *s)
{
	trace_note("%s %s, ABI %u.%u, %s", s->plugin->name, s->plugin->version,
		   s->plugin->abi_major, s->plugin->abi_minor, s->plugin->licence);
}

/* With another value of one option; a refusal is as good as a start. */
static void start_with(struct subject *s, const char *key, const char *value)
{
	struct setting settings[HOST_SETTINGS_MAX + 1];
	struct subject with = *s;
	struct shunt_error error;

	settings[0] = (struct setting){key, value};
	memcpy(settings + 1, s->settings, s->n_settings * sizeof(*settings));
	with.settings = settings;
	with.n_settings = s->n_settings + 1;
	trace_with("the option %s = %s", key, value);
	host_init(with.world, s->seed);
	if (subject_try_start(&with, &error) == 0) {
		host_pump(with.world, 3);
		subject_stop(&with);
		return;
	}
	error_check("start()", &error, false);
	with.world->is_stopped = true;
	if (atomic_load(&with.world->live) > 0)
		trace_fail("start() failed with the option %s = %s and left %ld allocations", key,
			   value, atomic_load(&with.world->live));
}

void check_options(struct subject *s)
{
	const struct shunt_option *option = s->plugin->options;
	char number[32];

	if (s->script != NULL)
		trace_skip("a script has those of its language");
	subject_check_options(s);
	for (; option != NULL && option->name != NULL; option++) {
		if (strcmp(option->name, "*") == 0) {
			start_with(s, "any.key", "");
			start_with(s, "any.key", "\xff%s%n a\tb");
		} else if (option->type == SHUNT_OPTION_BOOLEAN) {
			start_with(s, option->name, "true");
			start_with(s, option->name, "false");
		} else if (option->type == SHUNT_OPTION_INTEGER) {
			(void)snprintf(number, sizeof(number), "%" PRId64, option->minimum);
			start_with(s, option->name, number);
			(void)snprintf(number, sizeof(number), "%" PRId64, option->maximum);
			start_with(s, option->name, number);
		} else {
			start_with(s, option->name, "");
			start_with(s, option->name, "\xff%s%n a\tb");
		}
	}
}

static void say_types(const struct world *w)
{
	for (size_t i = 0; i < w->n_types; i++)
		(void)snprintf(trace_own->type_names[i], sizeof(trace_own->type_names[i]), "%s",
			       w->types[i].name);
	trace_own->n_types = w->n_types;
}

void check_start(struct subject *s)
{
	for (unsigned i = 0; i < 3; i++) {
		trace_round(i);
		subject_start(s);
		say_types(s->world);
		host_pump(s->world, 0);
		subject_stop(s);
	}
}

static void start_failing(struct subject *s, long n, bool onward)
{
	struct shunt_error error;
	bool failed;

	host_init(s->world, s->seed);
	host_fail_at(s->world, n, onward);
	if (subject_try_start(s, &error) != 0) {
		failed = atomic_load(&s->world->failed);
		if (s->script == NULL)
			error_check("start()", &error, failed);
		if (!failed)
			trace_fail("start() failed: %s", error.text);
		if (host_live(s->world) > 0)
			trace_fail("start() failed when memory was out and left %ld allocations",
				   host_live(s->world));
		return;
	}
	failed = atomic_load(&s->world->failed);
	host_fail_at(s->world, -1, false);
	atomic_store(&s->world->failed, failed);
	subject_stop(s);
}

void check_start_memory(struct subject *s)
{
	/* a script's machines make thousands: some of them */
	for (long n = 1; n < 1000000; n += s->script != NULL ? 1 + n / 4 : 1) {
		trace_round((unsigned)n);
		trace_with("allocation %ld failing", n);
		start_failing(s, n, n % 2 == 0);
		if (!atomic_load(&s->world->failed))
			return;
	}
	trace_fail("start() allocates without end");
}
