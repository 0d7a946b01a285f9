/* SPDX-License-Identifier: MIT */
/* The user that a broker without any begins with, and who may connect from this machine only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/accounts.h"
#include "amqp/cursor.h"
#include "base/mem.h"
#include "config_entry.h"
#include "config_set.h"

/* ---- The first user ---- */

static void config_set_text(char **text, const char *value)
{
	mem_free(*text);
	*text = mem_strdup(value);
}

static void config_set_secret(char **text, const char *value)
{
	explicit_bzero(*text, strlen(*text));
	config_set_text(text, value);
}

static int config_secret(struct config_entry *e)
{
	if (e->value[0] == '\0') {
		/* not config_refuse(), which shows the value */
		snprintf(e->error, CONFIG_ERROR_MAX, "%s: bad value for '%s': expected some text",
			 e->where, e->key);
		return -1;
	}
	config_set_secret(e->target, e->value);
	return 0;
}

static int config_name(struct config_entry *e)
{
	size_t size = strlen(e->value);

	if (size == 0 || size > ACCESS_NAME_MAX || !amqp_is_utf8(slice_cstr(e->value)))
		return config_refuse(e, "a name of at most 255 bytes of UTF-8");
	config_set_text(e->target, e->value);
	return 0;
}

/* An empty one is ^$. */
static int config_pattern(struct config_entry *e)
{
	char reason[160], expected[256];

	if (!access_pattern_is_valid(slice_cstr(e->value), reason, sizeof(reason))) {
		snprintf(expected, sizeof(expected), "a regular expression (%s)", reason);
		return config_refuse(e, expected);
	}
	config_set_text(e->target, e->value);
	return 0;
}

/* Where the tag is in the list, with the comma before or behind it; NULL: nowhere. */
static char *config_find_tag(char *tags, const char *tag)
{
	size_t size = strlen(tag);

	for (char *at = tags; *at != '\0';) {
		size_t length = strcspn(at, ",");

		if (length == size && memcmp(at, tag, size) == 0)
			return at;
		at += length;
		at += *at == ',';
	}
	return NULL;
}

static void config_remove_tag(char *tags, const char *tag)
{
	char *at = config_find_tag(tags, tag), *behind;

	if (at == NULL)
		return;
	behind = at + strlen(tag);
	if (*behind == ',')
		behind++;
	else if (at > tags)
		at--; /* the last one goes with the comma before it */
	memmove(at, behind, strlen(behind) + 1);
}

/* The first of these keys takes the place of the default, as in RabbitMQ. */
static int config_tag(struct config_entry *e)
{
	struct config *config = e->config;
	bool is_true = strcmp(e->value, "true") == 0;
	char *tags;

	if (!is_true && strcmp(e->value, "false") != 0)
		return config_refuse(e, "true or false");
	if (strchr(e->rest, ',') != NULL || strlen(e->rest) > ACCESS_NAME_MAX ||
	    strlen(config->default_user_tags) + strlen(e->rest) + 1 > ACCESS_TAGS_MAX) {
		snprintf(e->error, CONFIG_ERROR_MAX, "%s: '%s' does not name a tag", e->where,
			 e->key);
		return -1;
	}
	if (!config->has_default_user_tags)
		config_set_text(&config->default_user_tags, "");
	config->has_default_user_tags = true;
	config_remove_tag(config->default_user_tags, e->rest);
	if (!is_true)
		return 0;
	tags = mem_printf("%s%s%s", config->default_user_tags,
			  config->default_user_tags[0] != '\0' ? "," : "", e->rest);
	mem_free(config->default_user_tags);
	config->default_user_tags = tags;
	return 0;
}

int config_read_environment(struct config *config, char ret_error[CONFIG_ERROR_MAX])
{
	static const struct {
		const char *variable, *key;
	} variables[] = {
		{"SHUNT_DEFAULT_USER", "default_user"},
		{"SHUNT_DEFAULT_PASS", "default_pass"},
		{"SHUNT_DEFAULT_VHOST", "default_vhost"},
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		const char *value = getenv(variables[i].variable);

		if (value != NULL && value[0] != '\0' &&
		    config_set(config, variables[i].key, value, variables[i].variable, ret_error) !=
			    0)
			return -1;
	}
	return 0;
}

/* ---- Loopback users ---- */

static int config_no_loopback_users(struct config_entry *e)
{
	if (strcmp(e->value, "none") != 0)
		return config_refuse(e, "none");
	e->config->loopback_users_are_none = true;
	return 0;
}

static void config_remove_loopback_user(struct config *config, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < config->n_loopback_users; i++) {
		if (strcmp(config->loopback_users[i], name) == 0)
			mem_free(config->loopback_users[i]);
		else
			config->loopback_users[kept++] = config->loopback_users[i];
	}
	config->n_loopback_users = kept;
	config->loopback_users[kept] = NULL;
}

static void config_clear_loopback_users(struct config *config)
{
	for (size_t i = 0; i < config->n_loopback_users; i++)
		mem_free(config->loopback_users[i]);
	config->n_loopback_users = 0;
	config->loopback_users[0] = NULL;
}

static void config_add_loopback_user(struct config *config, const char *name)
{
	size_t n = config->n_loopback_users;

	config->loopback_users = mem_realloc(config->loopback_users, (n + 2) * sizeof(char *));
	config->loopback_users[n] = mem_strdup(name);
	config->loopback_users[n + 1] = NULL;
	config->n_loopback_users = n + 1;
}

static int config_loopback_user(struct config_entry *e)
{
	bool is_true = strcmp(e->value, "true") == 0;

	if (!is_true && strcmp(e->value, "false") != 0)
		return config_refuse(e, "true or false");
	config_remove_loopback_user(e->config, e->rest);
	if (is_true)
		config_add_loopback_user(e->config, e->rest);
	return 0;
}

/* ---- All of them ---- */

const struct config_key config_access_keys[] = {
	{"default_user", config_name, CONFIG_PLACE(default_user), 0, 0},
	{"default_pass", config_secret, CONFIG_PLACE(default_pass), 0, 0},
	{"default_vhost", config_name, CONFIG_PLACE(default_vhost), 0, 0},
	{"default_user_tags.", config_tag, 0, 0, 0},
	{"default_permissions.configure", config_pattern, CONFIG_PLACE(default_configure), 0, 0},
	{"default_permissions.write", config_pattern, CONFIG_PLACE(default_write), 0, 0},
	{"default_permissions.read", config_pattern, CONFIG_PLACE(default_read), 0, 0},
	{"loopback_users", config_no_loopback_users, 0, 0, 0},
	{"loopback_users.", config_loopback_user, 0, 0, 0},
	{NULL, NULL, 0, 0, 0},
};

void config_access_init(struct config *config)
{
	config->default_user = mem_strdup("guest");
	config->default_pass = mem_strdup("guest");
	config->default_vhost = mem_strdup("/");
	config->default_user_tags = mem_strdup("administrator");
	config->default_configure = mem_strdup(".*");
	config->default_write = mem_strdup(".*");
	config->default_read = mem_strdup(".*");
	config_add_loopback_user(config, "guest");
}

void config_access_complete(struct config *config)
{
	if (config->loopback_users_are_none)
		config_clear_loopback_users(config);
}

void config_forget_password(struct config *config)
{
	config_set_secret(&config->default_pass, "");
	config_tls_forget_password(config);
}

void config_access_fini(struct config *config)
{
	config_forget_password(config);
	mem_free(config->default_user);
	mem_free(config->default_pass);
	mem_free(config->default_vhost);
	mem_free(config->default_user_tags);
	mem_free(config->default_configure);
	mem_free(config->default_write);
	mem_free(config->default_read);
	config_clear_loopback_users(config);
	mem_free(config->loopback_users);
}
