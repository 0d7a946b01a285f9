/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define CLIENT_LINE_MAX ((size_t)256 << 20)
#define CLIENT_CHUNK ((size_t)64 << 10)
#define CLIENT_BUSY_MS 5 /* between tries while its backlog is full */

const char *client_socket(const struct options *options)
{
	const char *environment = getenv("SHUNT_SOCKET");

	if (options->socket != NULL)
		return options->socket;
	return environment != NULL && *environment != '\0' ? environment : SHUNT_RUNDIR "/shunt/control.sock";
}

/* ---- Waiting ---- */

static int client_left_ms(const struct client *client)
{
	uint64_t now = clock_monotonic_ms();

	if (client->timeout_ms == CLIENT_NO_TIMEOUT)
		return -1;
	if (now >= client->deadline_ms)
		return 0;
	return client->deadline_ms - now > INT32_MAX ? INT32_MAX : (int)(client->deadline_ms - now);
}

/* 0, or -ETIMEDOUT. */
static int client_wait(const struct client *client, int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		int n = poll(&poll_fd, 1, client_left_ms(client));

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* ---- Connecting ---- */

static int client_connect(const struct client *client, const struct sockaddr_un *address)
{
	for (;;) {
		if (connect(client->fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		if (client_left_ms(client) == 0)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, CLIENT_BUSY_MS);
	}
}

int client_try_open(struct client *client, const struct command *command, const struct options *options,
		    uint32_t timeout_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (options_have(options, OPTION_TIMEOUT))
		timeout_ms = options->timeout_s * 1000;
	*client = (struct client){
		.path = client_socket(options),
		.operation = command->name,
		.fd = -1,
		.timeout_ms = timeout_ms,
		.deadline_ms = clock_monotonic_ms() + timeout_ms,
	};
	buffer_init(&client->input);
	if (timeout_ms == 0)
		return -ETIMEDOUT;
	if (strlen(client->path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, client->path, strlen(client->path) + 1);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return client->fd < 0 ? -errno : client_connect(client, &address);
}

static const char *client_suggestion(int error)
{
	switch (-error) {
	case ENOENT:
		return "start the broker, or name its control socket with --socket";
	case ECONNREFUSED:
		return "the broker has ended without removing its socket: start it again";
	case EACCES:
	case EPERM:
		return "use the broker's user, or root";
	case ENAMETOOLONG:
		return "an address of a Unix socket has at most 107 bytes: name a shorter one";
	default:
		return "see the broker's log";
	}
}

static int client_report_timeout(const struct client *client)
{
	fprintf(stderr, "Error: operation %s on node '%s' timed out. Timeout value used: %u\n", client->operation,
		client->path, client->timeout_ms);
	return EXIT_TIMEOUT;
}

int client_report_unavailable(const struct client *client, int error)
{
	if (error == -ETIMEDOUT)
		return client_report_timeout(client);
	fprintf(stderr,
		"Error: unable to perform an operation on node '%s'. Please see diagnostics information and suggestions "
		"below.\n"
		"\n"
		"Most common reasons for this are:\n"
		"\n"
		" * The broker is not running\n"
		" * It has another control socket: see control.socket in its configuration; --socket and SHUNT_SOCKET name it\n"
		" * It belongs to another user: only that one and root are let in\n"
		"\n"
		"DIAGNOSTICS\n"
		"===========\n"
		"\n"
		"attempted to contact: %s\n"
		"\n"
		"  * %s\n"
		"  * suggestion: %s\n",
		client->path, client->path, strerror(-error), client_suggestion(error));
	return EXIT_UNAVAILABLE;
}

int client_open(struct client *client, const struct command *command, const struct options *options,
		uint32_t timeout_ms)
{
	int error = client_try_open(client, command, options, timeout_ms);

	return error == 0 ? EXIT_OK : client_report_unavailable(client, error);
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	buffer_fini(&client->input);
}

/* ---- Talking ---- */

static int client_report_lost(const struct client *client, const char *reason)
{
	fprintf(stderr, "Error: the broker at '%s' broke off: %s\n", client->path, reason);
	return EXIT_UNAVAILABLE;
}

static int client_report_failure(const struct client *client, int error)
{
	if (error == -ETIMEDOUT)
		return client_report_timeout(client);
	return client_report_lost(client, strerror(-error));
}

static int client_send(struct client *client, const char *bytes, size_t size)
{
	while (size != 0) {
		ssize_t n = send(client->fd, bytes, size, MSG_NOSIGNAL);

		if (n >= 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			int error = client_wait(client, client->fd, POLLOUT);

			if (error != 0)
				return error;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int client_ask(struct client *client, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int error = -EINVAL;

	json_decref(request);
	if (text != NULL)
		error = client_send(client, text, strlen(text));
	if (error == 0)
		error = client_send(client, "\n", 1);
	free(text);
	/* it may have said why before it closed the socket */
	return error == 0 || error == -EPIPE ? EXIT_OK : client_report_failure(client, error);
}

int client_put(struct client *client, const void *bytes, size_t size)
{
	int error = client_send(client, bytes, size);

	return error == 0 || error == -EPIPE ? EXIT_OK : client_report_failure(client, error);
}

/* Reads some more. 0, a negative errno, -ECONNRESET at the end. */
static int client_fill(struct client *client)
{
	uint8_t *room;
	ssize_t n;
	int error;

	if (client->input.size - client->line_start > CLIENT_LINE_MAX)
		return -EMSGSIZE;
	buffer_consume(&client->input, client->line_start);
	client->scanned -= client->line_start;
	client->line_start = 0;
	room = buffer_reserve(&client->input, CLIENT_CHUNK);
	if (room == NULL)
		return -ENOMEM;
	do {
		error = client_wait(client, client->fd, POLLIN);
		if (error != 0)
			return error;
		n = recv(client->fd, room, CLIENT_CHUNK, 0);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n <= 0)
		return n == 0 ? -ECONNRESET : -errno;
	client->input.size += (size_t)n;
	return 0;
}

static int client_read_line(struct client *client, struct slice *ret_line)
{
	for (;;) {
		const uint8_t *start = client->input.data + client->line_start, *end;
		size_t left = client->input.size - client->scanned;
		int error;

		end = left != 0 ? memchr(client->input.data + client->scanned, '\n', left) : NULL;
		if (end != NULL) {
			*ret_line = slice_make(start, (size_t)(end - start));
			client->line_start += ret_line->size + 1;
			client->scanned = client->line_start;
			return 0;
		}
		client->scanned = client->input.size;
		error = client_fill(client);
		if (error != 0)
			return error;
	}
}

/* The last line of an answer. An exit status. */
static int client_finish(json_t *line)
{
	const char *error = json_string_value(json_object_get(line, "error"));
	int status = EXIT_OK;

	if (error != NULL) {
		json_t *code = json_object_get(line, "status");

		status = json_is_integer(code) ? (int)json_integer_value(code) : EXIT_SOFTWARE;
		fprintf(stderr, "Error:\n%s\n", error);
	}
	json_decref(line);
	return status;
}

int client_next(struct client *client, json_t **ret_line)
{
	struct slice text;
	json_error_t why;
	json_t *line;
	int error = client_read_line(client, &text);

	if (error == -ECONNRESET)
		return client_report_lost(client, "the connection was closed");
	if (error != 0)
		return client_report_failure(client, error);
	line = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, &why);
	if (line == NULL) {
		fprintf(stderr, "Error: an answer that is no JSON: %s\n", why.text);
		return EXIT_SOFTWARE;
	}
	*ret_line = NULL;
	if (json_object_get(line, "error") != NULL || json_object_get(line, "ok") != NULL)
		return client_finish(line);
	*ret_line = line;
	return EXIT_OK;
}

int client_call(struct client *client, json_t *request, json_t **ret_value)
{
	json_t *line, *value = NULL;
	int status = client_ask(client, request);

	while (status == EXIT_OK && (status = client_next(client, &line)) == EXIT_OK && line != NULL) {
		json_decref(value);
		value = json_incref(json_object_get(line, "value"));
		json_decref(line);
	}
	if (status == EXIT_OK)
		*ret_value = value;
	else
		json_decref(value);
	return status;
}

/* ---- The broker's end ---- */

/* Becomes readable when the process at the other end is gone; -1 if that cannot be had. */
static int client_open_process(const struct client *client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

int client_wait_for_end(struct client *client)
{
	int process = client_open_process(client), error;

	do {
		error = client_fill(client);
	} while (error == 0);
	if (error == -ECONNRESET && process >= 0)
		error = client_wait(client, process, POLLIN);
	if (process >= 0)
		close(process);
	return error == 0 || error == -ECONNRESET ? EXIT_OK : client_report_failure(client, error);
}
