/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "formatter.h"
#include "help.h"

#define LIST_USAGE "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]"

const struct command commands[] = {
	{
		.name = "help",
		.group = "Help",
		.usage = "(<command> | [--list-commands])",
		.summary = "Displays usage information for a command",
		.details = "--list-commands\n\tonly output a list of commands\n",
		.n_words_max = 1,
		.options = OPTION_LIST_COMMANDS,
		.run = help_run,
	},
	{
		.name = "version",
		.group = "Help",
		.usage = "",
		.summary = "Displays the version of this program",
		.run = version_run,
	},
	{
		.name = "stop",
		.group = "Nodes",
		.usage = "[--idempotent] [<pidfile>]",
		.summary = "Stops the broker and waits until its process has ended",
		.details = "<pidfile>\n\taccepted and not needed: the control socket tells which process to wait for\n\n"
			   "--idempotent\n\treturn success if no broker is running\n",
		.n_words_max = 1,
		.options = OPTION_IDEMPOTENT,
		.run = stop_run,
	},
	{
		.name = "explain_route",
		.group = "Monitoring, observability and health checks",
		.usage = "[--vhost <vhost>] <exchange> <routing_key> [--header <key>=<value> ...] "
			 "[--property <name>=<value> ...] [--timeout <timeout>]",
		.summary = "Tells where a message would go, and why",
		.details = "<exchange>\n\twhere it would be published; '' is the default exchange\n\n"
			   "<routing_key>\n\tits routing key\n\n"
			   "--header <key>=<value>\n\ta header, as often as needed: a string, or int:5, real:0.5, bool:true, "
			   "null:, string:text\n\n"
			   "--property <name>=<value>\n\ta property: content_type, priority, app_id and so on\n\n"
			   "--formatter <json>\n\talternative formatter\n",
		.n_words_max = 2,
		.options = OPTION_HEADER | OPTION_PROPERTY,
		.run = explain_run,
	},
	{
		.name = "list_bindings",
		.group = "Monitoring, observability and health checks",
		.usage = LIST_USAGE,
		.summary = "Lists all bindings on a vhost",
		.columns = "arguments destination_kind destination_name routing_key source_kind source_name",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_connections",
		.group = "Monitoring, observability and health checks",
		.usage = "[--no-table-headers] [<column> ...] [--timeout <timeout>]",
		.summary = "Lists AMQP 0.9.1 connections for the node",
		.columns = "auth_mechanism channel_max channels client_properties connected_at frame_max host name "
			   "peer_cert_issuer peer_cert_subject peer_cert_validity peer_host peer_port pid port protocol "
			   "recv_oct send_oct send_pend ssl ssl_cipher ssl_hash ssl_key_exchange ssl_protocol state "
			   "timeout user vhost",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_consumers",
		.group = "Monitoring, observability and health checks",
		.usage = LIST_USAGE,
		.summary = "Lists all consumers for a vhost",
		.columns = "ack_required active activity_status arguments channel_pid consumer_tag exclusive "
			   "prefetch_count priority queue_name",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_exchanges",
		.group = "Monitoring, observability and health checks",
		.usage = LIST_USAGE,
		.summary = "Lists exchanges",
		.columns = "arguments auto_delete durable internal name policy type",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_queues",
		.group = "Monitoring, observability and health checks",
		.usage = "[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...] "
			 "[--timeout <timeout>]",
		.summary = "Lists queues and their properties",
		.details = "--online\n\tlists only queues on reachable nodes: all of them\n\n"
			   "--offline\n\tlists only queues on unreachable nodes: none\n\n"
			   "--local\n\tonly return queues of this node: all of them\n",
		.columns = "arguments auto_delete consumers durable exclusive exclusive_consumer_pid "
			   "exclusive_consumer_tag leader members memory message_bytes message_bytes_paged_out "
			   "message_bytes_ram messages messages_paged_out messages_ram messages_ready "
			   "messages_ready_ram messages_unacknowledged messages_unacknowledged_ram name "
			   "online owner_pid pid policy slave_pids state synchronised_slave_pids type vhost",
		.options = OPTION_NO_TABLE_HEADERS | OPTION_ONLINE | OPTION_OFFLINE | OPTION_LOCAL,
		.run = list_run,
	},
	{
		.name = "ping",
		.group = "Monitoring, observability and health checks",
		.usage = "[--timeout <timeout>]",
		.summary = "Checks that the broker's process is up and its control socket answers",
		.run = ping_run,
	},
	{
		.name = "status",
		.group = "Monitoring, observability and health checks",
		.usage = "[--unit <unit>] [--timeout <timeout>]",
		.summary = "Displays status of a node",
		.details = "--unit <bytes | kb | mb | gb>\n\tbyte multiple (bytes, kilobytes, megabytes, gigabytes) to use\n\n"
			   "--formatter <json>\n\talternative formatter\n",
		.options = OPTION_UNIT,
		.run = status_run,
	},
	{
		.name = "plugin",
		.group = "Plugins",
		.usage = "(list | info <plugin> | load <file> | reload <plugin> [<file>] | unload <plugin> |\n"
			 "         trial <plugin> <file> [--percent <n>] | promote <plugin> | drop <plugin> |\n"
			 "         run <plugin> <command> [<argument> ...])",
		.summary = "Shows plugins, and changes them while the broker runs",
		.details = "list\n\tplugins, with their versions, files and exchange types\n\n"
			   "info <plugin>\n\tall about one: arguments of its exchange types, options, metrics, its trial\n\n"
			   "load <file>\n\tloads a file, or a name from the broker's folder of plugins\n\n"
			   "reload <plugin> [<file>]\n\tlets what the file holds now, or another, take its place;\n"
			   "\tif anything is wrong with that, the old one stays\n\n"
			   "unload <plugin>\n\ttakes it out, if no exchange is of a type of it\n\n"
			   "trial <plugin> <file> [--percent <n>]\n\thas another version route a copy of so many of 100 "
			   "messages, by default all;\n\tinfo shows what it would have done otherwise\n\n"
			   "promote <plugin>\n\tlets the version on trial take its place\n\n"
			   "drop <plugin>\n\tends the trial\n\n"
			   "run <plugin> <command> [<argument> ...]\n\truns a command of the plugin; arguments that "
			   "begin with '-' come behind --\n",
		.n_words_max = SIZE_MAX,
		.options = OPTION_PERCENT | OPTION_NO_TABLE_HEADERS,
		.run = plugin_run,
	},
	{ .name = NULL },
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name != NULL; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

/* ---- Guessing ---- */

#define GUESS_NAME_MAX 64u
#define GUESS_DISTANCE_MAX 4u

/* How many letters have to be inserted, left out or replaced. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[GUESS_NAME_MAX + 1], size = (unsigned)strlen(b);

	for (unsigned j = 0; j <= size; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= size; j++) {
			unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			best = above + 1 < best ? above + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = above;
		}
	}
	return row[size];
}

const struct command *command_guess(const char *name)
{
	const struct command *nearest = NULL;
	unsigned least = GUESS_DISTANCE_MAX + 1;

	if (strlen(name) > GUESS_NAME_MAX)
		return NULL;
	for (const struct command *command = commands; command->name != NULL; command++) {
		unsigned distance = edit_distance(command->name, name);

		/* not more than a third of it may be wrong */
		if (distance < least && distance * 3 <= strlen(command->name)) {
			least = distance;
			nearest = command;
		}
	}
	return nearest;
}

/* ---- Checking the command line ---- */

bool command_has_column(const struct command *command, const char *name, size_t size)
{
	for (const char *word = command->columns; *word != '\0';) {
		size_t length = strcspn(word, " ");

		if (length == size && memcmp(word, name, size) == 0)
			return true;
		word += length + strspn(word + length, " ");
	}
	return false;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Words are columns, some perhaps with commas between. The unknown ones in order, as "a,b". */
static void print_unknown_columns(const struct command *command, const struct options *options, struct buffer *ret_text)
{
	char **unknown = NULL;
	size_t n = 0;

	for (size_t i = 0; i < options->n_words; i++) {
		const char *name = options->words[i];

		for (size_t size; *name != '\0'; name += size + strspn(name + size, ",")) {
			size = strcspn(name, ",");
			if (size == 0 || command_has_column(command, name, size))
				continue;
			unknown = mem_realloc(unknown, (n + 1) * sizeof(*unknown));
			unknown[n++] = mem_printf("%.*s", (int)size, name);
		}
	}
	if (n != 0)
		qsort(unknown, n, sizeof(*unknown), compare_texts);
	for (size_t i = 0; i < n; i++) {
		buffer_printf(ret_text, "%s%s", i != 0 ? "," : "", unknown[i]);
		mem_free(unknown[i]);
	}
	mem_free(unknown);
}

static int check_words(const struct command *command, const struct options *options)
{
	struct buffer unknown;
	int status = EXIT_OK;

	if (command->columns == NULL) {
		if (options->n_words > command->n_words_max)
			return help_refuse(command, options, "too many arguments.");
		return EXIT_OK;
	}
	buffer_init(&unknown);
	print_unknown_columns(command, options, &unknown);
	if (unknown.size != 0)
		status = help_refuse(command, options, "Info key(s) %s are not supported", buffer_cstr(&unknown));
	buffer_fini(&unknown);
	return status;
}

int command_check(const struct command *command, struct options *options)
{
	unsigned allowed = OPTIONS_GENERAL | command->options;

	if (options->formatter != NULL && formatter_find(options->formatter) == NULL)
		return help_refuse(command, options, "Formatter '%s' is not supported: use table, json, csv or pretty_table",
				   options->formatter);
	/* it belongs to the table */
	if (options->formatter != NULL && strcmp(options->formatter, "table") != 0)
		allowed &= ~(unsigned)OPTION_NO_TABLE_HEADERS;
	options_restrict(options, allowed);
	if (options->invalid.size != 0)
		return help_refuse(command, options, "Invalid options for this command:\n%.*s",
				   (int)(options->invalid.size - 1), buffer_cstr(&options->invalid));
	return check_words(command, options);
}
