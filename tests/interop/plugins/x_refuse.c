/* SPDX-License-Identifier: MIT */
/*
 * x-refuse: an exchange type that refuses as it is told. The arguments of a declare or a binding
 * say what fails
 * (`fails`: validate, create, validate_binding, bind), with which reply code (`code`) and with
 * which text (`text`; repeated until the room is full, without a zero, if `endless` is there). With
 * `plugin.x-refuse.moody = true` it does not start.
 */
#include <shunt/plugin.h>
#include <string.h>

static const struct shunt_host *host;

static int refuse_if(const char *where, struct shunt_bytes arguments, struct shunt_error *error)
{
	struct shunt_value fails, code, text, endless;
	size_t room = sizeof(error->text), n = 0;

	if (!host->table_find(host, arguments, "fails", &fails) ||
	    fails.bytes.size != strlen(where) ||
	    memcmp(fails.bytes.data, where, fails.bytes.size) != 0)
		return 0;
	if (host->table_find(host, arguments, "code", &code))
		error->code = (uint16_t)code.integer;
	if (!host->table_find(host, arguments, "text", &text) || text.bytes.size == 0 ||
	    text.bytes.size >= room)
		return -1;
	memcpy(error->text, text.bytes.data, text.bytes.size);
	error->text[text.bytes.size] = '\0';
	if (host->table_find(host, arguments, "endless", &endless))
		while (n < room) {
			error->text[n] = (char)text.bytes.data[n % text.bytes.size];
			n++;
		}
	return -1;
}

static int validate(void *plugin, const struct shunt_exchange *exchange, struct shunt_error *error)
{
	(void)plugin;
	return refuse_if("validate", exchange->arguments, error);
}

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
		  struct shunt_error *error)
{
	(void)plugin;
	*ret_state = NULL;
	return refuse_if("create", exchange->arguments, error);
}

static void destroy(void *state)
{
	(void)state;
}

static int validate_binding(const void *state, const struct shunt_binding *binding,
			    struct shunt_error *error)
{
	(void)state;
	return refuse_if("validate_binding", binding->arguments, error);
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		struct shunt_error *error)
{
	(void)state;
	(void)ret_cookie;
	return refuse_if("bind", binding->arguments, error);
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	(void)state;
	(void)message;
	(void)sink;
}

static const struct shunt_exchange_type type = {
	.size = sizeof(type),
	.name = "x-refuse",
	.validate = validate,
	.create = create,
	.destroy = destroy,
	.validate_binding = validate_binding,
	.bind = bind,
	.route = route,
};

static const struct shunt_option options[] = {
	{"moody", "whether it refuses to start", "false", 0, 0, SHUNT_OPTION_BOOLEAN},
	{"patience", "of no use", NULL, 1, 10, SHUNT_OPTION_INTEGER},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

static int start(const struct shunt_host *given, void **ret_plugin, struct shunt_error *error)
{
	static const char text[] = "the stars are not right";

	(void)ret_plugin;
	host = given;
	if (strcmp(host->config(host, "moody"), "true") != 0)
		return host->register_exchange_type(host, &type, error);
	memcpy(error->text, text, sizeof(text));
	return -1;
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "x-refuse",
	.version = "0.1",
	.licence = "MIT",
	.options = options,
	.start = start,
};
