/* SPDX-License-Identifier: MIT */
/* import_definitions and export_definitions: a file goes to the broker, or comes from it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "call.h"
#include "formatter.h"
#include "help.h"

#define READ_SIZE ((size_t)1 << 20)
#define INPUT_MAX ((size_t)256 << 20) /* the broker takes no more, and says so */
#define TIMEOUT_MS 300000u /* as rabbitmqctl's */

static bool is_standard(const struct options *options)
{
	return options->n_words == 0 || strcmp(options->words[0], "-") == 0;
}

static int check_format(const struct command *command, const struct options *options)
{
	const char *format = options->format != NULL ? options->format : "json";

	if (strcmp(format, "json") == 0)
		return EXIT_OK;
	if (strcmp(format, "erlang") == 0)
		(void)help_refuse(command, options, "Bad argument: Erlang terms are RabbitMQ's alone: use json");
	else
		(void)help_refuse(command, options, "Bad argument: Format should be json");
	return EXIT_DATA;
}

/* The broker's lines that are not of the answer itself. False: it is. */
static bool print_warning(const json_t *line)
{
	const char *warning = json_string_value(json_object_get(line, "warning"));

	if (warning != NULL)
		fprintf(stderr, "Warning: %s\n", warning);
	return warning != NULL;
}

/* ---- Import ---- */

/* An input without end, as of a pipe, must not take the machine's memory. */
static int read_all(int fd, struct buffer *text)
{
	while (text->size <= INPUT_MAX) {
		uint8_t *room = buffer_reserve(text, READ_SIZE);
		ssize_t n;

		if (room == NULL)
			return -ENOMEM;
		n = read(fd, room, READ_SIZE);
		if (n == 0)
			return 0;
		if (n > 0)
			text->size += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int read_input(const struct command *command, const struct options *options, struct buffer *text)
{
	const char *path = is_standard(options) ? NULL : options->words[0];
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, error;

	if (fd < 0 && errno == ENOENT) {
		(void)help_refuse(command, options, "Bad argument: File %s does not exist", path);
		return EXIT_DATA;
	}
	error = fd < 0 ? -errno : read_all(fd, text);
	if (path != NULL && fd >= 0)
		close(fd);
	if (error == 0)
		return EXIT_OK;
	fprintf(stderr, "Error: cannot read %s: %s\n", path != NULL ? path : "the standard input", strerror(-error));
	return EXIT_IO;
}

static void print_import_banner(const struct options *options)
{
	if (!formatter_wants_banner(options))
		return;
	if (is_standard(options))
		puts("Importing definitions in JSON from standard input ...");
	else
		printf("Importing definitions in JSON from a file at \"%s\" ...\n", options->words[0]);
	fflush(stdout);
}

/* The broker says that the file may come; then how it went. */
static int send_file(struct client *client, const struct options *options, const struct buffer *text,
		     bool *ret_is_unchanged)
{
	json_t *request = json_pack("{s:s, s:I, s:s?, s:b, s:b}", "command", "import_definitions", "size",
				    (json_int_t)text->size, "vhost", options->vhost, "skip_unsupported",
				    options_have(options, OPTION_SKIP_UNSUPPORTED), "skip_if_unchanged",
				    options_have(options, OPTION_SKIP_IF_UNCHANGED)), *line = NULL;
	int status;

	if (request == NULL) {
		fputs("Error:\nthe virtual host's name is not valid UTF-8\n", stderr);
		return EXIT_DATA;
	}
	status = client_ask(client, request);
	while (status == EXIT_OK && (status = client_next(client, &line)) == EXIT_OK && line != NULL) {
		if (!print_warning(line) && json_is_true(json_object_get(line, "ready")))
			status = client_put(client, text->data, text->size);
		else if (json_is_true(json_object_get(line, "unchanged")))
			*ret_is_unchanged = true;
		json_decref(line);
	}
	return status;
}

int import_run(const struct command *command, const struct options *options)
{
	int status = check_format(command, options);
	bool is_unchanged = false;
	struct client client;
	struct buffer text;

	if (status != EXIT_OK)
		return status;
	buffer_init(&text);
	status = read_input(command, options, &text);
	if (status == EXIT_OK) {
		status = client_open(&client, command, options, TIMEOUT_MS);
		if (status == EXIT_OK) {
			print_import_banner(options);
			status = send_file(&client, options, &text, &is_unchanged);
			if (status == EXIT_OK)
				status = call_confirm(&client, options);
		}
		client_close(&client);
	}
	if (text.size > 0)
		explicit_bzero(text.data, text.size);
	buffer_fini(&text);
	if (status == EXIT_OK && formatter_wants_banner(options))
		puts(is_unchanged ? "Definitions are unchanged since they were imported: nothing is done."
				  : "Definitions have been imported.");
	return status;
}

/* ---- Export ---- */

/* In the order in which the broker sends them. */
static const char *const sections[] = {
	"users",	     "vhosts",	 "permissions", "topic_permissions", "parameters",
	"global_parameters", "policies", "queues",	"exchanges",	     "bindings",
};
#define N_SECTIONS (sizeof(sections) / sizeof(*sections))

struct document {
	FILE *out;
	size_t n_begun; /* sections */
	bool has_rows;	/* in the last of them */
};

static void begin_section(struct document *document)
{
	if (document->n_begun > 0)
		fputs("]", document->out);
	fprintf(document->out, ",\n\"%s\":[", sections[document->n_begun++]);
	document->has_rows = false;
}

/* Up to that one, which is not begun again; false: there is none such left. */
static bool reach_section(struct document *document, const char *name)
{
	size_t i = document->n_begun > 0 ? document->n_begun - 1 : 0;

	while (i < N_SECTIONS && strcmp(sections[i], name) != 0)
		i++;
	while (i < N_SECTIONS && document->n_begun <= i)
		begin_section(document);
	return i < N_SECTIONS;
}

static void write_row(struct document *document, const json_t *row)
{
	const char *section = json_string_value(json_array_get(row, 0));

	if (section == NULL || !reach_section(document, section))
		return; /* of a later broker */
	fputs(document->has_rows ? ",\n" : "\n", document->out);
	json_dumpf(json_array_get(row, 1), document->out, JSON_COMPACT | JSON_SORT_KEYS);
	document->has_rows = true;
}

static void write_head(struct document *document, json_t *head)
{
	const char *name;
	json_t *value;
	bool is_first = true;

	json_object_foreach(head, name, value) {
		fprintf(document->out, "%s\"%s\":", is_first ? "{\n" : ",\n", name);
		json_dumpf(value, document->out, JSON_ENCODE_ANY);
		is_first = false;
	}
}

static int receive(struct client *client, FILE *out)
{
	struct document document = { .out = out };
	int status = client_ask(client, json_pack("{s:s}", "command", "export_definitions"));
	json_t *line = NULL;

	while (status == EXIT_OK && (status = client_next(client, &line)) == EXIT_OK && line != NULL) {
		if (json_is_array(line))
			write_row(&document, line);
		else if (!print_warning(line))
			write_head(&document, json_object_get(line, "value"));
		json_decref(line);
	}
	if (status == EXIT_OK) {
		while (document.n_begun < N_SECTIONS)
			begin_section(&document);
		fputs("]\n}\n", out);
	}
	return status;
}

/* There are hashes of passwords in it, so nobody else may read it. */
static FILE *open_output(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (out == NULL && fd >= 0)
		close(fd);
	return out;
}

static int report_output(const char *path)
{
	fprintf(stderr, "Error: cannot write %s: %s\n", path, strerror(errno));
	return EXIT_IO;
}

static int write_to(struct client *client, const char *path, const char *named)
{
	FILE *out = open_output(path);
	int status;

	if (out == NULL)
		return report_output(named);
	status = receive(client, out);
	errno = EIO;
	if ((ferror(out) | fclose(out)) != 0 && status == EXIT_OK)
		status = report_output(named);
	return status;
}

/* A file that is there already may be the last good one: it is replaced when the new one is whole.
 * What is no plain file is written to. */
static int export_to(struct client *client, const char *path)
{
	struct stat file;
	char *part;
	int status;

	if (lstat(path, &file) == 0 && !S_ISREG(file.st_mode))
		return write_to(client, path, path);
	part = mem_printf("%s.%ld.part", path, (long)getpid());
	status = write_to(client, part, path);
	if (status == EXIT_OK && rename(part, path) != 0)
		status = report_output(path);
	if (status != EXIT_OK)
		(void)unlink(part);
	mem_free(part);
	return status;
}

/* False when its directory is not there; says so. */
static bool has_directory(const struct command *command, const struct options *options)
{
	char *copy = mem_strdup(options->words[0]);
	const char *directory = dirname(copy);
	struct stat file;
	bool is_there = stat(directory, &file) == 0 && S_ISDIR(file.st_mode);

	if (!is_there)
		(void)help_refuse(command, options, "Bad argument: Directory %s does not exist", directory);
	mem_free(copy);
	return is_there;
}

int export_run(const struct command *command, const struct options *options)
{
	int status = check_format(command, options);
	struct client client;

	if (status != EXIT_OK)
		return status;
	if (!is_standard(options) && !has_directory(command, options))
		return EXIT_DATA;
	status = client_open(&client, command, options, TIMEOUT_MS);
	if (status == EXIT_OK && is_standard(options)) {
		status = receive(&client, stdout);
	} else if (status == EXIT_OK) {
		if (formatter_wants_banner(options))
			printf("Exporting definitions in JSON to a file at \"%s\" ...\n", options->words[0]);
		fflush(stdout);
		status = export_to(&client, options->words[0]);
	}
	client_close(&client);
	return status;
}
