/* SPDX-License-Identifier: MIT */
/*
 * The coordinator. By time (--seconds): warm up, read the meters, measure, read them again, then
 * tell the producers to stop and wait until every message has arrived, which is checked but not
 * counted. By number (--messages): measure from the first message to the last; each rate has its
 * own end, that of the last publish or of the last delivery.
 *
 * Nothing that moves for --timeout seconds ends the run; what is missing then is lost.
 */
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "crew.h"
#include "meter.h"
#include "noise.h"
#include "topology.h"

/* Everything of one run. Owned by run_flow(). */
struct run {
	const struct options *options;
	struct result *result;
	struct plan plan;
	struct crew crew;
	struct noise noise, slow;
	struct target target;
	struct client control; /* declares, asks for counts, deletes */
	struct meter begin, end;
	struct crew_tally begin_tally, end_tally;
	struct crew_tally seen; /* for progress */
	uint64_t seen_ns;
	bool is_settling; /* a signal does not end that, too */
};

static volatile sig_atomic_t interrupted;

void run_interrupt(void)
{
	interrupted = 1;
}

bool run_is_interrupted(void)
{
	return interrupted != 0;
}

static int run_fail(struct run *run, int error, const char *text)
{
	(void)snprintf(run->result->error, sizeof(run->result->error), "%s", text);
	return error;
}

static int read_meter(struct run *run, struct meter *meter)
{
	int error = meter_read(run->options, meter);

	if (error < 0)
		return run_fail(run, error, "--pid: no such process");
	return 0;
}

/* Whether nothing has moved for too long. */
static bool is_stalled(struct run *run)
{
	struct crew_tally tally = crew_tally(&run->crew);
	uint64_t now_ns = clock_monotonic_ns();
	double patience_s = run->options->timeout_s;

	if (run->options->rate > 0)
		patience_s += 2 / run->options->rate;
	if (memcmp(&tally, &run->seen, sizeof(tally)) != 0 || run->seen_ns == 0) {
		run->seen = tally;
		run->seen_ns = now_ns;
	}
	return (double)(now_ns - run->seen_ns) > patience_s * 1e9;
}

/*
 * Waits until `enough` (NULL: never), the deadline (0: none), a stall or a signal; negative: a
 * worker failed.
 */
static int wait_for(struct run *run, uint64_t deadline_ns, bool (*enough)(const struct run *run))
{
	run->seen_ns = 0;
	for (;;) {
		uint64_t now_ns = clock_monotonic_ns();
		int timeout_ms = enough != NULL ? 1 : 50;
		int error;

		if (enough != NULL && enough(run))
			return 0;
		if (deadline_ns != 0 && now_ns >= deadline_ns)
			return 0;
		if (run_is_interrupted() && !run->is_settling) {
			run->result->is_interrupted = true;
			return 0;
		}
		if (is_stalled(run)) {
			run->result->is_stalled = true;
			return 0;
		}
		if (deadline_ns != 0 && deadline_ns - now_ns < (uint64_t)timeout_ms * 1000000)
			timeout_ms = (int)((deadline_ns - now_ns) / 1000000) + 1;
		error = crew_wait(&run->crew, timeout_ms);
		if (error < 0)
			return run_fail(run, error, run->crew.error);
	}
}

static bool all_published(const struct run *run)
{
	return crew_has_published(&run->crew);
}

static bool all_delivered(const struct run *run)
{
	struct crew_tally tally = crew_tally(&run->crew);

	return crew_has_published(&run->crew) &&
	       (run->options->consumers == 0 ||
		tally.delivered >= tally.published * plan_copies(&run->plan));
}

static bool all_drained(const struct run *run)
{
	struct crew_tally tally = crew_tally(&run->crew);

	return tally.delivered >= run->end_tally.published * plan_copies(&run->plan);
}

/* Until the queues hold all that was published; the count as such is checked, too. */
static int wait_for_depth(struct run *run)
{
	uint64_t expected = run->end_tally.published * plan_copies(&run->plan);
	uint64_t depth = 0, before = 0, changed_ns = clock_monotonic_ns();

	for (;;) {
		uint64_t now_ns;
		int error = topology_count(&run->control, &run->plan, &depth);

		if (error < 0)
			return run_fail(run, error, run->control.error);
		now_ns = clock_monotonic_ns();
		if (depth != before)
			changed_ns = now_ns;
		before = depth;
		if (run_is_interrupted() && !run->is_settling)
			run->result->is_interrupted = true;
		if ((double)(now_ns - changed_ns) > run->options->timeout_s * 1e9)
			run->result->is_stalled = true;
		if (depth >= expected || run->result->is_interrupted || run->result->is_stalled)
			break;
		error = crew_wait(&run->crew, 2);
		if (error < 0)
			return run_fail(run, error, run->crew.error);
	}
	if (run->options->consumers == 0) {
		run->result->expected = expected;
		run->result->received = depth;
		run->result->faults.lost = depth < expected ? expected - depth : 0;
		run->result->faults.doubled = depth > expected ? depth - expected : 0;
	}
	return 0;
}

static void keep_flow(struct run *run, struct result_flow *flow)
{
	const struct crew_tally *begin = &run->begin_tally, *end = &run->end_tally;
	double wall_s = (double)(run->end.now_ns - run->begin.now_ns) / 1e9;
	bool by_time = run->options->messages == 0;

	flow->published = end->published - begin->published;
	flow->confirmed = end->confirmed - begin->confirmed;
	flow->delivered = end->delivered - begin->delivered;
	if (end->published * plan_copies(&run->plan) > end->delivered)
		flow->behind = end->published * plan_copies(&run->plan) - end->delivered;
	flow->cpu = meter_since(&run->begin, &run->end);
	flow->publish_s = wall_s;
	flow->deliver_s = wall_s;
	if (!by_time && end->last_publish_ns > run->begin.now_ns)
		flow->publish_s = (double)(end->last_publish_ns - run->begin.now_ns) / 1e9;
	if (!by_time && end->last_delivery_ns > run->begin.now_ns)
		flow->deliver_s = (double)(end->last_delivery_ns - run->begin.now_ns) / 1e9;
}

static int mark_begin(struct run *run)
{
	noise_mark_begin(&run->noise);
	noise_mark_begin(&run->slow);
	run->begin_tally = crew_tally(&run->crew);
	return read_meter(run, &run->begin);
}

static int mark_end(struct run *run)
{
	int error = noise_mark_end(&run->noise, &run->result->noise);

	if (error < 0)
		return run_fail(run, error, run->noise.crew.error);
	error = noise_mark_end(&run->slow, &run->result->slow);
	if (error < 0)
		return run_fail(run, error, run->slow.crew.error);
	run->end_tally = crew_tally(&run->crew);
	return read_meter(run, &run->end);
}

static uint64_t read_rss(const struct run *run)
{
	return run->options->pid > 0 ? process_rss_bytes(run->options->pid) : 0;
}

static uint64_t after(double seconds)
{
	return clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
}

static int measure(struct run *run)
{
	const struct options *options = run->options;
	bool warms_up = options->warmup_s > 0;
	int error = mark_begin(run);

	if (error == 0)
		error = crew_start(&run->crew, true, true,
				   warms_up ? WORKER_WARMING : WORKER_MEASURING);
	if (error < 0)
		return run->result->error[0] != '\0' ? error
						     : run_fail(run, error, run->crew.error);
	if (warms_up) {
		error = wait_for(run, after(options->warmup_s), NULL);
		if (error == 0)
			error = mark_begin(run);
		crew_set_phase(&run->crew, WORKER_MEASURING);
	}
	if (error == 0 && options->messages == 0)
		error = wait_for(run, after(options->seconds), NULL);
	else if (error == 0)
		error = wait_for(run, 0, all_delivered);
	if (error == 0)
		error = mark_end(run);
	keep_flow(run, &run->result->flow);
	return error;
}

static bool all_cancelled(const struct run *run)
{
	return crew_has_cancelled(&run->crew);
}

/* What comes too often comes now. */
static int cancel(struct run *run)
{
	if (run->result->is_stalled)
		return 0;
	crew_set_phase(&run->crew, WORKER_CANCELLING);
	return wait_for(run, 0, all_cancelled);
}

/* What is still under way arrives. */
static int settle(struct run *run)
{
	int error;

	run->is_settling = true;
	error = wait_for(run, 0, all_delivered);
	if (error == 0 && run->options->consumers == 0) {
		run->end_tally = crew_tally(&run->crew);
		error = wait_for_depth(run);
	}
	return error == 0 ? cancel(run) : error;
}

static int start_noise(struct run *run)
{
	int error = noise_start(&run->noise, &run->control, &run->target);

	if (error < 0)
		return run_fail(run, error, run->noise.crew.error);
	error = noise_start(&run->slow, &run->control, &run->target);
	return error < 0 ? run_fail(run, error, run->slow.crew.error) : 0;
}

static int run_both(struct run *run)
{
	int error = crew_connect_consumers(&run->crew);

	if (error == 0)
		error = crew_subscribe(&run->crew, true);
	if (error < 0)
		return run_fail(run, error, run->crew.error);
	error = start_noise(run);
	if (error < 0)
		return error;
	run->result->rss_before = read_rss(run);
	error = measure(run);
	crew_set_phase(&run->crew, WORKER_DRAINING);
	run->result->rss_after = read_rss(run);
	noise_stop(&run->noise);
	noise_stop(&run->slow);
	if (error == 0 && !run->result->is_stalled)
		error = settle(run);
	crew_stop(&run->crew, run->result);
	return error;
}

static int fill(struct run *run)
{
	int error;

	run->result->rss_before = read_rss(run);
	error = mark_begin(run);

	if (error == 0) {
		error = crew_start(&run->crew, true, false, WORKER_MEASURING);
		if (error < 0)
			return run_fail(run, error, run->crew.error);
		error = wait_for(run, 0, all_published);
	}
	if (error == 0)
		error = mark_end(run);
	if (error == 0)
		error = wait_for_depth(run);
	if (error == 0)
		error = read_meter(run, &run->end);
	/* filled when all is in the queues, not when all is sent */
	run->end_tally.last_publish_ns = run->end.now_ns;
	run->result->rss_after = read_rss(run);
	keep_flow(run, &run->result->flow);
	crew_stop(&run->crew, run->result);
	return error;
}

static int drain(struct run *run)
{
	struct crew_tally published = run->end_tally;
	int error = crew_connect_consumers(&run->crew);

	if (error < 0)
		return run_fail(run, error, run->crew.error);
	error = mark_begin(run);
	if (error < 0)
		return error;
	error = crew_subscribe(&run->crew, false);
	if (error == 0)
		error = crew_start(&run->crew, false, true, WORKER_DRAINING);
	if (error < 0)
		return run_fail(run, error, run->crew.error);
	run->end_tally = published;
	run->is_settling = true;
	error = wait_for(run, 0, all_drained);
	if (error == 0)
		error = mark_end(run);
	if (error == 0)
		error = cancel(run);
	run->end_tally.published = 0;
	run->end_tally.confirmed = 0;
	run->result->rss_end = read_rss(run);
	keep_flow(run, &run->result->drain);
	crew_stop(&run->crew, run->result);
	return error;
}

static int prepare(struct run *run)
{
	int error = client_connect(&run->control, run->options, &run->target, CLIENT_BUFFER_SIZE);

	memcpy(run->result->broker, run->control.broker, sizeof(run->result->broker));
	wire_print_tls(&run->control.wire, run->result->tls, sizeof(run->result->tls));
	if (error == 0)
		error = topology_make(&run->control, &run->plan);
	if (error < 0)
		return run_fail(run, error, run->control.error);
	error = crew_connect_producers(&run->crew);
	return error < 0 ? run_fail(run, error, run->crew.error) : 0;
}

/* Leaves nothing behind, also after an error. */
static void clean_up(struct run *run)
{
	crew_stop(&run->crew, run->result);
	crew_close(&run->crew);
	noise_fini(&run->noise, &run->control);
	noise_fini(&run->slow, &run->control);
	if (run->control.state == CLIENT_READY) {
		(void)!topology_delete(&run->control, &run->plan);
		client_say_goodbye(&run->control);
	}
	client_fini(&run->control);
	crew_fini(&run->crew);
}

int run_flow(const struct options *options, struct result *result)
{
	struct run run = {.options = options, .result = result, .control = {.wire = {.fd = -1}}};
	int error = target_init(&run.target, options, result->error);

	if (error < 0) {
		target_fini(&run.target);
		return error;
	}
	plan_init(&run.plan, options);
	noise_init_flat_out(&run.noise, options);
	noise_init_slow(&run.slow, options);
	error = crew_init(&run.crew, options, &run.plan, &run.target);
	if (error < 0)
		(void)run_fail(&run, error, run.crew.error);
	if (error == 0)
		error = prepare(&run);
	if (error == 0 && options->mode == BENCH_MODE_FILL) {
		error = fill(&run);
		if (error == 0 && !result->is_interrupted)
			error = drain(&run);
	} else if (error == 0) {
		error = run_both(&run);
	}
	/* what was published to be drained later, and then was not, is not lost */
	if (error == 0 && !(options->mode == BENCH_MODE_FILL && result->is_interrupted))
		crew_judge(&run.crew, result);
	result->has_process = options->pid > 0;
	clean_up(&run);
	target_fini(&run.target);
	return error;
}
