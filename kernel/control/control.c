/* SPDX-License-Identifier: MIT */
#include "control/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/client.h"
#include "control/columns.h"
#include "control/socket.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define CONTROL_REQUEST_MAX ((size_t)1 << 20)
#define CONTROL_OUTPUT_LOW                                                                         \
	((size_t)64 << 10)	    /* with no more than this unsent, more of a list is made */
#define CONTROL_TURN_REQUESTS 8u    /* of a client in one turn */
#define CONTROL_REST_MS	      1000u /* when there are no descriptors */

/*
 * When descriptors are out, an operator needs us most: one is kept in reserve and given to the
 * client that comes then. If even that is in use, accepting rests a while.
 */
struct control {
	struct control_config config;
	struct event *accept;
	struct loop_timer rest;
	struct log_limit refusals;
	struct list clients;
	char *path;
	int fd, reserve; /* -1: in use */
};

struct control_client {
	struct list link;
	struct control *control;
	struct bufferevent *stream;
	struct actor_ref ref;
	char by[24], from[40];	      /* control_client_actor() */
	bool is_busy;		      /* a command is being answered */
	bool is_running;	      /* client_run_requests() is on the stack */
	struct loop_task more;	      /* requests, in a later turn */
	void (*ready)(void *context); /* who waits for room in the output; NULL: nobody */
	void *context;
	void (*gone)(void *context); /* who wants to know that it has gone; NULL: nobody */
	void *gone_context;
	size_t n_to_receive; /* bytes that are no requests */
	void (*received)(void *context, struct slice bytes);
	void *received_context;
};

static void client_run_requests(struct control_client *client);

/* ---- Answers ---- */

struct actor_ref control_client_ref(const struct control_client *client)
{
	return client->ref;
}

struct control_client *control_client_get(struct actor_ref ref)
{
	return slots_get(ref);
}

const struct control_config *control_client_config(const struct control_client *client)
{
	return &client->control->config;
}

struct audit_actor control_client_actor(const struct control_client *client)
{
	return (struct audit_actor){slice_cstr(client->by), slice_cstr(client->from)};
}

void control_client_send(struct control_client *client, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(value);
	if (text == NULL || bufferevent_write(client->stream, text, strlen(text)) != 0 ||
	    bufferevent_write(client->stream, "\n", 1) != 0)
		log_error("control", "out of memory for an answer");
	mem_free(text);
}

void control_client_send_raw(struct control_client *client, const struct buffer *lines)
{
	if (lines->failed || bufferevent_write(client->stream, lines->data, lines->size) != 0)
		log_error("control", "out of memory for an answer");
}

size_t control_client_unsent(const struct control_client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->stream));
}

void control_client_when_ready(struct control_client *client, void (*ready)(void *context),
			       void *context)
{
	if (control_client_unsent(client) <= CONTROL_OUTPUT_LOW) {
		ready(context);
		return;
	}
	client->ready = ready;
	client->context = context;
}

static void client_tell_waiter(struct control_client *client)
{
	void (*ready)(void *context) = client->ready;

	client->ready = NULL;
	if (ready != NULL)
		ready(client->context);
}

void control_client_when_gone(struct control_client *client, void (*gone)(void *context),
			      void *context)
{
	client->gone = gone;
	client->gone_context = context;
}

static void client_finish(struct control_client *client)
{
	client->gone = NULL;
	client->is_busy = false;
	client_run_requests(client);
}

void control_client_ok(struct control_client *client)
{
	control_client_send(client, json_pack("{s:b}", "ok", 1));
	client_finish(client);
}

void control_client_fail(struct control_client *client, enum control_status status,
			 const char *format, ...)
{
	char text[1536];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	control_client_send(client, json_pack("{s:o, s:i}", "error", column_text(slice_cstr(text)),
					      "status", (int)status));
	client_finish(client);
}

/* ---- Bytes ---- */

/*
 * Requests bring passwords. What is left of a line goes with it: in the input's memory, in the
 * copy, and in all that jansson has made of it, which is freed by this.
 */
static void wiping_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void input_wipe(struct evbuffer *input, size_t size)
{
	struct evbuffer_iovec parts[8];

	while (size != 0) {
		int n = evbuffer_peek(input, (ev_ssize_t)size, NULL, parts, 8);
		size_t drained = 0;

		for (int i = 0; i < n && i < 8 && drained < size; i++) {
			size_t part = size - drained < parts[i].iov_len ? size - drained
									: parts[i].iov_len;

			explicit_bzero(parts[i].iov_base, part);
			drained += part;
		}
		if (drained == 0 || evbuffer_drain(input, drained) != 0)
			return;
		size -= drained;
	}
}

static void client_take_bytes(struct control_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	struct actor_ref ref = client->ref;

	while (control_client_get(ref) != NULL && client->n_to_receive > 0) {
		struct evbuffer_iovec piece;
		size_t size;

		if (evbuffer_peek(input, -1, NULL, &piece, 1) < 1 || piece.iov_len == 0)
			return;
		size = piece.iov_len < client->n_to_receive ? piece.iov_len : client->n_to_receive;
		client->n_to_receive -= size;
		client->received(client->received_context, slice_make(piece.iov_base, size));
		if (control_client_get(ref) != NULL)
			input_wipe(input, size);
	}
}

void control_client_receive(struct control_client *client, size_t size,
			    void (*received)(void *context, struct slice bytes), void *context)
{
	client->n_to_receive = size;
	client->received = received;
	client->received_context = context;
	client_take_bytes(client);
}

/* ---- Requests ---- */

static const struct control_command *client_find_command(const char *name)
{
	for (size_t i = 0; control_commands[i] != NULL; i++)
		for (const struct control_command *command = control_commands[i];
		     command->name != NULL; command++)
			if (strcmp(command->name, name) == 0)
				return command;
	return NULL;
}

static void client_run(struct control_client *client, const char *line, size_t size)
{
	json_error_t error;
	json_t *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	const char *name = json_string_value(json_object_get(request, "command"));

	client->is_busy = true;
	if (name == NULL) {
		control_client_fail(client, CONTROL_DATA,
				    "the request is not an object with a command");
	} else {
		const struct control_command *command = client_find_command(name);

		if (command != NULL)
			command->run(client, request);
		else
			control_client_fail(client, CONTROL_USAGE, "unknown command '%s'", name);
	}
	json_decref(request);
}

static void control_open_reserve(struct control *control)
{
	if (control->reserve < 0)
		control->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void client_destroy(struct control_client *client)
{
	struct control *control = client->control;

	slots_remove(client->ref);
	list_remove(&client->link);
	loop_cancel(&client->more);
	client_tell_waiter(client);
	if (client->gone != NULL)
		client->gone(client->gone_context);
	bufferevent_free(client->stream);
	mem_free(client);
	control_open_reserve(control);
}

/* The next line without its end, to be freed by wiping_free(); NULL: none is whole, or there is no
 * memory for it. */
static char *input_take_line(struct evbuffer *input, size_t *ret_size)
{
	size_t end_size;
	struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, &end_size, EVBUFFER_EOL_LF);
	char *line;

	if (end.pos < 0)
		return NULL;
	line = mem_try_alloc((size_t)end.pos + 1);
	if (line == NULL)
		return NULL;
	evbuffer_copyout(input, line, (size_t)end.pos);
	line[end.pos] = '\0';
	input_wipe(input, (size_t)end.pos + end_size);
	*ret_size = (size_t)end.pos;
	return line;
}

/* A client that does not take its answers is not asked for more requests. */
static bool client_may_run(const struct control_client *client)
{
	return !client->is_busy && control_client_unsent(client) <= CONTROL_OUTPUT_LOW;
}

/* Those that have come as whole lines, one after the other, until one has to wait for its answer.
 */
static void client_run_requests(struct control_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	unsigned left = CONTROL_TURN_REQUESTS;
	char *line = NULL;
	size_t size;

	if (client->is_running)
		return;
	client->is_running = true;
	while (left > 0 && client_may_run(client) &&
	       (line = input_take_line(input, &size)) != NULL) {
		client_run(client, line, size);
		wiping_free(line);
		left--;
	}
	client->is_running = false;
	if (left == 0)
		loop_defer_background(&client->more);
}

static void client_run_more(struct loop_task *task)
{
	client_run_requests(container_of(task, struct control_client, more));
}

static bool client_has_line(const struct control_client *client)
{
	return evbuffer_search_eol(bufferevent_get_input(client->stream), NULL, NULL,
				   EVBUFFER_EOL_LF)
		       .pos >= 0;
}

/* Reads no more than one request ahead; what has no end in that is none. */
static void client_read(struct bufferevent *stream, void *context)
{
	struct control_client *client = context;

	(void)loop_now_ms(); /* the turn begins here: loop/loop.h */
	if (client->n_to_receive > 0)
		client_take_bytes(client);
	client_run_requests(client);
	if (!client->is_busy &&
	    evbuffer_get_length(bufferevent_get_input(stream)) >= CONTROL_REQUEST_MAX &&
	    !client_has_line(client)) {
		log_warning("control", "request too long: limit=%zu", CONTROL_REQUEST_MAX);
		client_destroy(client);
	}
}

static void client_written(struct bufferevent *stream, void *context)
{
	struct control_client *client = context;
	struct actor_ref ref = client->ref;

	(void)stream;
	(void)loop_now_ms(); /* as in client_read() */
	client_tell_waiter(client);
	if (control_client_get(ref) != NULL)
		client_run_requests(client);
}

static void client_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream, (void)what;
	client_destroy(context);
}

/* ---- Accepting ---- */

/* Root, and the user that the broker runs as. */
static bool control_may_enter(struct control *control, int fd, struct ucred *ret_peer)
{
	static const char refusal[] =
		"{\"error\":\"access refused: use the broker's user, or root\",\"status\":69}\n";
	socklen_t size = sizeof(*ret_peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &size) != 0)
		return false;
	if (ret_peer->uid == 0 || ret_peer->uid == geteuid())
		return true;
	log_limited(&control->refusals, LOG_LEVEL_WARNING, "control", "refused: uid=%ld pid=%ld",
		    (long)ret_peer->uid, (long)ret_peer->pid);
	(void)!send(fd, refusal, sizeof(refusal) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	return false;
}

static void control_add_client(struct control *control, int fd, const struct ucred *peer)
{
	struct control_client *client = mem_zalloc(sizeof(*client));

	client->control = control;
	snprintf(client->by, sizeof(client->by), "uid=%ld", (long)peer->uid);
	snprintf(client->from, sizeof(client->from), "control socket, pid %ld", (long)peer->pid);
	client->stream = bufferevent_socket_new(loop_base(loop_self()), fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->stream == NULL) {
		mem_free(client);
		close(fd);
		return;
	}
	client->ref = slots_add(client);
	loop_task_init(&client->more, client_run_more);
	list_add_tail(&control->clients, &client->link);
	bufferevent_setcb(client->stream, client_read, client_written, client_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, CONTROL_REQUEST_MAX);
	bufferevent_setwatermark(client->stream, EV_WRITE, CONTROL_OUTPUT_LOW, 0);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static int control_accept_one(struct control *control)
{
	int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || control->reserve < 0)
		return fd;
	close(control->reserve);
	control->reserve = -1;
	return accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void control_accept(evutil_socket_t listener, short what, void *context)
{
	struct control *control = context;
	int fd = control_accept_one(control);
	struct ucred peer;

	(void)listener, (void)what;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			event_del(control->accept);
			loop_timer_start_ms(&control->rest, CONTROL_REST_MS);
		}
		return;
	}
	if (control_may_enter(control, fd, &peer))
		control_add_client(control, fd, &peer);
	else
		close(fd);
}

static void control_rested(struct loop_timer *timer)
{
	struct control *control = container_of(timer, struct control, rest);

	control_open_reserve(control);
	if (event_add(control->accept, NULL) != 0)
		loop_timer_start_ms(timer, CONTROL_REST_MS);
}

/* ---- Beginning and end ---- */

int control_create(const char *path, const struct control_config *config,
		   struct control **ret_control)
{
	int fd = control_socket_open(path);
	struct control *control;

	if (fd < 0)
		return fd;
	json_set_alloc_funcs(malloc, wiping_free);
	control = mem_zalloc(sizeof(*control));
	control->config = *config;
	control->path = mem_strdup(path);
	control->fd = fd;
	control->reserve = -1;
	control->refusals = (struct log_limit)LOG_LIMIT(10);
	control_open_reserve(control);
	list_init(&control->clients);
	loop_timer_init(&control->rest, control_rested);
	control->accept = event_new(loop_base(loop_self()), fd, EV_READ | EV_PERSIST,
				    control_accept, control);
	if (control->accept == NULL || event_add(control->accept, NULL) != 0) {
		control_destroy(control);
		return -ENOMEM;
	}
	*ret_control = control;
	return 0;
}

void control_destroy(struct control *control)
{
	struct list *node;

	if (control == NULL)
		return;
	while ((node = list_first(&control->clients)) != NULL)
		client_destroy(container_of(node, struct control_client, link));
	loop_timer_stop(&control->rest);
	if (control->accept != NULL)
		event_free(control->accept);
	if (control->reserve >= 0)
		close(control->reserve);
	close(control->fd);
	(void)unlink(control->path);
	mem_free(control->path);
	mem_free(control);
}
