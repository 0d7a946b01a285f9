/* SPDX-License-Identifier: MIT */
/* wait and await_startup: until the broker serves. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client.h"
#include "formatter.h"
#include "help.h"

#define WAIT_STEP_MS	  20u   /* between two looks */
#define WAIT_TIMEOUT_MS	  10000u
#define STARTUP_TIMEOUT_MS 300000u

struct waiting {
	const struct command *command;
	const struct options *options;
	uint64_t deadline_ms; /* monotonic */
	uint32_t timeout_ms;
	long pid; /* 0: nobody's */
};

static void say(const struct waiting *waiting, const char *format, ...) PRINTF_FORMAT(2, 3);

static void say(const struct waiting *waiting, const char *format, ...)
{
	va_list args;

	if (!formatter_wants_banner(waiting->options))
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void waiting_begin(struct waiting *waiting, const struct command *command, const struct options *options,
			  uint32_t timeout_ms)
{
	if (options_have(options, OPTION_TIMEOUT))
		timeout_ms = options->timeout_s * 1000;
	*waiting = (struct waiting){
		.command = command,
		.options = options,
		.timeout_ms = timeout_ms,
		.deadline_ms = clock_monotonic_ms() + timeout_ms,
	};
}

static int report_timeout(const struct waiting *waiting)
{
	fprintf(stderr, "Error: operation %s on node '%s' timed out. Timeout value used: %u\n", waiting->command->name,
		client_socket(waiting->options), waiting->timeout_ms);
	return EXIT_TIMEOUT;
}

/* False: it is too late. */
static bool rest(const struct waiting *waiting)
{
	if (clock_monotonic_ms() >= waiting->deadline_ms)
		return false;
	(void)poll(NULL, 0, WAIT_STEP_MS);
	return true;
}

/* ---- The process ---- */

static bool read_pid_file(const char *path, long *ret_pid)
{
	FILE *file = fopen(path, "re");
	bool is_read;

	if (file == NULL)
		return false;
	is_read = fscanf(file, "%ld", ret_pid) == 1 && *ret_pid > 0;
	fclose(file);
	return is_read;
}

static int await_pid_file(struct waiting *waiting, const char *path)
{
	say(waiting, "Waiting for pid file '%s' to appear", path);
	while (!read_pid_file(path, &waiting->pid))
		if (!rest(waiting))
			return report_timeout(waiting);
	say(waiting, "pid is %ld", waiting->pid);
	return EXIT_OK;
}

/* One that belongs to another user is there, too. */
static bool process_is_running(long pid)
{
	return pid == 0 || kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

/* ---- The socket ---- */

/* It is there as soon as the broker has restored all and listens. What is wrong otherwise than that nobody answers
 * does not get better. */
static int try_once(struct waiting *waiting, bool *ret_again)
{
	struct client client;
	json_t *value = NULL;
	int error = client_try_open(&client, waiting->command, waiting->options, waiting->timeout_ms);
	int status = EXIT_OK;

	*ret_again = error == -ENOENT || error == -ECONNREFUSED;
	if (error == 0)
		status = client_call(&client, json_pack("{s:s}", "command", "ping"), &value);
	else if (!*ret_again)
		status = client_report_unavailable(&client, error);
	json_decref(value);
	client_close(&client);
	return status;
}

static int await_socket(struct waiting *waiting)
{
	bool again;
	int status;

	for (;;) {
		if (!process_is_running(waiting->pid)) {
			fputs("Error:\nprocess_not_running\n", stderr);
			return EXIT_UNAVAILABLE;
		}
		status = try_once(waiting, &again);
		if (!again)
			return status;
		if (!rest(waiting))
			return report_timeout(waiting);
	}
}

/* ---- The commands ---- */

int wait_run(const struct command *command, const struct options *options)
{
	bool has_pid = options_have(options, OPTION_PID);
	const char *socket = client_socket(options);
	struct waiting waiting;
	int status = EXIT_OK;

	if (has_pid && options->n_words != 0)
		return help_refuse(command, options, "\"Cannot specify both pid and pidfile\"");
	waiting_begin(&waiting, command, options, WAIT_TIMEOUT_MS);
	waiting.pid = has_pid ? (long)options->pid : 0;
	if (options->n_words != 0)
		status = await_pid_file(&waiting, options->words[0]);
	if (status != EXIT_OK)
		return status;
	if (waiting.pid != 0)
		say(&waiting, "Waiting for the broker at '%s' while OS process '%ld' is running", socket, waiting.pid);
	else
		say(&waiting, "Waiting for the broker at '%s'", socket);
	status = await_socket(&waiting);
	if (status == EXIT_OK)
		say(&waiting, "The broker at '%s' is running", socket);
	return status;
}

int await_startup_run(const struct command *command, const struct options *options)
{
	struct waiting waiting;

	waiting_begin(&waiting, command, options, STARTUP_TIMEOUT_MS);
	return await_socket(&waiting);
}
