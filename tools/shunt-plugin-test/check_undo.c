/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "base/mem.h"
#include "instance.h"
#include "panel.h"
#include "trace.h"

#define CYCLES 12

/* ---- Unbind undoes bind ---- */

static void shuffle(struct rng *rng, size_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t k = rng_below(rng, i), other = order[k];

		order[k] = order[i - 1];
		order[i - 1] = other;
	}
}

/* The second half of the recipes comes and goes, always in the same two orders. */
static void cycle(struct instance *i, const size_t *in, const size_t *out)
{
	size_t half = i->scene->n / 2;

	for (size_t k = 0; k < i->scene->n; k++)
		if (in[k] >= half)
			(void)instance_bind(i, in[k]);
	for (size_t k = 0; k < i->scene->n; k++)
		if (out[k] >= half && i->bindings[out[k]] != NULL)
			instance_unbind(i, out[k]);
}

/* Room may be kept for what has been there once; but what comes and goes the same way needs no more
 * each time. */
static void cycles(struct instance *i, const size_t *in, const size_t *out)
{
	long live = 0;
	size_t bytes = 0;

	for (unsigned k = 0; k < CYCLES; k++) {
		cycle(i, in, out);
		if (k == CYCLES / 3) {
			live = atomic_load(&i->s->world->live);
			bytes = arena_live_bytes();
		}
	}
	if (atomic_load(&i->s->world->live) > live)
		trace_fail("it leaks: with bindings that come and go the same way %d times, it has "
			   "%ld allocations more",
			   CYCLES - CYCLES / 3 - 1, atomic_load(&i->s->world->live) - live);
	if (arena_live_bytes() > bytes)
		trace_fail("it grows: with bindings that come and go the same way %d times, it has "
			   "%zu bytes more",
			   CYCLES - CYCLES / 3 - 1, arena_live_bytes() - bytes);
}

static void unbind_round(struct subject *s, unsigned round)
{
	size_t n = 2 + rng_below(&s->rng, 30);
	size_t *in = mem_alloc(n * sizeof(*in)), *out = mem_alloc(n * sizeof(*out));
	struct instance i;
	struct scene scene;
	struct panel panel;

	scene_init(&scene, s, n);
	shuffle(&s->rng, in, n);
	shuffle(&s->rng, out, n);
	if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
		for (size_t k = 0; k < n / 2; k++)
			(void)instance_bind(&i, k);
		panel_init(&panel, &i, 20);
		cycle(&i, in, out);
		panel_expect(&panel, &i, "bindings came and went");
		cycles(&i, in, out);
		panel_expect(&panel, &i, "bindings came and went");
		panel_fini(&panel);
		instance_destroy(&i);
	}
	scene_fini(&scene);
	mem_free(in);
	mem_free(out);
}

void check_unbind(struct subject *s)
{
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		unbind_round(s, round);
	}
}

/* ---- Memory that is out ---- */

static void expect_live(const struct world *w, long expected, const char *what)
{
	if (atomic_load(&w->live) > expected)
		trace_fail("%s failed when memory was out and left %ld allocations", what,
			   atomic_load(&w->live) - expected);
}

/* Each allocation of create() fails once, the first ones with all that follow. */
static bool create_failing(struct scene *scene, struct instance *i, unsigned number)
{
	struct world *w = scene->s->world;
	enum instance_result result = INSTANCE_NO_MEMORY;
	long live = atomic_load(&w->live);

	for (long n = 1; result == INSTANCE_NO_MEMORY; n++) {
		host_fail_at(w, n, n % 2 == 0);
		trace_with("allocation %ld failing", n);
		result = instance_create(i, scene, number);
		if (result == INSTANCE_NO_MEMORY)
			expect_live(w, live, "create()");
	}
	host_fail_at(w, -1, false);
	return result == INSTANCE_DONE;
}

/* The binding is not there, and the instance is as before; then it is there. */
static void bind_failing(struct instance *i, size_t k, const struct panel *panel)
{
	struct world *w = i->s->world;
	enum instance_result result = INSTANCE_NO_MEMORY;

	for (long n = 1; result == INSTANCE_NO_MEMORY; n++) {
		host_fail_at(w, n, n % 2 == 0);
		result = instance_bind(i, k);
		host_fail_at(w, -1, false);
		if (result != INSTANCE_NO_MEMORY)
			break;
		/* room that was made before the failure may stay: destroy() has to free it */
		panel_expect(panel, i, "bind() failed when memory was out");
	}
}

static void unbind_failing(struct instance *i)
{
	host_fail_at(i->s->world, 1, true);
	instance_unbind_all(i);
	host_fail_at(i->s->world, -1, false);
}

static void memory_round(struct subject *s, unsigned round)
{
	size_t n = 1 + rng_below(&s->rng, 24);
	struct instance i, fresh;
	struct scene scene;
	struct panel panel;

	scene_init(&scene, s, n);
	if (!create_failing(&scene, &i, 2 * round + 1))
		goto out;
	for (size_t k = 0; k < n; k++) {
		panel_init(&panel, &i, 6);
		bind_failing(&i, k, &panel);
		panel_fini(&panel);
	}
	if (instance_create(&fresh, &scene, 2 * round + 2) != INSTANCE_DONE)
		trace_fail("create() refuses the second time what it took the first time");
	for (size_t k = 0; k < n; k++)
		if (i.bindings[k] != NULL)
			(void)instance_bind(&fresh, k);
	panel_init(&panel, &fresh, 30);
	panel_expect(&panel, &i, "bind() failed when memory was out, and was called again");
	panel_fini(&panel);
	unbind_failing(&i);
	instance_destroy(&i);
	instance_destroy(&fresh);
out:
	scene_fini(&scene);
}

void check_memory(struct subject *s)
{
	for (unsigned round = 0; round < s->rounds; round++) {
		long live = atomic_load(&s->world->live);

		subject_round(s, round);
		memory_round(s, round);
		if (atomic_load(&s->world->live) > live)
			trace_fail("it leaks where memory was out: %ld allocations after destroy()",
				   atomic_load(&s->world->live) - live);
	}
}
