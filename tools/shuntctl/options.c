/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TIMEOUT_MAX_S 4000000u

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_TEXTS, OPTION_SECONDS, OPTION_NUMBER, OPTION_TRUTH };

static const struct option_name {
	uint64_t id;
	char letter; /* 0: none */
	const char *name;
	enum option_kind kind;
	size_t place; /* of the member, but for flags and seconds */
} option_names[] = {
	{ OPTION_NODE, 'n', "node", OPTION_TEXT, offsetof(struct options, node) },
	{ OPTION_LONGNAMES, 'l', "longnames", OPTION_FLAG, 0 },
	{ OPTION_TIMEOUT, 't', "timeout", OPTION_SECONDS, 0 },
	{ OPTION_QUIET, 'q', "quiet", OPTION_FLAG, 0 },
	{ OPTION_SILENT, 's', "silent", OPTION_FLAG, 0 },
	{ OPTION_VHOST, 'p', "vhost", OPTION_TEXT, offsetof(struct options, vhost) },
	{ OPTION_FORMATTER, 0, "formatter", OPTION_TEXT, offsetof(struct options, formatter) },
	{ OPTION_SOCKET, 0, "socket", OPTION_TEXT, offsetof(struct options, socket) },
	{ OPTION_HELP, '?', "help", OPTION_FLAG, 0 },
	{ OPTION_VERSION, 0, "version", OPTION_FLAG, 0 },
	{ OPTION_NO_TABLE_HEADERS, 0, "no-table-headers", OPTION_FLAG, 0 },
	{ OPTION_UNIT, 0, "unit", OPTION_TEXT, offsetof(struct options, unit) },
	{ OPTION_IDEMPOTENT, 0, "idempotent", OPTION_FLAG, 0 },
	{ OPTION_ONLINE, 0, "online", OPTION_FLAG, 0 },
	{ OPTION_OFFLINE, 0, "offline", OPTION_FLAG, 0 },
	{ OPTION_LOCAL, 0, "local", OPTION_FLAG, 0 },
	{ OPTION_LIST_COMMANDS, 0, "list-commands", OPTION_FLAG, 0 },
	{ OPTION_PERCENT, 0, "percent", OPTION_TEXT, offsetof(struct options, percent) },
	{ OPTION_HEADER, 0, "header", OPTION_TEXTS, offsetof(struct options, headers) },
	{ OPTION_PROPERTY, 0, "property", OPTION_TEXTS, offsetof(struct options, properties) },
	{ OPTION_PRE_HASHED_PASSWORD, 0, "pre-hashed-password", OPTION_FLAG, 0 },
	{ OPTION_USER, 0, "user", OPTION_TEXT, offsetof(struct options, user) },
	{ OPTION_GLOBAL, 0, "global", OPTION_FLAG, 0 },
	{ OPTION_DESCRIPTION, 0, "description", OPTION_TEXT, offsetof(struct options, description) },
	{ OPTION_TAGS, 0, "tags", OPTION_TEXT, offsetof(struct options, tags) },
	{ OPTION_DEFAULT_QUEUE_TYPE, 0, "default-queue-type", OPTION_TEXT,
	  offsetof(struct options, default_queue_type) },
	{ OPTION_IF_EMPTY, 'e', "if-empty", OPTION_FLAG, 0 },
	{ OPTION_IF_UNUSED, 'u', "if-unused", OPTION_FLAG, 0 },
	{ OPTION_DURABLE, 0, "durable", OPTION_TRUTH, offsetof(struct options, durable) },
	{ OPTION_AUTO_DELETE, 0, "auto-delete", OPTION_TRUTH, offsetof(struct options, auto_delete) },
	{ OPTION_INTERNAL, 0, "internal", OPTION_TRUTH, offsetof(struct options, internal) },
	{ OPTION_TYPE, 0, "type", OPTION_TEXT, offsetof(struct options, type) },
	{ OPTION_ARGUMENTS, 0, "arguments", OPTION_TEXT, offsetof(struct options, arguments) },
	{ OPTION_DESTINATION_TYPE, 0, "destination-type", OPTION_TEXT, offsetof(struct options, destination_type) },
	{ OPTION_LIMIT, 0, "limit", OPTION_NUMBER, offsetof(struct options, limit) },
	{ OPTION_PER_CONNECTION_DELAY, 0, "per-connection-delay", OPTION_NUMBER,
	  offsetof(struct options, per_connection_delay_ms) },
	{ OPTION_PID, 'P', "pid", OPTION_NUMBER, offsetof(struct options, pid) },
	{ OPTION_SKIP_IF_UNCHANGED, 0, "skip-if-unchanged", OPTION_FLAG, 0 },
	{ OPTION_SKIP_UNSUPPORTED, 0, "skip-unsupported", OPTION_FLAG, 0 },
	{ OPTION_FORMAT, 0, "format", OPTION_TEXT, offsetof(struct options, format) },
};

static const struct option_name *find_name(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(option_names) / sizeof(*option_names); i++)
		if (strlen(option_names[i].name) == size && memcmp(option_names[i].name, name, size) == 0)
			return &option_names[i];
	return NULL;
}

static const struct option_name *find_letter(char letter)
{
	for (size_t i = 0; letter != 0 && i < sizeof(option_names) / sizeof(*option_names); i++)
		if (option_names[i].letter == letter)
			return &option_names[i];
	return NULL;
}

static bool parse_number(const char *text, uint32_t max, uint32_t *ret_number)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || number > max)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

static bool parse_truth(const char *text, bool *ret_truth)
{
	*ret_truth = strcmp(text, "true") == 0;
	return *ret_truth || strcmp(text, "false") == 0;
}

/* A key and a value. */
static bool add_value(struct option_values *values, const char *value)
{
	const char *equals = strchr(value, '=');

	if (equals == NULL || equals == value)
		return false;
	values->items = mem_realloc(values->items, (values->count + 1) * sizeof(*values->items));
	values->items[values->count++] = value;
	return true;
}

/* value NULL: there is none. */
static bool take_value(struct options *options, const struct option_name *option, const char *value)
{
	void *place = (char *)options + option->place;

	if (value == NULL)
		return false;
	switch (option->kind) {
	case OPTION_SECONDS:
		return parse_number(value, TIMEOUT_MAX_S, &options->timeout_s);
	case OPTION_NUMBER:
		return parse_number(value, INT32_MAX, place);
	case OPTION_TRUTH:
		return parse_truth(value, place);
	case OPTION_TEXTS:
		return add_value(place, value);
	case OPTION_TEXT:
	case OPTION_FLAG:
		break;
	}
	*(const char **)place = value;
	return true;
}

static void refuse(struct options *options, const char *dashes, const char *name, size_t size, const char *value)
{
	buffer_printf(&options->invalid, "%s%.*s : %s\n", dashes, (int)size, name, value != NULL ? value : "");
}

/* What follows may be an option's value: a word, also "-" and negative numbers, but no option. */
static const char *next_value(const struct options *options, int at)
{
	const char *next = at + 1 < options->argc ? options->argv[at + 1] : NULL;

	return next != NULL && (next[0] != '-' || next[1] == '\0' || isdigit((unsigned char)next[1])) ? next : NULL;
}

/* Returns how many arguments after this one it took. */
static int parse_long(struct options *options, int at)
{
	const char *name = options->argv[at] + 2, *equals = strchr(name, '=');
	size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
	const struct option_name *option = find_name(name, size);
	const char *value = equals != NULL ? equals + 1 : NULL;
	int taken = 0;

	if (option != NULL && option->kind != OPTION_FLAG && value == NULL) {
		value = next_value(options, at);
		taken = value != NULL;
	}
	if (option == NULL || (option->kind == OPTION_FLAG ? value != NULL : !take_value(options, option, value)))
		refuse(options, "--", name, size, value);
	else
		options->given |= option->id;
	return taken;
}

/* "-q", "-qs", "-p /", "-p=/". */
static int parse_short(struct options *options, int at)
{
	for (const char *letter = options->argv[at] + 1; *letter != '\0'; letter++) {
		const struct option_name *option = find_letter(*letter);
		bool has_own = letter[1] == '=';
		const char *value = NULL;

		if (option != NULL && option->kind == OPTION_FLAG && !has_own) {
			options->given |= option->id;
			continue;
		}
		if (option != NULL && option->kind != OPTION_FLAG && (has_own || letter[1] == '\0'))
			value = has_own ? letter + 2 : next_value(options, at);
		if (option == NULL || !take_value(options, option, value)) {
			refuse(options, "-", letter, 1, value);
			if (option == NULL && !has_own)
				continue;
		} else {
			options->given |= option->id;
		}
		return value != NULL && !has_own;
	}
	return 0;
}

static void take_word(struct options *options, const char *word)
{
	if (options->command == NULL)
		options->command = word;
	else
		options->words[options->n_words++] = word;
}

void options_parse(struct options *options, int argc, char **argv)
{
	bool only_words = false;

	*options = (struct options){ .argc = argc, .argv = argv };
	options->words = mem_zalloc(((size_t)argc + 1) * sizeof(*options->words));
	buffer_init(&options->invalid);
	for (int i = 1; i < argc; i++) {
		const char *argument = argv[i];

		if (only_words || argument[0] != '-' || argument[1] == '\0' || isdigit((unsigned char)argument[1]))
			take_word(options, argument);
		else if (strcmp(argument, "--") == 0)
			only_words = true;
		else if (argument[1] == '-')
			i += parse_long(options, i);
		else
			i += parse_short(options, i);
	}
}

void options_fini(struct options *options)
{
	mem_free(options->words);
	mem_free(options->headers.items);
	mem_free(options->properties.items);
	buffer_fini(&options->invalid);
}

void options_restrict(struct options *options, uint64_t allowed)
{
	for (size_t i = 0; i < sizeof(option_names) / sizeof(*option_names); i++) {
		const struct option_name *option = &option_names[i];

		if ((options->given & ~allowed & option->id) == 0)
			continue;
		refuse(options, "--", option->name, strlen(option->name),
		       option->kind == OPTION_TEXT ? *(const char *const *)(void *)((char *)options + option->place) : NULL);
	}
}

void options_each(uint64_t which, void (*visit)(void *context, const char *name), void *context)
{
	for (size_t i = 0; i < sizeof(option_names) / sizeof(*option_names); i++)
		if ((which & option_names[i].id) != 0)
			visit(context, option_names[i].name);
}

bool option_takes_value(const char *word)
{
	const struct option_name *option = NULL;

	if (strncmp(word, "--", 2) == 0)
		option = find_name(word + 2, strlen(word + 2));
	else if (word[0] == '-' && word[1] != '\0')
		option = find_letter(word[strlen(word) - 1]);
	return option != NULL && option->kind != OPTION_FLAG;
}
