/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <string.h>

#include "arena.h"
#include "base/mem.h"
#include "instance.h"
#include "tables.h"
#include "trace.h"

/* ---- Declares ---- */

void check_schema(struct subject *s)
{
	table_check_description(s->type->declare_arguments, "declare");
	table_check_description(s->type->bind_arguments, "bind");
	if (s->type->description == NULL || strchr(s->type->description, '\n') != NULL)
		trace_note("the type has no description of one line");
}

/* The allocations that an instance has made are its own, and go with it. */
static void expect_live(const struct world *w, long expected, const char *after)
{
	long live = atomic_load(&w->live);

	if (live > expected)
		trace_fail("it leaks: %ld allocations more after %s than before", live - expected,
			   after);
	if (live < expected)
		trace_fail("%ld allocations less after %s than before", expected - live, after);
}

void check_declare(struct subject *s)
{
	unsigned declared = 0, rounds = s->rounds * 4;

	for (unsigned round = 0; round < rounds; round++) {
		long live = atomic_load(&s->world->live);
		struct instance i;
		struct scene scene;

		subject_round(s, round);
		scene_init(&scene, s, 0);
		if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
			declared++;
			instance_destroy(&i);
		}
		expect_live(s->world, live, "an instance was destroyed (or refused)");
		scene_fini(&scene);
	}
	if (declared == 0)
		trace_fail("it refuses every exchange, whatever its arguments");
	trace_note("%u of %u declares accepted", declared, rounds);
}

/* ---- Bindings ---- */

static void step(struct instance *i, struct letter *letter, uint8_t *answer)
{
	struct rng *rng = &i->s->rng;
	size_t k = rng_below(rng, i->scene->n);
	const struct test_message *message;

	if (i->bindings[k] != NULL) {
		instance_unbind(i, k);
	} else {
		scene_renew(i->scene, k);
		(void)instance_bind(i, k);
	}
	letter_make(letter, i->scene);
	message = letter_post(letter);
	instance_route(i, message, answer);
	letter_revoke(message);
}

static size_t bindings_round(struct subject *s, unsigned round)
{
	size_t n = 1 + rng_below(&s->rng, 40);
	uint8_t *answer = mem_zalloc(n);
	struct instance i;
	struct letter letter;
	struct scene scene;
	size_t bound = 0;

	scene_init(&scene, s, n);
	letter_init(&letter);
	if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
		for (unsigned k = 0; k < 60; k++) {
			step(&i, &letter, answer);
			bound += i.n_bound;
		}
		/* with bindings left, and without */
		if (rng_one_in(&s->rng, 2))
			instance_unbind_all(&i);
		instance_destroy(&i);
	}
	letter_fini(&letter);
	scene_fini(&scene);
	mem_free(answer);
	return bound;
}

void check_bindings(struct subject *s)
{
	size_t bound = 0;

	for (unsigned round = 0; round < s->rounds; round++) {
		long live = atomic_load(&s->world->live);

		subject_round(s, round);
		bound += bindings_round(s, round);
		expect_live(s->world, live, "an instance with bindings was destroyed");
	}
	if (bound == 0)
		trace_fail("it refuses every binding, whatever its key and arguments");
}

/* ---- The answer and the order ---- */

#define TRIES_OF_CHANCE 200

/* Whether the same message gets another answer from the same instance. */
static bool is_by_chance(const struct instance *i, const struct test_message *message,
			 const uint8_t *answer)
{
	uint8_t *again = mem_zalloc(i->scene->n + 1);
	bool differs = false;

	for (unsigned k = 0; k < TRIES_OF_CHANCE && !differs; k++) {
		instance_route(i, message, again);
		differs = memcmp(again, answer, i->scene->n) != 0;
	}
	mem_free(again);
	return differs;
}

/* The last binding of those that one has and the other has not. */
static size_t difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	while (n > 1 && a[n - 1] == b[n - 1])
		n--;
	return n - 1;
}

static void compare(const struct instance *a, const struct instance *b, const struct letter *letter,
		    uint8_t *answers[2])
{
	const struct test_message *message = letter_post(letter);
	size_t n = a->scene->n, k;

	instance_route(a, message, answers[0]);
	instance_route(b, message, answers[1]);
	if (memcmp(answers[0], answers[1], n) == 0)
		goto out;
	if (is_by_chance(a, message, answers[0]) || is_by_chance(b, message, answers[1])) {
		trace_note("random: the same message gets different answers, %s; only what is "
			   "emitted is checked",
			   atomic_load(&a->s->world->asked_random) ? "by shunt_host.random"
								   : "not by shunt_host.random");
		goto out;
	}
	k = difference(answers[0], answers[1], n);
	trace_fail("route() depends on the order: for the message key %s, the binding with the key "
		   "%s is emitted by %s",
		   letter_quote(letter),
		   trace_quote(a->scene->recipes[k].key.data, a->scene->recipes[k].key.size),
		   answers[0][k]
			   ? "the instance that has seen others come and go, not by a fresh one"
			   : "a fresh instance, not by one that has seen others come and go");
out:
	letter_revoke(message);
}

static void order_round(struct subject *s, unsigned round)
{
	size_t n = 1 + rng_below(&s->rng, round % 4 == 3 ? 120 : 20);
	uint8_t *answers[2] = {mem_zalloc(n), mem_zalloc(n)};
	struct instance a, b;
	struct letter letter;
	struct scene scene;

	/* hashes that are nearly all the same must do, too */
	s->world->hash_mask = round % 3 == 2 ? 3 : UINT64_MAX;
	scene_init(&scene, s, n);
	letter_init(&letter);
	if (instance_create(&a, &scene, 2 * round + 1) != INSTANCE_DONE)
		goto out;
	instance_stir(&a, n * 3);
	if (instance_create(&b, &scene, 2 * round + 2) != INSTANCE_DONE)
		trace_fail("create() refuses the second time what it took the first time");
	instance_bind_same(&a, &b);
	for (unsigned k = 0; k < 40; k++) {
		letter_make(&letter, &scene);
		compare(&a, &b, &letter, answers);
	}
	instance_destroy(&a);
	instance_destroy(&b);
out:
	letter_fini(&letter);
	scene_fini(&scene);
	mem_free(answers[0]);
	mem_free(answers[1]);
}

void check_order(struct subject *s)
{
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		order_round(s, round);
	}
}
