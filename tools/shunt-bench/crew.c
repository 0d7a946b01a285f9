/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

static int crew_fail(struct crew *crew, int error, const char *who, unsigned index,
		     const char *what)
{
	(void)snprintf(crew->error, sizeof(crew->error), "%s %u: %s", who, index, what);
	return error;
}

int crew_init(struct crew *crew, const struct options *options, const struct plan *plan,
	      const struct target *target)
{
	*crew = (struct crew){.options = options, .plan = plan, .target = *target};
	crew->producers = mem_zalloc(options->producers * sizeof(*crew->producers));
	crew->consumers = mem_zalloc((options->consumers + 1) * sizeof(*crew->consumers));
	crew->workers = mem_zalloc(options->threads * sizeof(*crew->workers));
	crew->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (crew->done_fd < 0)
		return crew_fail(crew, -errno, "thread", 0, strerror(errno));
	return 0;
}

static void destroy_workers(struct crew *crew)
{
	for (unsigned i = 0; i < crew->worker_count; i++)
		worker_destroy(crew->workers[i]);
	crew->worker_count = 0;
}

void crew_fini(struct crew *crew)
{
	for (unsigned i = 0; i < crew->worker_count; i++)
		worker_stop(crew->workers[i]);
	destroy_workers(crew);
	for (unsigned i = 0; i < crew->producer_count; i++)
		producer_fini(&crew->producers[i]);
	for (unsigned i = 0; i < crew->consumer_count; i++)
		consumer_fini(&crew->consumers[i]);
	mem_free(crew->producers);
	mem_free(crew->consumers);
	mem_free(crew->workers);
	if (crew->done_fd >= 0)
		(void)close(crew->done_fd);
}

/* The i-th producer's part of all messages. */
static uint64_t share_of(const struct options *options, unsigned i)
{
	if (options->messages == 0)
		return UINT64_MAX;
	return options->messages / options->producers +
	       (i < options->messages % options->producers);
}

int crew_connect_producers(struct crew *crew)
{
	for (unsigned i = 0; i < crew->options->producers; i++) {
		struct producer *producer = &crew->producers[crew->producer_count++];
		int error = producer_init(producer, crew->plan, &crew->target, i,
					  share_of(crew->options, i));

		if (error < 0)
			return crew_fail(crew, error, "producer", i, producer->client.error);
	}
	return 0;
}

int crew_connect_consumers(struct crew *crew)
{
	for (unsigned i = 0; i < crew->options->consumers; i++) {
		struct consumer *consumer = &crew->consumers[crew->consumer_count++];
		int error = consumer_init(consumer, crew->plan, &crew->target, i);

		if (error < 0)
			return crew_fail(crew, error, "consumer", i, consumer->client.error);
	}
	return 0;
}

int crew_subscribe(struct crew *crew, bool waits)
{
	struct consumer_figures none = {.is_measuring = false};

	for (unsigned i = 0; i < crew->consumer_count; i++) {
		struct consumer *consumer = &crew->consumers[i];
		int error = consumer_subscribe(consumer);

		if (error == 0 && waits)
			error = consumer_await_subscribed(consumer, &none);
		if (error < 0)
			return crew_fail(crew, error, "consumer", i, consumer->client.error);
	}
	return 0;
}

/* With two threads and more, producers and consumers have threads of their own. */
static void assign(struct crew *crew, bool producers, bool consumers)
{
	unsigned count = crew->worker_count;
	unsigned split = producers && consumers && count > 1 ? count / 2 : 0;

	for (unsigned i = 0; producers && i < crew->producer_count; i++)
		worker_add_producer(crew->workers[i % (split > 0 ? split : count)],
				    &crew->producers[i]);
	for (unsigned i = 0; consumers && i < crew->consumer_count; i++)
		worker_add_consumer(crew->workers[split + i % (count - split)],
				    &crew->consumers[i]);
}

int crew_start(struct crew *crew, bool producers, bool consumers, enum worker_phase phase)
{
	int error = 0;

	crew->worker_count = crew->options->threads;
	for (unsigned i = 0; i < crew->worker_count; i++)
		crew->workers[i] =
			worker_create(crew->producer_count, crew->consumer_count, crew->done_fd);
	assign(crew, producers, consumers);
	for (unsigned i = 0; error == 0 && i < crew->worker_count; i++) {
		error = worker_start(crew->workers[i], phase);
		if (error < 0)
			(void)crew_fail(crew, error, "thread", i, strerror(-error));
	}
	return error;
}

void crew_set_phase(struct crew *crew, enum worker_phase phase)
{
	for (unsigned i = 0; i < crew->worker_count; i++)
		worker_set_phase(crew->workers[i], phase);
}

void crew_stop(struct crew *crew, struct result *result)
{
	for (unsigned i = 0; i < crew->worker_count; i++) {
		const struct worker *worker = crew->workers[i];

		worker_stop(crew->workers[i]);
		if (result == NULL)
			continue;
		histogram_merge(&result->confirm_latency,
				&worker->producer_figures.confirm_latency);
		histogram_merge(&result->lag, &worker->producer_figures.lag);
		histogram_merge(&result->latency, &worker->consumer_figures.latency);
	}
	destroy_workers(crew);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void raise_to(uint64_t *value, uint64_t other)
{
	if (other > *value)
		*value = other;
}

struct crew_tally crew_tally(const struct crew *crew)
{
	struct crew_tally tally = {0};

	for (unsigned i = 0; i < crew->worker_count; i++) {
		const struct worker *worker = crew->workers[i];

		tally.published += load(&worker->published);
		tally.confirmed += load(&worker->confirmed);
		tally.delivered += load(&worker->delivered);
		raise_to(&tally.last_publish_ns, load(&worker->last_publish_ns));
		raise_to(&tally.last_delivery_ns, load(&worker->last_delivery_ns));
	}
	return tally;
}

bool crew_has_published(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->worker_count; i++) {
		if (!atomic_load_explicit(&crew->workers[i]->is_done, memory_order_acquire))
			return false;
	}
	return true;
}

bool crew_has_cancelled(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->worker_count; i++) {
		if (!atomic_load_explicit(&crew->workers[i]->is_cancelled, memory_order_acquire))
			return false;
	}
	return true;
}

int crew_wait(struct crew *crew, int timeout_ms)
{
	struct pollfd pollfd = {.fd = crew->done_fd, .events = POLLIN};
	uint64_t value;

	if (poll(&pollfd, 1, timeout_ms) > 0)
		(void)!read(crew->done_fd, &value, sizeof(value));
	for (unsigned i = 0; i < crew->worker_count; i++) {
		int status = atomic_load_explicit(&crew->workers[i]->status, memory_order_acquire);

		if (status != 0) {
			memcpy(crew->error, crew->workers[i]->error,
			       sizeof(crew->workers[i]->error));
			return status;
		}
	}
	return 0;
}

void crew_close(struct crew *crew)
{
	for (unsigned i = 0; i < crew->consumer_count; i++)
		client_say_goodbye(&crew->consumers[i].client);
	for (unsigned i = 0; i < crew->producer_count; i++) {
		/* not into the middle of a frame */
		if (batch_is_sent(&crew->producers[i].batch))
			client_say_goodbye(&crew->producers[i].client);
	}
}

/* All that was received from one queue, by producer, is added up in `sums`. */
static void sum_queue(const struct crew *crew, unsigned queue, struct sequence *sums)
{
	const struct options *options = crew->options;

	memset(sums, 0, options->producers * sizeof(*sums));
	for (unsigned c = 0; c < crew->consumer_count; c++) {
		const struct consumer *consumer = &crew->consumers[c];
		int i = consumer_find_queue(consumer, queue);

		for (unsigned p = 0; i >= 0 && p < options->producers; p++)
			sequence_merge(&sums[p],
				       &consumer->sequences[(unsigned)i * options->producers + p]);
	}
}

static void judge_queue(const struct crew *crew, unsigned queue, struct sequence *sums,
			struct result *result)
{
	uint64_t published_to_queue = 0;

	sum_queue(crew, queue, sums);
	for (unsigned p = 0; p < crew->producer_count; p++) {
		uint64_t published = 0;
		unsigned stream;

		if (plan_find_stream(crew->plan, p, queue, &stream))
			published = crew->producers[p].streams[stream].next;
		published_to_queue += published;
		if (result->is_checked_by_number)
			sequence_judge(&sums[p], published, &result->faults);
	}
	result->expected += published_to_queue;
	if (!result->is_checked_by_number && sums[0].count < published_to_queue)
		result->faults.lost += published_to_queue - sums[0].count;
	else if (!result->is_checked_by_number)
		result->faults.doubled += sums[0].count - published_to_queue;
}

void crew_judge(const struct crew *crew, struct result *result)
{
	const struct options *options = crew->options;
	struct faults *faults = &result->faults;
	struct sequence *sums = mem_zalloc(options->producers * sizeof(*sums));

	result->is_checked_by_number = options->size >= STAMP_NUMBER_SIZE;
	for (unsigned i = 0; i < crew->producer_count; i++) {
		const struct producer *producer = &crew->producers[i];

		result->published_all += producer->sent;
		faults->nacked += producer->confirms.nacked;
		faults->unconfirmed += producer->confirms.outstanding;
		faults->confirmed_wrongly += producer->confirms.wrong;
		faults->returned += producer->returned;
		result->was_blocked |= producer->client.is_blocked;
	}
	for (unsigned i = 0; i < crew->consumer_count; i++) {
		faults->redelivered += crew->consumers[i].redelivered;
		faults->foreign += crew->consumers[i].foreign;
		result->received += crew->consumers[i].received;
		if (i == 0 || crew->consumers[i].received < result->received_least)
			result->received_least = crew->consumers[i].received;
		raise_to(&result->received_most, crew->consumers[i].received);
	}
	for (unsigned q = 0; options->consumers > 0 && q < options->queues; q++)
		judge_queue(crew, q, sums, result);
	mem_free(sums);
}
