/* SPDX-License-Identifier: MIT */

/* What is configured of a script, but for its own settings. */

#include "options.h"

#include <stdio.h>
#include <string.h>

#define ON_ERROR_HELP "what is done when the script fails then: deny or pass"

/* clang-format off */
const struct shunt_option script_options[] = {
	{.name = "on_error", .type = SHUNT_OPTION_STRING,
	 .help = "what is done when the script fails, for all kinds of calls: deny, pass or unroutable"},
	{.name = "on_error.route", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP " or unroutable"},
	{.name = "on_error.authenticate", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "on_error.authorize", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "on_error.publish", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "on_error.deliver", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "instructions", .type = SHUNT_OPTION_INTEGER, .default_value = "100000",
	 .minimum = 1000, .maximum = 1000000000,
	 .help = "of the Lua machine, that a call may use"},
	{.name = "cpu_time", .type = SHUNT_OPTION_INTEGER, .default_value = "1000",
	 .minimum = 50, .maximum = 10000000,
	 .help = "microseconds that a call may use"},
	{.name = "memory", .type = SHUNT_OPTION_INTEGER, .default_value = "2097152",
	 .minimum = 262144, .maximum = 1073741824,
	 .help = "bytes that the script may have on each loop"},
	{.name = "quarantine_after", .type = SHUNT_OPTION_INTEGER, .default_value = "20",
	 .minimum = 0, .maximum = 1000000,
	 .help = "failures in a row after which it is not called for a while; 0: it always is"},
	{.name = "*", .type = SHUNT_OPTION_STRING, .help = "the script's own settings"},
	{0},
};
/* clang-format on */

bool script_option_is_own(const char *key)
{
	if (strcmp(key, "optional") == 0)
		return true; /* the broker's */
	for (const struct shunt_option *option = script_options; option->name; option++) {
		if (strcmp(key, option->name) == 0)
			return true;
	}
	return false;
}

/* A block may be so much of the memory. */
#define BLOCK_OF(memory) ((memory) / 8)

void options_read_limits(const struct shunt_host *host, struct limits *limits)
{
	limits->instructions = (uint64_t)host->config_integer(host, "instructions");
	limits->cpu_ns = (uint64_t)host->config_integer(host, "cpu_time") * 1000;
	limits->memory = (size_t)host->config_integer(host, "memory");
	limits->block = BLOCK_OF(limits->memory);
}

uint32_t options_read_quarantine(const struct shunt_host *host)
{
	return (uint32_t)host->config_integer(host, "quarantine_after");
}

/* A word, or -1. Only messages that are routed can be unroutable. */
static int parse(const char *key, const char *value, bool routes, enum on_error *ret,
		 struct shunt_error *error)
{
	if (strcmp(value, "deny") == 0) {
		*ret = ON_ERROR_DENY;
	} else if (strcmp(value, "pass") == 0) {
		*ret = ON_ERROR_PASS;
	} else if (strcmp(value, "unroutable") == 0 && routes) {
		*ret = ON_ERROR_UNROUTABLE;
	} else {
		error->code = 0;
		(void)snprintf(error->text, sizeof(error->text),
			       "%s = %.40s: must be deny%s pass%s", key, value,
			       routes ? "," : " or", routes ? " or unroutable" : "");
		return -1;
	}
	return 0;
}

/* What is said for all kinds. Where nothing is routed it cannot be unroutable: deny. */
static int read_for_all(const struct shunt_host *host, enum call_kind kind, enum on_error *ret,
			struct shunt_error *error)
{
	const char *value = host->config(host, "on_error");

	if (!value)
		return 0;
	if (parse("on_error", value, true, ret, error))
		return -1;
	if (*ret == ON_ERROR_UNROUTABLE && kind != CALL_ROUTE)
		*ret = ON_ERROR_DENY;
	return 0;
}

/* Rejecting what is delivered might lose messages; everything else is safe when it does not happen.
 */
static enum on_error safe_default(enum call_kind kind)
{
	switch (kind) {
	case CALL_ROUTE:
		return ON_ERROR_UNROUTABLE;
	case CALL_DELIVER:
		return ON_ERROR_PASS;
	case CALL_LOAD:
	case CALL_STARTUP:
	case CALL_TIMER:
	case CALL_VALIDATE:
	case CALL_BIND:
	case CALL_AUTHENTICATE:
	case CALL_AUTHORIZE:
	case CALL_PUBLISH:
	case CALL_DONE:
	case CALL_TEST:
	case CALL_KINDS:
		break;
	}
	return ON_ERROR_DENY;
}

/* A kind that there is not would be taken for a setting of the script, and the default be in force.
 */
static int refuse_unknown_kinds(const struct shunt_host *host, struct shunt_error *error)
{
	const char *key, *value;
	size_t position = 0;

	if (!host->config_next)
		return 0; /* a host of a test */
	while (host->config_next(host, &position, &key, &value)) {
		if (strncmp(key, "on_error.", strlen("on_error.")) != 0 ||
		    script_option_is_own(key))
			continue;
		error->code = 0;
		(void)snprintf(error->text, sizeof(error->text),
			       "%.100s: there is no such kind of call", key);
		return -1;
	}
	return 0;
}

int options_read_on_error(const struct shunt_host *host, enum on_error *of_kind,
			  struct shunt_error *error)
{
	for (enum call_kind kind = 0; kind < CALL_KINDS; kind++) {
		char key[40];
		const char *value;

		of_kind[kind] = safe_default(kind);
		if (read_for_all(host, kind, &of_kind[kind], error))
			return -1;
		(void)snprintf(key, sizeof(key), "on_error.%s", call_kind_name(kind));
		value = script_option_is_own(key) ? host->config(host, key) : NULL;
		if (value && parse(key, value, kind == CALL_ROUTE, &of_kind[kind], error))
			return -1;
	}
	return refuse_unknown_kinds(host, error);
}
