/* SPDX-License-Identifier: MIT */
#include "noise.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "topology.h"

#define SLOW_RATE 10000 /* messages a second of each producer */

/* As the run, but with so many producers, each with a queue and a consumer of its own. */
static void noise_init(struct noise *noise, const struct options *options, unsigned peers)
{
	*noise = (struct noise){.options = *options};
	noise->options.producers = peers;
	noise->options.consumers = peers;
	noise->options.queues = peers;
	noise->options.messages = 0;
	noise->options.rate = 0;
	noise->options.confirm = 0;
	noise->options.ack = 0;
	noise->options.prefetch = 0;
	noise->options.durable = false;
	noise->options.persistent = false;
	noise->options.exchange = BENCH_EXCHANGE_DEFAULT;
	noise->options.bindings = 0;
	noise->options.threads = 1;
	noise->options.is_noise = true;
	noise->crew.done_fd = -1;
}

void noise_init_flat_out(struct noise *noise, const struct options *options)
{
	noise_init(noise, options, options->noise);
}

void noise_init_slow(struct noise *noise, const struct options *options)
{
	noise_init(noise, options, options->slow);
	noise->options.rate = (double)options->slow * SLOW_RATE;
	noise->options.reads_slowly = true;
}

int noise_start(struct noise *noise, struct client *control, const struct target *target)
{
	int error;

	if (noise->options.producers == 0)
		return 0;
	plan_init(&noise->plan, &noise->options);
	error = crew_init(&noise->crew, &noise->options, &noise->plan, target);
	noise->is_made = true;
	if (error == 0) {
		noise->has_topology = true;
		error = topology_make(control, &noise->plan);
		if (error < 0)
			(void)snprintf(noise->crew.error, sizeof(noise->crew.error), "%s",
				       control->error);
	}
	if (error == 0)
		error = crew_connect_producers(&noise->crew);
	if (error == 0)
		error = crew_connect_consumers(&noise->crew);
	if (error == 0)
		error = crew_subscribe(&noise->crew, true);
	if (error == 0)
		error = crew_start(&noise->crew, true, true, WORKER_WARMING);
	return error;
}

void noise_mark_begin(struct noise *noise)
{
	if (noise->is_made)
		noise->begin = crew_tally(&noise->crew);
	noise->begin_ns = clock_monotonic_ns();
}

int noise_mark_end(struct noise *noise, struct result_noise *ret)
{
	struct crew_tally end;

	if (!noise->is_made)
		return 0;
	end = crew_tally(&noise->crew);
	ret->peers = noise->options.producers;
	ret->published = end.published - noise->begin.published;
	ret->delivered = end.delivered - noise->begin.delivered;
	ret->seconds = (double)(clock_monotonic_ns() - noise->begin_ns) / 1e9;
	return crew_wait(&noise->crew, 0);
}

/* What is half sent goes out, so that the connections can be closed in good order. */
static void let_producers_end(struct noise *noise)
{
	uint64_t deadline_ns = clock_monotonic_ns() + (uint64_t)(noise->options.timeout_s * 1e9);

	crew_set_phase(&noise->crew, WORKER_DRAINING);
	while (!crew_has_published(&noise->crew) && clock_monotonic_ns() < deadline_ns) {
		if (crew_wait(&noise->crew, 1) < 0)
			return;
	}
}

void noise_stop(struct noise *noise)
{
	if (noise->crew.worker_count == 0)
		return;
	let_producers_end(noise);
	crew_stop(&noise->crew, NULL);
	crew_close(&noise->crew);
}

void noise_fini(struct noise *noise, struct client *control)
{
	noise_stop(noise);
	if (noise->has_topology && control->state == CLIENT_READY)
		(void)!topology_delete(control, &noise->plan);
	if (noise->is_made)
		crew_fini(&noise->crew);
	noise->is_made = false;
}
