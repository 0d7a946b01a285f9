/* SPDX-License-Identifier: MIT */
/*
 * What a plugin registers while it starts. It is checked and copied, and not more: others see it
 * when the plugin is put in force. A smaller structure is that of an older minor; what it has not
 * got is zero in the copy.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "amqp/argument_schema.h"
#include "base/mem.h"
#include "broker/topology/exchange_type.h"
#include "plugin/host.h"
#include "plugin/plugin.h"

#define EXCHANGE_TYPE_NAME_MAX 127

static int refuse(struct shunt_error *error, uint16_t code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct shunt_error *error, uint16_t code, const char *format, ...)
{
	va_list args;

	error->code = code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

/* Room for one more pointer or structure at the end, zeroed. */
static void *append(void *array_pointer, size_t *count, size_t size)
{
	void *array;

	memcpy(&array, array_pointer, sizeof(array));
	array = mem_realloc(array, (*count + 1) * size);
	memcpy(array_pointer, &array, sizeof(array));
	return memset((char *)array + (*count)++ * size, 0, size);
}

static void copy(void *to, const void *from, size_t size, size_t known)
{
	memcpy(to, from, size < known ? size : known);
}

static int check_phase(const struct plugin *plugin, const char *what, const char *name,
		       struct shunt_error *error)
{
	if (plugin->phase == PLUGIN_STARTING)
		return 0;
	return refuse(error, SHUNT_NOT_ALLOWED,
		      "%s '%s' comes too late: it is registered while starting", what, name);
}

/* ---- Exchange types ---- */

/* What is wrong with it, or NULL. The size comes first: a smaller structure has not got the rest.
 * ABI 1.0 ended before routes_by_key. */
static const char *fault_of_type(const struct shunt_exchange_type *type)
{
	if (type->size < offsetof(struct shunt_exchange_type, routes_by_key))
		return "struct shunt_exchange_type has another size";
	if (type->name == NULL || type->name[0] == '\0')
		return "an exchange type has no name";
	if (strlen(type->name) > EXCHANGE_TYPE_NAME_MAX)
		return "an exchange type has a name of more than 127 bytes";
	if (type->create == NULL || type->route == NULL || type->destroy == NULL)
		return "an exchange type lacks create, route or destroy";
	return NULL;
}

/* Its lists of arguments, which an older minor has not got. */
static const char *fault_of_arguments(const struct shunt_exchange_type *type)
{
	const char *fault = NULL;

	if (SHUNT_HAS(type, struct shunt_exchange_type, declare_arguments))
		fault = argument_schema_fault(type->declare_arguments);
	if (fault == NULL && SHUNT_HAS(type, struct shunt_exchange_type, bind_arguments))
		fault = argument_schema_fault(type->bind_arguments);
	return fault;
}

/* Likewise; -1 with the reason. */
static int check_depends(const struct shunt_exchange_type *type, struct shunt_error *error)
{
	struct depends depends;
	char fault[DEPENDS_FAULT_SIZE];

	if (!SHUNT_HAS(type, struct shunt_exchange_type, depends) ||
	    depends_read(type->depends, &depends, fault, sizeof(fault)) == 0)
		return 0;
	return refuse(error, SHUNT_INTERNAL_ERROR, "exchange type '%.60s' depends on %s",
		      type->name, fault);
}

/* A new version brings the types of the one that it takes the place of. */
static const char *owner_of_type(const struct plugin *plugin, const char *name)
{
	const struct exchange_type *other =
		exchange_type_find(plugin->plugins->config.topology, slice_cstr(name));

	if (other != NULL &&
	    (plugin->replaces == NULL || strcmp(other->plugin_name, plugin->replaces->name) != 0))
		return other->plugin_name;
	for (size_t i = 0; i < plugin->staged.n_types; i++)
		if (strcmp(plugin->staged.types[i].name, name) == 0)
			return plugin->name;
	return NULL;
}

static int register_exchange_type(const struct shunt_host *host,
				  const struct shunt_exchange_type *type, struct shunt_error *error)
{
	struct plugin *plugin = plugin_of_host(host);
	struct plugin_staged *staged = &plugin->staged;
	const char *fault = fault_of_type(type), *owner;

	if (fault == NULL)
		fault = fault_of_arguments(type);
	if (fault != NULL)
		return refuse(error, SHUNT_INTERNAL_ERROR, "%s", fault);
	if (check_phase(plugin, "exchange type", type->name, error) != 0)
		return -1;
	if (check_depends(type, error) != 0)
		return -1;
	owner = owner_of_type(plugin, type->name);
	if (owner != NULL)
		return refuse(error, SHUNT_NOT_ALLOWED,
			      "exchange type '%s' is there already, by plugin '%s'", type->name,
			      owner);
	copy(append(&staged->types, &staged->n_types, sizeof(*staged->types)), type, type->size,
	     sizeof(*type));
	return 0;
}

/* ---- Policies and hooks ---- */

static int register_access_policy(const struct shunt_host *host,
				  const struct shunt_access_policy *policy,
				  struct shunt_error *error)
{
	struct plugin *plugin = plugin_of_host(host);
	struct plugin_staged *staged = &plugin->staged;
	struct plugin_policy **place;

	if (policy->size < offsetof(struct shunt_access_policy, decide))
		return refuse(error, SHUNT_INTERNAL_ERROR,
			      "struct shunt_access_policy has another size");
	if (policy->name == NULL || policy->name[0] == '\0')
		return refuse(error, SHUNT_INTERNAL_ERROR, "an access policy has no name");
	if (check_phase(plugin, "access policy", policy->name, error) != 0)
		return -1;
	place = append(&staged->policies, &staged->n_policies, sizeof(*staged->policies));
	*place = mem_zalloc(sizeof(**place));
	(*place)->plugin = plugin;
	copy(&(*place)->own, policy, policy->size, sizeof(*policy));
	return 0;
}

static int register_hook(const struct shunt_host *host, const struct shunt_hook *hook,
			 struct shunt_error *error)
{
	struct plugin *plugin = plugin_of_host(host);
	struct plugin_staged *staged = &plugin->staged;
	struct plugin_hook **place;

	if (hook->size < sizeof(*hook))
		return refuse(error, SHUNT_INTERNAL_ERROR, "struct shunt_hook has another size");
	if (hook->name == NULL || hook->name[0] == '\0')
		return refuse(error, SHUNT_INTERNAL_ERROR, "a hook has no name");
	if (check_phase(plugin, "hook", hook->name, error) != 0)
		return -1;
	place = append(&staged->hooks, &staged->n_hooks, sizeof(*staged->hooks));
	*place = mem_zalloc(sizeof(**place));
	(*place)->plugin = plugin;
	copy(&(*place)->own, hook, hook->size, sizeof(*hook));
	return 0;
}

/* ---- Commands and metrics ---- */

static bool has_command(const struct plugin_staged *staged, const char *name)
{
	for (size_t i = 0; i < staged->n_commands; i++)
		if (strcmp(staged->commands[i].name, name) == 0)
			return true;
	return false;
}

static int register_command(const struct shunt_host *host, const struct shunt_command *command,
			    struct shunt_error *error)
{
	struct plugin *plugin = plugin_of_host(host);
	struct plugin_staged *staged = &plugin->staged;

	if (command->size < sizeof(*command))
		return refuse(error, SHUNT_INTERNAL_ERROR, "struct shunt_command has another size");
	if (command->name == NULL || command->name[0] == '\0' || command->run == NULL)
		return refuse(error, SHUNT_INTERNAL_ERROR, "a command lacks a name or run");
	if (check_phase(plugin, "command", command->name, error) != 0)
		return -1;
	if (has_command(staged, command->name))
		return refuse(error, SHUNT_NOT_ALLOWED, "command '%s' is there already",
			      command->name);
	copy(append(&staged->commands, &staged->n_commands, sizeof(*staged->commands)), command,
	     command->size, sizeof(*command));
	return 0;
}

static bool metric_name_is_plain(const char *name)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	return name != NULL && name[0] != '\0' && name[strspn(name, plain)] == '\0';
}

static bool has_metric(const struct plugin_staged *staged, const char *name)
{
	for (size_t i = 0; i < staged->n_metrics; i++)
		if (strcmp(staged->metrics[i]->own.name, name) == 0)
			return true;
	return false;
}

static int register_metric(const struct shunt_host *host, const struct shunt_metric *metric,
			   struct shunt_counter **ret_counter, struct shunt_error *error)
{
	struct plugin *plugin = plugin_of_host(host);
	struct plugin_staged *staged = &plugin->staged;
	struct plugin_metric **place;

	if (metric->size < sizeof(*metric))
		return refuse(error, SHUNT_INTERNAL_ERROR, "struct shunt_metric has another size");
	if (!metric_name_is_plain(metric->name))
		return refuse(error, SHUNT_INTERNAL_ERROR,
			      "a metric's name is not of letters, digits and '_'");
	if (metric->read == NULL && ret_counter == NULL)
		return refuse(error, SHUNT_INTERNAL_ERROR,
			      "metric '%s' is a counter that is not asked for", metric->name);
	if (check_phase(plugin, "metric", metric->name, error) != 0)
		return -1;
	if (has_metric(staged, metric->name))
		return refuse(error, SHUNT_NOT_ALLOWED, "metric '%s' is there already",
			      metric->name);
	place = append(&staged->metrics, &staged->n_metrics, sizeof(*staged->metrics));
	*place = mem_zalloc(sizeof(**place));
	copy(&(*place)->own, metric, metric->size, sizeof(*metric));
	if (metric->read == NULL)
		(*place)->counter = plugin_counter_create();
	if (ret_counter != NULL)
		*ret_counter = (*place)->counter;
	return 0;
}

/* ---- Languages ---- */

#define SIZE_OF_FIRST_LANGUAGE                                                                     \
	(offsetof(struct shunt_language, describe) +                                               \
	 sizeof(((struct shunt_language *)NULL)->describe))

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static const char *fault_of_language(const struct shunt_language *language)
{
	if (language->size < SIZE_OF_FIRST_LANGUAGE)
		return "struct shunt_language has another size";
	if (is_empty(language->name) || is_empty(language->extension))
		return "a language has no name or no extension";
	if (!plugin_name_is_plain(language->extension) || strcmp(language->extension, "so") == 0)
		return "a language has an extension that no script's file can have";
	if (language->open == NULL || language->start == NULL || language->close == NULL)
		return "a language lacks open, start or close";
	return NULL;
}

static bool has_language(const struct plugin *plugin, const struct shunt_language *language)
{
	for (size_t i = 0; i < plugin->staged.n_languages; i++) {
		const struct shunt_language *other = plugin->staged.languages[i];

		if (strcmp(other->name, language->name) == 0 ||
		    strcmp(other->extension, language->extension) == 0)
			return true;
	}
	return false;
}

/* A new version brings the languages of the one that it takes the place of. */
static const struct plugin *owner_of_language(const struct plugin *plugin,
					      const struct shunt_language *language)
{
	struct list *pos;

	if (has_language(plugin, language))
		return plugin;
	list_for_each(pos, &plugin->plugins->active) {
		const struct plugin *other = container_of(pos, const struct plugin, link);

		if (other != plugin->replaces && has_language(other, language))
			return other;
	}
	return NULL;
}

static int register_language(const struct shunt_host *host, const struct shunt_language *language,
			     struct shunt_error *error)
{
	struct plugin *plugin = plugin_of_host(host);
	struct plugin_staged *staged = &plugin->staged;
	const char *fault = fault_of_language(language);
	const struct plugin *owner;
	struct shunt_language **place;
	char why[PLUGIN_WHY_SIZE];

	if (fault != NULL)
		return refuse(error, SHUNT_INTERNAL_ERROR, "%s", fault);
	if (check_phase(plugin, "language", language->name, error) != 0)
		return -1;
	if (plugin->script != NULL)
		return refuse(error, SHUNT_NOT_ALLOWED, "a script brings no language");
	if (plugin_check_options(language->options, why, sizeof(why)) != 0)
		return refuse(error, SHUNT_INTERNAL_ERROR, "language '%s': %s", language->name,
			      why);
	owner = owner_of_language(plugin, language);
	if (owner != NULL)
		return refuse(error, SHUNT_NOT_ALLOWED,
			      "language '%s', or one for '.%s', is there already, by plugin '%s'",
			      language->name, language->extension, owner->name);
	place = append(&staged->languages, &staged->n_languages, sizeof(*staged->languages));
	*place = mem_zalloc(sizeof(**place));
	copy(*place, language, language->size, sizeof(*language));
	return 0;
}

/* ---- All ---- */

void plugin_staged_fini(struct plugin_staged *staged)
{
	for (size_t i = 0; i < staged->n_policies; i++)
		mem_free(staged->policies[i]);
	for (size_t i = 0; i < staged->n_hooks; i++)
		mem_free(staged->hooks[i]);
	for (size_t i = 0; i < staged->n_metrics; i++) {
		mem_free(staged->metrics[i]->counter);
		mem_free(staged->metrics[i]);
	}
	for (size_t i = 0; i < staged->n_languages; i++)
		mem_free(staged->languages[i]);
	mem_free(staged->languages);
	mem_free(staged->types);
	mem_free(staged->policies);
	mem_free(staged->hooks);
	mem_free(staged->commands);
	mem_free(staged->metrics);
}

void host_offer_registering(struct shunt_host *host)
{
	host->register_exchange_type = register_exchange_type;
	host->register_access_policy = register_access_policy;
	host->register_hook = register_hook;
	host->register_command = register_command;
	host->register_metric = register_metric;
	host->register_language = register_language;
}
