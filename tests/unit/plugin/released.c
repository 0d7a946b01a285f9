/* SPDX-License-Identifier: MIT */
/*
 * A plugin that is built against a released header (sdk/abi), as an author did who has not built it
 * again since: an exchange type with all that ABI 1.0 had, and what else there was. Behind the
 * structures is what a broker must not take for newer members.
 */
#include <shunt/plugin.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x)	   TEXT_OF(x)
#define KINDS_MAX  16

static const struct shunt_host *released_host;

struct released {
	const struct shunt_binding *bindings[KINDS_MAX];
	size_t n;
};

static int released_refuse(struct shunt_error *error, const char *text)
{
	error->code = SHUNT_PRECONDITION_FAILED;
	memcpy(error->text, text, strlen(text) + 1);
	return -1;
}

static int released_validate(void *plugin, const struct shunt_exchange *exchange,
			     struct shunt_error *error)
{
	struct shunt_value value;

	(void)plugin;
	if (released_host->table_find(released_host, exchange->arguments, "x-refuse", &value))
		return released_refuse(error, "as it was told");
	return 0;
}

static int released_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			   struct shunt_error *error)
{
	struct released *state = released_host->allocate(released_host, sizeof(*state));

	(void)plugin;
	(void)exchange;
	if (state == NULL) {
		error->code = SHUNT_RESOURCE_ERROR;
		memcpy(error->text, "out of memory", 14);
		return -1;
	}
	state->n = 0;
	*ret_state = state;
	return 0;
}

static void released_destroy(void *state)
{
	released_host->free(released_host, state);
}

static int released_validate_binding(const void *state, const struct shunt_binding *binding,
				     struct shunt_error *error)
{
	(void)binding;
	if (((const struct released *)state)->n == KINDS_MAX)
		return released_refuse(error, "it is full");
	return 0;
}

static int released_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
			 struct shunt_error *error)
{
	struct released *released = state;

	(void)ret_cookie;
	(void)error;
	released->bindings[released->n++] = binding;
	return 0;
}

static void released_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct released *released = state;
	size_t i = 0;

	(void)cookie;
	while (released->bindings[i] != binding)
		i++;
	released->bindings[i] = released->bindings[--released->n];
}

static void released_route(const void *state, const struct shunt_message *message,
			   struct shunt_sink *sink)
{
	const struct released *released = state;

	(void)message;
	if (released->n > 0)
		sink->emit(sink, released->bindings, released->n);
}

static const struct {
	struct shunt_exchange_type type;
	uint8_t behind[256];
} released_type = {
	.type =
		{
			.size = sizeof(struct shunt_exchange_type),
			.name = "x-released-" TEXT(RELEASED_MINOR),
			.description = "goes everywhere",
			.validate = released_validate,
			.create = released_create,
			.destroy = released_destroy,
			.validate_binding = released_validate_binding,
			.bind = released_bind,
			.unbind = released_unbind,
			.route = released_route,
		},
	.behind = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
};

#if RELEASED_MINOR >= 2
static enum shunt_verdict released_authorize(void *plugin, const struct shunt_question *question)
{
	(void)plugin;
	(void)question;
	return SHUNT_NEXT;
}

static const struct {
	struct shunt_access_policy policy;
	uint64_t behind[8];
} released_policy = {
	.policy =
		{
			.size = sizeof(struct shunt_access_policy),
			.name = "released",
			.authorize = released_authorize,
		},
	.behind = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
};

static enum shunt_decision released_deliver(void *plugin, const struct shunt_delivery *delivery,
					    struct shunt_draft *draft)
{
	(void)plugin;
	(void)delivery;
	(void)draft;
	return SHUNT_PASS;
}

static const struct {
	struct shunt_hook hook;
	uint64_t behind[8];
} released_hook = {
	.hook =
		{
			.size = sizeof(struct shunt_hook),
			.name = "released",
			.deliver = released_deliver,
		},
	.behind = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
};

static int released_register_others(const struct shunt_host *host, struct shunt_error *error)
{
	if (host->register_access_policy(host, &released_policy.policy, error) != 0)
		return -1;
	return host->register_hook(host, &released_hook.hook, error);
}
#else
static int released_register_others(const struct shunt_host *host, struct shunt_error *error)
{
	(void)host;
	(void)error;
	return 0;
}
#endif

/* Its structures were shorter than ours: what it may rely on is there. */
static int released_start(const struct shunt_host *host, void **ret_plugin,
			  struct shunt_error *error)
{
	(void)ret_plugin;
	released_host = host;
	if (!SHUNT_HAS(host, struct shunt_host, loop_index) || host->abi_major != SHUNT_ABI_MAJOR)
		return released_refuse(error, "the host has shrunk");
	if (released_register_others(host, error) != 0)
		return -1;
	return host->register_exchange_type(host, &released_type.type, error);
}

static const struct shunt_option released_options[] = {
	{"depth", "of no use", "3", 1, 10, SHUNT_OPTION_INTEGER},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "released-" TEXT(RELEASED_MINOR),
	.version = "1",
	.licence = "MIT",
	.description = "for tests",
	.options = released_options,
	.start = released_start,
};

/* The right header was found. */
_Static_assert(SHUNT_ABI_MINOR == RELEASED_MINOR, "another header");
