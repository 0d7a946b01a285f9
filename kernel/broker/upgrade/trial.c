/* SPDX-License-Identifier: MIT */
#include "broker/upgrade/trial.h"

#include "base/bug.h"
#include "base/mem.h"
#include "broker/topology/exchange_type.h"
#include "broker/router/state.h"
#include "broker/topology/write.h"
#include "broker/upgrade/state.h"
#include "loop/loop.h"

/*
 * The old instance routes as ever, but what it gives to the router is marked on the way. Then the
 * new one's answer is held against the marks. So there is one step a binding, and no list but for
 * the few names of a sample.
 */

#define FIRST_SAMPLES	  4u
#define SAMPLE_EVERY_MS	  1000u
#define REMEMBERED	  64u /* of the old answer, to name some that the new one lacks */
#define MARKS_PER_MESSAGE 3u

/* Of one loop, on cache lines of its own. */
struct trial_loop {
	_Alignas(128) unsigned due; /* hundredths of a message */
	uint64_t n_compared, n_different, n_only_old, n_only_new;
	uint64_t n_sampled, sampled_ms;
	struct trial_sample samples[TRIAL_SAMPLES];
};

struct trial {
	unsigned percent, n_loops;
	struct trial_loop *loops;
};

/* A loop's scratch space. A destination's mark is the epoch if the old answer has it, one more if
 * both have it, two more if only the new one has it. */
struct trial_marks {
	uint32_t epoch;
	uint32_t *queues, *exchanges;
	uint32_t n_queues, n_exchanges;
	/* The present message. */
	uint64_t n_old, n_both, n_only_new;
	const struct binding *old[REMEMBERED];
	const struct binding *only_new[TRIAL_NAMES];
};

/* What plugins get; the router is where the old answer goes. */
struct trial_sink {
	struct shunt_sink sink;
	struct trial_marks *marks;
	struct router *router;
};

struct trial *trial_create(unsigned percent)
{
	struct trial *trial = mem_zalloc(sizeof(*trial));

	trial->percent = percent < 100 ? percent : 100;
	trial->n_loops = loop_count();
	trial->loops = mem_zalloc_aligned(CACHE_LINE_SIZE, trial->n_loops * sizeof(*trial->loops));
	return trial;
}

void trial_free(struct trial *trial)
{
	if (!trial)
		return;
	mem_free(trial->loops);
	mem_free(trial);
}

/* ---- Marks ---- */

static uint32_t *grow(uint32_t *marks, uint32_t *n, uint32_t wanted)
{
	if (*n >= wanted)
		return marks;
	marks = mem_realloc(marks, wanted * sizeof(*marks));
	memset(marks + *n, 0, (wanted - *n) * sizeof(*marks));
	*n = wanted;
	return marks;
}

void trial_make_room(struct router *router)
{
	struct trial_marks *marks = router->trial_marks;

	if (!marks)
		router->trial_marks = marks = mem_zalloc(sizeof(*marks));
	marks->queues = grow(marks->queues, &marks->n_queues, router->n_queue_marks);
	marks->exchanges = grow(marks->exchanges, &marks->n_exchanges, router->n_exchange_marks);
}

void trial_marks_free(struct trial_marks *marks)
{
	if (!marks)
		return;
	mem_free(marks->queues);
	mem_free(marks->exchanges);
	mem_free(marks);
}

static void begin_marks(struct trial_marks *marks)
{
	if (marks->epoch > UINT32_MAX - 2 * MARKS_PER_MESSAGE) {
		memset(marks->queues, 0, marks->n_queues * sizeof(*marks->queues));
		memset(marks->exchanges, 0, marks->n_exchanges * sizeof(*marks->exchanges));
		marks->epoch = 0;
	}
	marks->epoch += MARKS_PER_MESSAGE;
	marks->n_old = marks->n_both = marks->n_only_new = 0;
}

/* NULL: it leads nowhere now. The room is for all, as it was looked at in this read side. */
static uint32_t *mark_of(const struct trial_marks *marks, const struct binding *binding)
{
	if (binding->pending || binding->doomed)
		return NULL;
	return binding->queue ? &marks->queues[binding->queue->index]
			      : &marks->exchanges[binding->exchange->index];
}

static void mark_old(struct shunt_sink *sink, const struct shunt_binding *const *bindings,
		     size_t count)
{
	struct trial_sink *to = container_of(sink, struct trial_sink, sink);
	struct trial_marks *marks = to->marks;

	for (size_t i = 0; i < count; i++) {
		const struct binding *binding =
			container_of(bindings[i], const struct binding, view);
		uint32_t *mark = mark_of(marks, binding);

		if (!mark || *mark == marks->epoch)
			continue;
		*mark = marks->epoch;
		if (marks->n_old < REMEMBERED)
			marks->old[marks->n_old] = binding;
		marks->n_old++;
	}
	to->router->sink.emit(&to->router->sink, bindings, count);
}

static void mark_new(struct shunt_sink *sink, const struct shunt_binding *const *bindings,
		     size_t count)
{
	struct trial_marks *marks = container_of(sink, struct trial_sink, sink)->marks;

	for (size_t i = 0; i < count; i++) {
		const struct binding *binding =
			container_of(bindings[i], const struct binding, view);
		uint32_t *mark = mark_of(marks, binding);

		if (!mark || *mark > marks->epoch)
			continue;
		if (*mark == marks->epoch) {
			*mark = marks->epoch + 1;
			marks->n_both++;
			continue;
		}
		*mark = marks->epoch + 2;
		if (marks->n_only_new < TRIAL_NAMES)
			marks->only_new[marks->n_only_new] = binding;
		marks->n_only_new++;
	}
}

/* ---- Samples ---- */

static void put_name(struct trial_name *ret, const uint8_t *data, size_t size)
{
	ret->size = (uint8_t)(size < sizeof(ret->text) ? size : sizeof(ret->text));
	if (size > 0)
		memcpy(ret->text, data, ret->size);
}

static void put_destination(struct trial_name *ret, const struct binding *binding)
{
	put_name(ret, binding->view.destination.data, binding->view.destination.size);
	ret->is_exchange = binding->view.destination_is_exchange;
}

static void put_only_old(struct trial_sample *sample, const struct trial_marks *marks)
{
	size_t n_old = marks->n_old < REMEMBERED ? marks->n_old : REMEMBERED, n = 0;

	for (size_t i = 0; i < n_old && n < TRIAL_NAMES; i++) {
		const uint32_t *mark = mark_of(marks, marks->old[i]);

		if (mark && *mark == marks->epoch)
			put_destination(&sample->only_old[n++], marks->old[i]);
	}
}

static void take_sample(struct trial_loop *loop, const struct exchange *exchange,
			const struct shunt_message *view, const struct trial_marks *marks)
{
	uint64_t now_ms = loop_now_ms();
	struct trial_sample *sample = &loop->samples[loop->n_sampled % TRIAL_SAMPLES];

	if (loop->n_sampled >= FIRST_SAMPLES && now_ms - loop->sampled_ms < SAMPLE_EVERY_MS)
		return;
	loop->sampled_ms = now_ms;
	loop->n_sampled++;
	*sample = (struct trial_sample){
		.at_ms = loop_now_wall_ms(),
		.n_only_old = marks->n_old - marks->n_both,
		.n_only_new = marks->n_only_new,
	};
	put_name(&sample->vhost, exchange->vhost->node.key.data, exchange->vhost->node.key.size);
	put_name(&sample->exchange, exchange->node.key.data, exchange->node.key.size);
	put_name(&sample->routing_key, view->routing_key.data, view->routing_key.size);
	put_only_old(sample, marks);
	for (size_t i = 0; i < TRIAL_NAMES && i < marks->n_only_new; i++)
		put_destination(&sample->only_new[i], marks->only_new[i]);
}

/* ---- Routing ---- */

static void compare(struct router *router, const struct exchange *exchange,
		    const struct exchange_instance *new, struct trial_loop *loop)
{
	struct trial_marks *marks = router->trial_marks;
	struct trial_sink old_sink = {{mark_old}, marks, router},
			  new_sink = {{mark_new}, marks, router};
	const struct shunt_message *view = &router->routed.view;

	begin_marks(marks);
	exchange->type->functions->route(exchange->instance, view, &old_sink.sink);
	new->type->functions->route(new->state, view, &new_sink.sink);
	loop->n_compared++;
	if (marks->n_only_new == 0 && marks->n_both == marks->n_old)
		return;
	loop->n_different++;
	loop->n_only_old += marks->n_old - marks->n_both;
	loop->n_only_new += marks->n_only_new;
	take_sample(loop, exchange, view, marks);
}

static bool has_room(const struct router *router)
{
	const struct trial_marks *marks = router->trial_marks;

	return marks && marks->n_queues >= router->n_queue_marks &&
	       marks->n_exchanges >= router->n_exchange_marks;
}

bool trial_route(struct router *router, const struct exchange *exchange, struct shadow *shadow)
{
	struct trial *trial = shadow->upgrade->trial;
	struct trial_loop *loop = &trial->loops[router->own_loop];

	if (loop->due + trial->percent < 100 || !has_room(router)) {
		loop->due += loop->due < 100 ? trial->percent : 0;
		return false;
	}
	loop->due = loop->due + trial->percent - 100;
	compare(router, exchange, &exchange->instances[1 - exchange->active], loop);
	return true;
}

/* ---- Reports ---- */

/* The newest of all loops, in a list that is in order of time. */
static void add_sample(struct trial_report *report, const struct trial_sample *sample)
{
	size_t at = report->n_samples;

	if (at == TRIAL_SAMPLES) {
		if (sample->at_ms <= report->samples[0].at_ms)
			return;
		memmove(&report->samples[0], &report->samples[1],
			(TRIAL_SAMPLES - 1) * sizeof(*sample));
		at = --report->n_samples;
	}
	while (at > 0 && report->samples[at - 1].at_ms > sample->at_ms) {
		report->samples[at] = report->samples[at - 1];
		at--;
	}
	report->samples[at] = *sample;
	report->n_samples++;
}

static void add_loop(struct trial_report *report, const struct trial_loop *loop)
{
	uint64_t n = loop->n_sampled < TRIAL_SAMPLES ? loop->n_sampled : TRIAL_SAMPLES;

	report->n_compared += loop->n_compared;
	report->n_different += loop->n_different;
	report->n_only_old += loop->n_only_old;
	report->n_only_new += loop->n_only_new;
	for (uint64_t i = loop->n_sampled - n; i < loop->n_sampled; i++)
		add_sample(report, &loop->samples[i % TRIAL_SAMPLES]);
}

/* A loop at a time: it is some ten KiB that are copied while routing stands still. */
void trial_report(struct topology *topology, struct trial *trial, struct trial_report *ret)
{
	*ret = (struct trial_report){.percent = trial->percent};
	for (unsigned i = 0; i < trial->n_loops; i++) {
		topology_write_begin(topology);
		add_loop(ret, &trial->loops[i]);
		topology_write_end(topology);
	}
}
