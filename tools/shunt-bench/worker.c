/* SPDX-License-Identifier: MIT */
/*
 * A turn: every producer that may publishes one batch; then one epoll_wait, which does not wait
 * while any producer may go on; then everything that can be read is read. Producers are registered
 * edge-triggered, so that a full socket costs no system call; consumers level-triggered, one read a
 * turn, so that they do not starve the producers of the same thread. Consumers that are to read
 * slowly are not registered: each reads once in SLOW_PAUSE_NS.
 *
 * Pacing (--rate). A thread that sleeps till a message is due, and again till its delivery comes,
 * pays for its wake-ups, and so do the figures: at 20 000/s on two cores each message left 15 to
 * 20 us late (send lag p50), and was seen at 60 to 80 us (p50). So the last SPIN_NS before one is
 * due are spent looking at the sockets and at the clock: 0.5 us late, seen at 37 us, against the
 * same broker. sched_yield() gives the core away as soon as the broker wants it, which made the p99
 * two to four times better than spinning alone. It costs this tool up to one core.
 */
#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "priority.h"

#define EVENTS_MAX    64
#define SLOW_PAUSE_NS UINT64_C(50000000)
#define SPIN_NS	      UINT64_C(100000)

struct worker *worker_create(unsigned producers_max, unsigned consumers_max, int done_fd)
{
	struct worker *worker = mem_zalloc_aligned(CACHE_LINE_SIZE, sizeof(*worker));

	worker->done_fd = done_fd;
	worker->producers = mem_zalloc((producers_max + 1) * sizeof(*worker->producers));
	worker->consumers = mem_zalloc((consumers_max + 1) * sizeof(*worker->consumers));
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return worker;
}

void worker_destroy(struct worker *worker)
{
	if (worker == NULL)
		return;
	bug_on(worker->is_started);
	if (worker->epoll_fd >= 0)
		(void)close(worker->epoll_fd);
	if (worker->wake_fd >= 0)
		(void)close(worker->wake_fd);
	mem_free(worker->producers);
	mem_free(worker->consumers);
	mem_free(worker);
}

void worker_add_producer(struct worker *worker, struct producer *producer)
{
	worker->producers[worker->producer_count++] = producer;
}

void worker_add_consumer(struct worker *worker, struct consumer *consumer)
{
	worker->consumers[worker->consumer_count++] = consumer;
}

static void count(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* Keeps the first error, ends the loop. */
static void fail(struct worker *worker, int status, const char *error)
{
	uint64_t one = 1;

	if (atomic_load_explicit(&worker->status, memory_order_relaxed) != 0)
		return;
	(void)snprintf(worker->error, sizeof(worker->error), "%s", error);
	atomic_store_explicit(&worker->status, status, memory_order_release);
	(void)!write(worker->done_fd, &one, sizeof(one));
}

/* Numbers for epoll: 0 is the wake-up, then the producers, then the consumers. */
static int watch(struct worker *worker, int fd, uint64_t number, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = number};

	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* A worker's consumers are all alike. */
static bool reads_slowly(const struct worker *worker)
{
	return worker->consumer_count > 0 && worker->consumers[0]->plan->options->reads_slowly;
}

static int watch_all(struct worker *worker)
{
	int error = worker->epoll_fd < 0 || worker->wake_fd < 0 ? -EMFILE : 0;

	if (error == 0)
		error = watch(worker, worker->wake_fd, 0, EPOLLIN);
	for (unsigned i = 0; error == 0 && i < worker->producer_count; i++)
		error = watch(worker, worker->producers[i]->client.wire.fd, 1 + i,
			      EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	for (unsigned i = 0; error == 0 && i < worker->consumer_count; i++) {
		if (!reads_slowly(worker))
			error = watch(worker, worker->consumers[i]->client.wire.fd,
				      1 + (uint64_t)worker->producer_count + i, EPOLLIN);
	}
	return error;
}

/* Reads what a producer's broker has to say; what it says before closing beats "broken pipe". */
static void explain(struct worker *worker, struct producer *producer, int error)
{
	char before[CLIENT_ERROR_SIZE];

	memcpy(before, producer->client.error, sizeof(before));
	if (producer_read(producer, &worker->producer_figures) != -ECONNABORTED)
		memcpy(producer->client.error, before, sizeof(before));
	fail(worker, error, producer->client.error);
}

/* All producers have their turn. The time until one may go on: 0 at once, UINT64_MAX never. */
static uint64_t publish_all(struct worker *worker, uint64_t now_ns)
{
	uint64_t next_ns = PRODUCER_WAITS;
	uint64_t sent = 0, confirmed = 0;
	uint64_t before = atomic_load_explicit(&worker->published, memory_order_relaxed);

	for (unsigned i = 0; i < worker->producer_count; i++) {
		struct producer *producer = worker->producers[i];
		uint64_t its_next_ns;
		int error =
			producer_publish(producer, &worker->producer_figures, now_ns, &its_next_ns);

		if (error < 0) {
			explain(worker, producer, error);
			return 0;
		}
		if (its_next_ns < next_ns)
			next_ns = its_next_ns;
		sent += producer->sent;
		confirmed += producer->confirms.confirmed;
	}
	if (sent != before) {
		count(&worker->published, sent);
		count(&worker->last_publish_ns, now_ns);
	}
	count(&worker->confirmed, confirmed);
	if (next_ns == PRODUCER_WAITS || next_ns == 0)
		return next_ns;
	now_ns = clock_monotonic_ns();
	return next_ns > now_ns ? next_ns - now_ns : 0;
}

static void tell_when_done(struct worker *worker)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < worker->producer_count; i++) {
		if (!producer_is_done(worker->producers[i]))
			return;
	}
	worker->has_told_done = true;
	atomic_store_explicit(&worker->is_done, true, memory_order_release);
	(void)!write(worker->done_fd, &one, sizeof(one));
}

static void handle_producer(struct worker *worker, struct producer *producer, uint32_t events)
{
	int error = 0;

	if ((events & EPOLLOUT) != 0)
		producer->is_writable = true;
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		error = producer_read(producer, &worker->producer_figures);
	if (error < 0)
		fail(worker, error, producer->client.error);
}

/* While acknowledgements wait for the socket, nothing is read. */
static int watch_for(struct worker *worker, struct consumer *consumer, uint64_t number)
{
	struct epoll_event event = {.events = client_is_flushed(&consumer->client) ? EPOLLIN
										   : EPOLLOUT,
				    .data.u64 = number};

	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_MOD, consumer->client.wire.fd, &event) == 0
		       ? 0
		       : client_fail(&consumer->client, -errno, "epoll_ctl: %s", strerror(errno));
}

static void cancel_all(struct worker *worker)
{
	worker->is_cancelling = true;
	for (unsigned i = 0; i < worker->consumer_count; i++) {
		struct consumer *consumer = worker->consumers[i];
		bool was_flushed = client_is_flushed(&consumer->client);
		int error = consumer_cancel(consumer);

		if (error == 0 && was_flushed != client_is_flushed(&consumer->client))
			error = watch_for(worker, consumer, 1 + worker->producer_count + i);
		if (error < 0)
			fail(worker, error, consumer->client.error);
	}
}

static void tell_when_cancelled(struct worker *worker)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < worker->consumer_count; i++) {
		if (worker->consumers[i]->answers_left > 0)
			return;
	}
	worker->is_cancelling = false;
	atomic_store_explicit(&worker->is_cancelled, true, memory_order_release);
	(void)!write(worker->done_fd, &one, sizeof(one));
}

static void count_delivered(struct worker *worker, uint64_t n)
{
	uint64_t delivered = atomic_load_explicit(&worker->delivered, memory_order_relaxed);

	count(&worker->delivered, delivered + n);
	count(&worker->last_delivery_ns, clock_monotonic_ns());
}

static void handle_consumer(struct worker *worker, struct consumer *consumer, uint64_t number)
{
	bool was_flushed = client_is_flushed(&consumer->client);
	uint64_t before = consumer->received;
	int error = client_flush(&consumer->client);

	if (error == 0 && client_is_flushed(&consumer->client))
		error = consumer_read(consumer, &worker->consumer_figures);
	if (error == 0 && was_flushed != client_is_flushed(&consumer->client))
		error = watch_for(worker, consumer, number);
	if (error < 0)
		fail(worker, error, consumer->client.error);
	if (consumer->received != before)
		count_delivered(worker, consumer->received - before);
}

/* Those that read slowly do, if it is time. The time until the next one. */
static uint64_t read_slowly(struct worker *worker)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t received = 0;

	if (now_ns < worker->slow_next_ns)
		return worker->slow_next_ns - now_ns;
	worker->slow_next_ns = now_ns + SLOW_PAUSE_NS;
	for (unsigned i = 0; i < worker->consumer_count; i++) {
		struct consumer *consumer = worker->consumers[i];
		uint64_t before = consumer->received;

		if (consumer_read(consumer, &worker->consumer_figures) < 0)
			fail(worker, -ECONNRESET, consumer->client.error);
		received += consumer->received - before;
	}
	if (received > 0)
		count_delivered(worker, received);
	return SLOW_PAUSE_NS;
}

static void handle(struct worker *worker, const struct epoll_event *event)
{
	uint64_t number = event->data.u64;
	uint64_t value;

	if (number == 0)
		(void)!read(worker->wake_fd, &value, sizeof(value));
	else if (number <= worker->producer_count)
		handle_producer(worker, worker->producers[number - 1], event->events);
	else
		handle_consumer(worker, worker->consumers[number - 1 - worker->producer_count],
				number);
}

static void obey(struct worker *worker, int phase)
{
	bool is_measuring = phase == WORKER_MEASURING;

	worker->producer_figures.is_measuring = is_measuring;
	worker->consumer_figures.is_measuring = is_measuring;
	if (phase == WORKER_DRAINING) {
		for (unsigned i = 0; i < worker->producer_count; i++)
			producer_stop(worker->producers[i]);
	}
	if (phase == WORKER_CANCELLING)
		cancel_all(worker);
}

static int sleep_for(const struct worker *worker, struct epoll_event *events, uint64_t wait_ns)
{
	const struct timespec timeout = {.tv_sec = (time_t)(wait_ns / 1000000000),
					 .tv_nsec = (long)(wait_ns % 1000000000)};

	return epoll_pwait2(worker->epoll_fd, events, EVENTS_MAX,
			    wait_ns == PRODUCER_WAITS ? NULL : &timeout, NULL);
}

static int spin_for(const struct worker *worker, struct epoll_event *events, uint64_t wait_ns)
{
	uint64_t until_ns = clock_monotonic_ns() + wait_ns;
	int n;

	while ((n = epoll_wait(worker->epoll_fd, events, EVENTS_MAX, 0)) == 0 &&
	       clock_monotonic_ns() < until_ns)
		(void)sched_yield();
	return n;
}

/* Waits for events, or until a message is due; how many events there are. */
static int wait_for(const struct worker *worker, struct epoll_event *events, uint64_t wait_ns)
{
	if (wait_ns == 0 || wait_ns == PRODUCER_WAITS || !worker->spins)
		return sleep_for(worker, events, wait_ns);
	if (wait_ns > SPIN_NS)
		return sleep_for(worker, events, wait_ns - SPIN_NS);
	return spin_for(worker, events, wait_ns);
}

static void turn(struct worker *worker)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t wait_ns = publish_all(worker, clock_monotonic_ns());
	int n;

	if (!worker->has_told_done)
		tell_when_done(worker);
	if (worker->is_cancelling)
		tell_when_cancelled(worker);
	if (reads_slowly(worker)) {
		uint64_t slow_ns = read_slowly(worker);

		wait_ns = slow_ns < wait_ns ? slow_ns : wait_ns;
	}
	n = wait_for(worker, events, wait_ns);
	for (int i = 0; i < n; i++)
		handle(worker, &events[i]);
}

static void *run(void *argument)
{
	struct worker *worker = argument;
	uint64_t now_ns = clock_monotonic_ns();
	int phase = -1;

	(void)prctl(PR_SET_TIMERSLACK, 1L);
	if (worker->is_noise)
		priority_lower();
	else if (worker->is_paced)
		priority_shorten_slice();
	for (unsigned i = 0; i < worker->producer_count; i++)
		producer_begin(worker->producers[i], now_ns);
	for (;;) {
		int wanted = atomic_load_explicit(&worker->phase, memory_order_acquire);

		if (wanted != phase) {
			phase = wanted;
			obey(worker, phase);
		}
		if (phase == WORKER_STOPPED ||
		    atomic_load_explicit(&worker->status, memory_order_relaxed) != 0)
			return NULL;
		turn(worker);
	}
}

/* Its peers are all of one kind. */
static void look_at_options(struct worker *worker)
{
	const struct options *options = NULL;

	if (worker->producer_count > 0)
		options = worker->producers[0]->plan->options;
	else if (worker->consumer_count > 0)
		options = worker->consumers[0]->plan->options;
	worker->is_noise = options != NULL && options->is_noise;
	worker->is_paced = options != NULL && options->rate > 0;
	/* noise need not be on time */
	worker->spins = worker->is_paced && !worker->is_noise && sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

int worker_start(struct worker *worker, enum worker_phase phase)
{
	int error = watch_all(worker);

	if (error < 0)
		return error;
	look_at_options(worker);
	atomic_store_explicit(&worker->phase, (int)phase, memory_order_release);
	error = pthread_create(&worker->thread, NULL, run, worker);
	worker->is_started = error == 0;
	return -error;
}

void worker_set_phase(struct worker *worker, enum worker_phase phase)
{
	uint64_t one = 1;

	atomic_store_explicit(&worker->phase, (int)phase, memory_order_release);
	(void)!write(worker->wake_fd, &one, sizeof(one));
}

void worker_stop(struct worker *worker)
{
	if (!worker->is_started)
		return;
	worker_set_phase(worker, WORKER_STOPPED);
	(void)pthread_join(worker->thread, NULL);
	worker->is_started = false;
}
