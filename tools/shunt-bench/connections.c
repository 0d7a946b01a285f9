/* SPDX-License-Identifier: MIT */
/*
 * Each thread has its share of the connections and an epoll of its own. A connection is stepped on
 * whenever its socket has something, until it is ready; then the next one is begun in its place.
 */
#include "connections.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/mem.h"
#include "meter.h"
#include "run.h"

#define EVENTS_MAX 64
#define TURN_MS	   50 /* how often the clock and signals are looked at, at least */

/* A connection in the making, or one that is kept. Owned by its opener. */
struct session {
	struct client client;
	uint64_t begin_ns;
	bool is_used;
};

/* A thread that opens connections. Its figures are read after it has ended. */
struct opener {
	pthread_t thread;
	bool is_started;
	const struct options *options;
	const struct target *target;
	struct session *sessions; /* churn: one for each handshake; else one for each connection */
	unsigned session_count, session_next;
	unsigned under_way, under_way_max;
	uint64_t begun, limit; /* how many, in all */
	uint64_t deadline_ns;  /* nothing is begun after; 0: none */
	uint64_t finished;
	uint64_t progress_ns;
	int epoll_fd;
	struct histogram latency;
	char broker[64], tls[64];
	char error[CLIENT_ERROR_SIZE];
	int status;
};

static int opener_fail(struct opener *opener, int status, const char *text)
{
	(void)snprintf(opener->error, sizeof(opener->error), "%s", text);
	opener->status = status;
	return status;
}

static bool is_churn(const struct opener *opener)
{
	return opener->options->mode == BENCH_MODE_CHURN;
}

static int take_ready(struct opener *opener, struct session *session)
{
	struct client *client = &session->client;

	histogram_add(&opener->latency, clock_monotonic_ns() - session->begin_ns);
	if (opener->broker[0] == '\0') {
		memcpy(opener->broker, client->broker, sizeof(opener->broker));
		wire_print_tls(&client->wire, opener->tls, sizeof(opener->tls));
	}
	if (is_churn(opener))
		return client_begin_close(client);
	opener->under_way--;
	opener->finished++;
	return 0;
}

static void end_session(struct opener *opener, struct session *session)
{
	client_fini(&session->client);
	session->is_used = false;
	opener->under_way--;
	opener->finished++;
}

static int step_session(struct opener *opener, struct session *session)
{
	struct client *client = &session->client;
	bool was_ready = client->state >= CLIENT_READY;
	int error = client_step(client);

	opener->progress_ns = clock_monotonic_ns();
	if (error == 0 && !was_ready && client->state == CLIENT_READY)
		error = take_ready(opener, session);
	if (error < 0)
		return opener_fail(opener, error, client->error);
	if (client->state == CLIENT_CLOSED)
		end_session(opener, session);
	return 0;
}

static struct session *free_session(struct opener *opener)
{
	/* kept ones are used in order; of the others one is free, since fewer are under way */
	while (opener->sessions[opener->session_next].is_used)
		opener->session_next = (opener->session_next + 1) % opener->session_count;
	return &opener->sessions[opener->session_next];
}

static int begin_session(struct opener *opener)
{
	struct session *session = free_session(opener);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = session};
	int error;

	session->is_used = true;
	session->begin_ns = clock_monotonic_ns();
	error = client_open(&session->client, opener->options, opener->target,
			    (uint32_t)opener->begun + 1, CLIENT_BUFFER_SMALL);
	if (error < 0)
		return opener_fail(opener, error, session->client.error);
	opener->begun++;
	opener->under_way++;
	if (epoll_ctl(opener->epoll_fd, EPOLL_CTL_ADD, session->client.wire.fd, &event) < 0)
		return opener_fail(opener, -errno, strerror(errno));
	return 0;
}

static bool may_begin(const struct opener *opener)
{
	return opener->begun < opener->limit && opener->under_way < opener->under_way_max &&
	       !run_is_interrupted() &&
	       (opener->deadline_ns == 0 || clock_monotonic_ns() < opener->deadline_ns);
}

static int open_turn(struct opener *opener)
{
	struct epoll_event events[EVENTS_MAX];
	int error = 0;
	int n;

	while (error == 0 && may_begin(opener))
		error = begin_session(opener);
	if (error < 0 || opener->under_way == 0)
		return error;
	n = epoll_wait(opener->epoll_fd, events, EVENTS_MAX, TURN_MS);
	for (int i = 0; error == 0 && i < n; i++)
		error = step_session(opener, events[i].data.ptr);
	if (error == 0 &&
	    (double)(clock_monotonic_ns() - opener->progress_ns) > opener->options->timeout_s * 1e9)
		error = opener_fail(opener, -ETIMEDOUT, "no answer to a handshake");
	return error;
}

static void *run_opener(void *argument)
{
	struct opener *opener = argument;
	int error;

	opener->progress_ns = clock_monotonic_ns();
	do {
		error = open_turn(opener);
	} while (error == 0 && (opener->under_way > 0 || may_begin(opener)));
	return NULL;
}

static unsigned share(unsigned whole, unsigned parts, unsigned i)
{
	return whole / parts + (i < whole % parts);
}

static void opener_init(struct opener *opener, const struct options *options,
			const struct target *target, unsigned i)
{
	uint64_t now_ns = clock_monotonic_ns();
	unsigned concurrency = share(options->concurrency, options->threads, i);

	opener->options = options;
	opener->target = target;
	opener->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	opener->under_way_max = concurrency > 0 ? concurrency : 1;
	if (options->mode == BENCH_MODE_CONNECTIONS) {
		opener->limit = share(options->connections, options->threads, i);
		opener->session_count = (unsigned)opener->limit;
	} else {
		opener->limit = UINT64_MAX;
		if (options->messages > 0)
			opener->limit = options->messages / options->threads +
					(i < options->messages % options->threads);
		else
			opener->deadline_ns = now_ns + (uint64_t)(options->seconds * 1e9);
		opener->session_count = opener->under_way_max;
	}
	opener->sessions = mem_zalloc((opener->session_count + 1) * sizeof(*opener->sessions));
}

static void opener_fini(struct opener *opener)
{
	for (unsigned i = 0; i < opener->session_count; i++) {
		if (opener->sessions[i].is_used)
			client_fini(&opener->sessions[i].client);
	}
	mem_free(opener->sessions);
	if (opener->epoll_fd >= 0)
		(void)close(opener->epoll_fd);
}

/* Starts all, and waits until each has done its part. */
static int run_openers(struct opener *openers, const struct options *options)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < options->threads; i++) {
		error = -pthread_create(&openers[i].thread, NULL, run_opener, &openers[i]);
		openers[i].is_started = error == 0;
	}
	for (unsigned i = 0; i < options->threads; i++) {
		if (openers[i].is_started)
			(void)pthread_join(openers[i].thread, NULL);
	}
	return error;
}

static int gather(struct opener *openers, const struct options *options, struct result *result)
{
	int status = 0;

	for (unsigned i = 0; i < options->threads; i++) {
		result->opened += openers[i].finished;
		histogram_merge(&result->open_latency, &openers[i].latency);
		if (openers[i].broker[0] != '\0') {
			memcpy(result->broker, openers[i].broker, sizeof(result->broker));
			memcpy(result->tls, openers[i].tls, sizeof(result->tls));
		}
		if (openers[i].status != 0 && status == 0) {
			status = openers[i].status;
			(void)snprintf(result->error, sizeof(result->error), "%s (after %llu)",
				       openers[i].error, (unsigned long long)openers[i].finished);
		}
	}
	return status;
}

/* Says goodbye to all that are kept: first to all, then their answers. */
static void close_all(struct opener *opener)
{
	for (unsigned i = 0; i < opener->session_count; i++) {
		struct session *session = &opener->sessions[i];

		if (session->is_used && session->client.state == CLIENT_READY)
			(void)!client_begin_close(&session->client);
	}
	for (unsigned i = 0; i < opener->session_count; i++) {
		struct session *session = &opener->sessions[i];

		if (session->is_used && session->client.state == CLIENT_CLOSING &&
		    client_await(&session->client, CLIENT_CLOSED) < 0)
			return;
	}
}

/* Keeps them for a while, then looks whether all are still there. */
static int hold(struct opener *openers, const struct options *options, const struct meter *before,
		struct result *result)
{
	struct meter after;
	int error = 0;

	if (!run_is_interrupted())
		(void)poll(NULL, 0, (int)(options->hold_s * 1000));
	if (meter_read(options, &after) < 0)
		return -ESRCH;
	result->hold = meter_since(before, &after);
	if (options->pid > 0)
		result->rss_after = process_rss_bytes(options->pid);
	for (unsigned i = 0; i < options->threads; i++) {
		for (unsigned k = 0; error == 0 && k < openers[i].session_count; k++) {
			struct client *client = &openers[i].sessions[k].client;

			if (openers[i].sessions[k].is_used)
				error = client_step(client);
			if (error < 0)
				(void)snprintf(result->error, sizeof(result->error), "%s",
					       client->error);
		}
	}
	return error;
}

static int open_and_hold(struct opener *openers, const struct options *options,
			 struct result *result)
{
	struct meter begin, end;
	int error;

	if (options->pid > 0)
		result->rss_before = process_rss_bytes(options->pid);
	error = meter_read(options, &begin);
	if (error == 0) {
		error = run_openers(openers, options);
		if (error < 0)
			(void)snprintf(result->error, sizeof(result->error), "%s",
				       strerror(-error));
		if (error == 0)
			error = gather(openers, options, result);
		if (error < 0)
			return error;
		error = meter_read(options, &end);
	}
	if (error < 0) {
		(void)snprintf(result->error, sizeof(result->error), "--pid: no such process");
		return error;
	}
	result->has_process = options->pid > 0;
	result->opening.cpu = meter_since(&begin, &end);
	result->opening.publish_s = result->opening.cpu.wall_s;
	if (options->mode == BENCH_MODE_CONNECTIONS)
		error = hold(openers, options, &end, result);
	else if (options->pid > 0)
		result->rss_after = process_rss_bytes(options->pid);
	return error;
}

int connections_run(const struct options *options, struct result *result)
{
	struct opener *openers = mem_zalloc(options->threads * sizeof(*openers));
	struct target target;
	int error = target_init(&target, options, result->error);

	/* Or the p99 of a thousand handshakes would be that of a growing table. */
	descriptors_reserve(options->connections + options->concurrency + 64);
	if (error == 0) {
		for (unsigned i = 0; i < options->threads; i++)
			opener_init(&openers[i], options, &target, i);
		error = open_and_hold(openers, options, result);
		for (unsigned i = 0; i < options->threads; i++) {
			close_all(&openers[i]);
			opener_fini(&openers[i]);
		}
	}
	target_fini(&target);
	result->is_interrupted = run_is_interrupted();
	mem_free(openers);
	return error;
}
