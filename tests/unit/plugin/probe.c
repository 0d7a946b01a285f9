/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <string.h>

extern SHUNT_EXPORT struct probe probe;
SHUNT_EXPORT struct probe probe;

/* ---- Exchange types ---- */

static int probe_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			struct shunt_error *error)
{
	size_t size = exchange->name.size;

	(void)error;
	if (size >= sizeof(probe.seen_name))
		size = sizeof(probe.seen_name) - 1;
	memcpy(probe.seen_name, exchange->name.data, size);
	probe.seen_name[size] = '\0';
	probe.seen_plugin = plugin;
	probe.n_created++;
	*ret_state = &probe;
	return 0;
}

static int probe_create_nothing(void *plugin, const struct shunt_exchange *exchange,
				void **ret_state, struct shunt_error *error)
{
	(void)plugin;
	(void)exchange;
	(void)ret_state;
	error->code = SHUNT_RESOURCE_ERROR;
	memcpy(error->text, "out of memory", sizeof("out of memory"));
	return -1;
}

static void probe_destroy(void *state)
{
	((struct probe *)state)->n_destroyed++;
}

static void probe_route(const void *state, const struct shunt_message *message,
			struct shunt_sink *sink)
{
	(void)state;
	(void)message;
	(void)sink;
}

#define LETTERS_32  "abcdefghijklmnopqrstuvwxyz012345"
#define LETTERS_127 LETTERS_32 LETTERS_32 LETTERS_32 "abcdefghijklmnopqrstuvwxyz01234"
#define TYPE_SIZE   sizeof(struct shunt_exchange_type)

static const char *const probe_depends[] = {"routing_key", "headers.tenant", NULL};
static const char *const probe_bad_depends[] = {"routing_key", "colour", NULL};

static const struct shunt_argument probe_bad_arguments[] = {
	{.name = "x", .type = SHUNT_ARGUMENT_INTEGER, .minimum = 2, .maximum = 1},
	{.name = NULL},
};

/* By what the option `register` says. */
static const struct {
	const char *how;
	struct shunt_exchange_type type;
} probe_types[] = {
	/* clang-format off */
	{"good", {.size = TYPE_SIZE, .name = "good", .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"topic", {.size = TYPE_SIZE, .name = "topic", .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"broken-topic", {.size = TYPE_SIZE, .name = "topic", .create = probe_create_nothing, .destroy = probe_destroy, .route = probe_route}},
	{"longest", {.size = TYPE_SIZE, .name = LETTERS_127, .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"too-long", {.size = TYPE_SIZE, .name = LETTERS_127 "x", .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"older", {.size = offsetof(struct shunt_exchange_type, routes_by_key), .name = "older", .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"smaller", {.size = offsetof(struct shunt_exchange_type, routes_by_key) - sizeof(void *), .name = "smaller", .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"sizeless", {.name = "sizeless", .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"nameless", {.size = TYPE_SIZE, .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"empty-name", {.size = TYPE_SIZE, .name = "", .create = probe_create, .destroy = probe_destroy, .route = probe_route}},
	{"no-create", {.size = TYPE_SIZE, .name = "no-create", .destroy = probe_destroy, .route = probe_route}},
	{"no-destroy", {.size = TYPE_SIZE, .name = "no-destroy", .create = probe_create, .route = probe_route}},
	{"no-route", {.size = TYPE_SIZE, .name = "no-route", .create = probe_create, .destroy = probe_destroy}},
	{"bad-arguments", {.size = TYPE_SIZE, .name = "bad-arguments", .create = probe_create, .destroy = probe_destroy, .route = probe_route, .declare_arguments = probe_bad_arguments}},
	{"bad-bind", {.size = TYPE_SIZE, .name = "bad-bind", .create = probe_create, .destroy = probe_destroy, .route = probe_route, .bind_arguments = probe_bad_arguments}},
	{"of-1.1", {.size = offsetof(struct shunt_exchange_type, declare_arguments), .name = "of-1.1", .create = probe_create, .destroy = probe_destroy, .route = probe_route, .declare_arguments = probe_bad_arguments}},
	{"depends", {.size = TYPE_SIZE, .name = "depends", .create = probe_create, .destroy = probe_destroy, .route = probe_route, .depends = probe_depends}},
	{"depends-badly", {.size = TYPE_SIZE, .name = "depends-badly", .create = probe_create, .destroy = probe_destroy, .route = probe_route, .depends = probe_bad_depends}},
	{"of-1.2", {.size = offsetof(struct shunt_exchange_type, depends), .name = "of-1.2", .create = probe_create, .destroy = probe_destroy, .route = probe_route, .depends = probe_bad_depends}},
	/* clang-format on */
};

static const struct shunt_exchange_type *probe_type(const char *how)
{
	for (size_t i = 0; i < sizeof(probe_types) / sizeof(*probe_types); i++)
		if (strcmp(probe_types[i].how, how) == 0)
			return &probe_types[i].type;
	return NULL;
}

/* "HOW", "HOW twice", "HOW twice, and goes on" */
static int probe_register(const char *how, struct shunt_error *error)
{
	const struct shunt_host *host = probe.host;
	const char *space = strchr(how, ' ');
	const struct shunt_exchange_type *type;
	char name[32] = "";
	int result;

	memcpy(name, how, space ? (size_t)(space - how) : strlen(how));
	type = probe_type(name);
	result = host->register_exchange_type(host, type, error);
	if (result == 0 && space)
		result = host->register_exchange_type(host, type, error);
	return space && strcmp(space, " twice, and goes on") == 0 ? 0 : result;
}

/* ---- The plugin ---- */

static int probe_fail(const char *how, struct shunt_error *error)
{
	error->code = SHUNT_INTERNAL_ERROR;
	if (strcmp(how, "text") == 0)
		memcpy(error->text, "no oracle at hand", sizeof("no oracle at hand"));
	else if (strcmp(how, "endless") == 0)
		memset(error->text, 'x', sizeof(error->text));
	return strcmp(how, "positive") == 0 ? 1 : -1;
}

static int probe_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	const char *fail = host->config(host, "fail");
	const char *how = host->config(host, "register");

	probe.host = host;
	probe.late = probe_type("good");
	*ret_plugin = &probe;
	if (how && probe_register(how, error) != 0)
		return -1;
	return fail ? probe_fail(fail, error) : 0;
}

static void probe_stop(void *plugin)
{
	probe.host->log(probe.host, SHUNT_LOG_INFO,
			plugin == &probe ? "stopped" : "stopped with the state of another");
}

static const struct shunt_option probe_options[] = {
	{"text", "any text", "plain", 0, 0, SHUNT_OPTION_STRING},
	{"size", "how many", "3", 1, 10, SHUNT_OPTION_INTEGER},
	{"any", NULL, NULL, INT64_MIN, INT64_MAX, SHUNT_OPTION_INTEGER},
	{"flag", "whether", "true", 0, 0, SHUNT_OPTION_BOOLEAN},
	{"bare", "without a default", NULL, 0, 0, SHUNT_OPTION_STRING},
	{"with.dots", "a key with dots", "dotted", 0, 0, SHUNT_OPTION_STRING},
	{"fail", "how start() fails", NULL, 0, 0, SHUNT_OPTION_STRING},
	{"register", "exchange types", NULL, 0, 0, SHUNT_OPTION_STRING},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "probe",
	.version = "1.2",
	.licence = "MIT",
	.description = "for tests",
	.options = probe_options,
	.start = probe_start,
	.stop = probe_stop,
};
