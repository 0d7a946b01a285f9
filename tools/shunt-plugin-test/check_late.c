/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <pthread.h>
#include <string.h>

#include "arena.h"
#include "base/mem.h"
#include "instance.h"
#include "panel.h"
#include "trace.h"

/* What came with 1.2: types that remember messages, send them, and hand over what they remember. */

/* ---- Calls ---- */

struct test_sender {
	struct shunt_sender sender; /* first */
	struct world *world;
	bool fails;
};

static int sender_send(struct shunt_sender *sender, const struct shunt_message *message)
{
	const struct arena_piece *piece = arena_find(message);

	if (piece == NULL || piece->kind != ARENA_MESSAGE || piece->owner != 1 || !piece->is_live)
		trace_fail("bound() sent a message that it does not hold");
	return ((const struct test_sender *)sender)->fails ? -1 : 0;
}

static void call_bound(const struct instance *i, size_t k)
{
	const struct test_sender sender = {
		.sender = {.size = sizeof(sender.sender), .send = sender_send},
		.world = i->s->world,
		.fails = rng_one_in(&i->s->rng, 6),
	};
	const struct shunt_sender *passed;

	if (i->s->type->bound == NULL || i->bindings[k] == NULL)
		return;
	passed = arena_copy(ARENA_OTHER, &sender, sizeof(sender), 0, 0);
	trace_begin("bound()");
	i->s->type->bound(i->state, i->bindings[k], (struct shunt_sender *)(uintptr_t)passed);
	trace_end();
	arena_free(passed);
}

static void call_observe(const struct instance *i, const struct test_message *message)
{
	if (i->s->type->observe == NULL)
		return;
	/* it cannot fail; what it wants to remember may not fit */
	if (rng_one_in(&i->s->rng, 5))
		host_fail_at(i->s->world, 1, true);
	trace_begin("observe()");
	i->s->type->observe(i->state, &message->view);
	trace_end();
	host_fail_at(i->s->world, -1, false);
}

static void post_and_observe(const struct instance *i, struct letter *letter, uint8_t *answer)
{
	const struct test_message *message;

	letter_make(letter, i->scene);
	message = letter_post(letter);
	instance_route(i, message, answer);
	call_observe(i, message);
	letter_revoke(message);
}

/* As in a broker: messages, and bindings that come and go. */
static void live(struct instance *i, unsigned steps)
{
	uint8_t *answer = mem_zalloc(i->scene->n + 1);
	struct rng *rng = &i->s->rng;
	struct letter letter;

	letter_init(&letter);
	while (steps-- > 0) {
		size_t k = rng_below(rng, i->scene->n);

		if (!rng_one_in(rng, 3))
			post_and_observe(i, &letter, answer);
		else if (i->bindings[k] != NULL)
			instance_unbind(i, k);
		else if (instance_bind(i, k) == INSTANCE_DONE)
			call_bound(i, k);
	}
	letter_fini(&letter);
	mem_free(answer);
}

/* ---- observe, beside route ---- */

struct router {
	const struct instance *instance;
	const struct test_message *message;
	pthread_t thread;
	_Atomic bool ends;
};

static void *router_run(void *context)
{
	struct router *router = context;
	uint8_t *answer = mem_zalloc(router->instance->scene->n + 1);

	trace_frame.loop = 1;
	do
		instance_route(router->instance, router->message, answer);
	while (!atomic_load(&router->ends));
	mem_free(answer);
	return NULL;
}

static void observe_beside_route(const struct instance *i, struct letter *letters)
{
	struct router router = {.instance = i};
	const struct test_message *message;

	letter_make(&letters[0], i->scene);
	router.message = letter_post(&letters[0]);
	if (pthread_create(&router.thread, NULL, router_run, &router) != 0)
		trace_fail("the tester itself: no thread can be made");
	for (unsigned k = 0; k < 30; k++) {
		letter_make(&letters[1], i->scene);
		message = letter_post(&letters[1]);
		call_observe(i, message);
		letter_revoke(message);
	}
	atomic_store(&router.ends, true);
	(void)pthread_join(router.thread, NULL);
	letter_revoke(router.message);
}

static void expect_nothing_kept(const struct world *w, long live_before, long held_before)
{
	if (atomic_load(&w->held) > held_before)
		trace_fail("after destroy() it holds %ld messages that it never releases",
			   atomic_load(&w->held) - held_before);
	if (atomic_load(&w->live) > live_before)
		trace_fail("it leaks: %ld allocations more after an instance was destroyed than "
			   "before",
			   atomic_load(&w->live) - live_before);
}

static void observe_round(struct subject *s, unsigned round)
{
	long live_before = atomic_load(&s->world->live), held = atomic_load(&s->world->held);
	struct letter letters[2];
	struct instance i;
	struct scene scene;
	struct panel panel;

	scene_init(&scene, s, 1 + rng_below(&s->rng, 12));
	letter_init(&letters[0]);
	letter_init(&letters[1]);
	if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
		live(&i, 60);
		panel_init(&panel, &i, 10);
		observe_beside_route(&i, letters);
		panel_expect(&panel, &i, "messages were observed");
		panel_fini(&panel);
		instance_destroy(&i);
		expect_nothing_kept(s->world, live_before, held);
	}
	letter_fini(&letters[0]);
	letter_fini(&letters[1]);
	scene_fini(&scene);
}

void check_observe(struct subject *s)
{
	if (s->type->observe == NULL)
		trace_skip("the type has no observe()");
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		observe_round(s, round);
	}
}

void check_bound(struct subject *s)
{
	if (s->type->bound == NULL)
		trace_skip("the type has no bound()");
	for (unsigned round = 0; round < s->rounds; round++) {
		long live_before = atomic_load(&s->world->live);
		long held = atomic_load(&s->world->held);
		struct instance i;
		struct scene scene;

		subject_round(s, round);
		scene_init(&scene, s, 1 + rng_below(&s->rng, 12));
		if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
			live(&i, 120);
			instance_destroy(&i);
			expect_nothing_kept(s->world, live_before, held);
		}
		scene_fini(&scene);
	}
}

/* ---- adopt ---- */

static void adopt(struct instance *new, struct instance *old)
{
	const char *version = new->s->plugin->version;
	const char *passed = arena_copy(ARENA_OTHER, version, strlen(version) + 1, 0, 0);

	if (rng_one_in(&new->s->rng, 4))
		host_fail_at(new->s->world, 1, true);
	trace_begin("adopt()");
	new->s->type->adopt(new->state, old->state, passed);
	trace_end();
	host_fail_at(new->s->world, -1, false);
	arena_free(passed);
	instance_destroy(old);
}

static void adopt_round(struct subject *s, unsigned round)
{
	long live_before = atomic_load(&s->world->live), held = atomic_load(&s->world->held);
	struct instance instances[3];
	struct scene scene;
	struct panel panel;

	scene_init(&scene, s, 1 + rng_below(&s->rng, 12));
	if (instance_create(&instances[0], &scene, 3 * round + 1) != INSTANCE_DONE)
		goto out;
	live(&instances[0], 60);
	panel_init(&panel, &instances[0], 10);
	for (unsigned k = 1; k < 3; k++) {
		if (instance_create(&instances[k], &scene, 3 * round + 1 + k) != INSTANCE_DONE)
			trace_fail("create() refuses the second time what it took the first time");
		instance_bind_same(&instances[k - 1], &instances[k]);
		adopt(&instances[k], &instances[k - 1]);
		panel_expect(&panel, &instances[k], "another instance took over");
	}
	panel_fini(&panel);
	live(&instances[2], 60);
	instance_destroy(&instances[2]);
	expect_nothing_kept(s->world, live_before, held);
out:
	scene_fini(&scene);
}

void check_adopt(struct subject *s)
{
	if (s->type->adopt == NULL)
		trace_skip("the type has no adopt()");
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		adopt_round(s, round);
	}
}
