/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <pthread.h>
#include <string.h>

#include "arena.h"
#include "base/mem.h"
#include "instance.h"
#include "trace.h"

#define MESSAGES     16
#define THREAD_TURNS 6

/* ---- route() changes no state ---- */

/* Messages that several threads route at once, and what has to come of it. */
struct crowd {
	const struct instance *instance;
	const struct test_message *messages[MESSAGES];
	struct letter letters[MESSAGES];
	uint8_t *answers[MESSAGES];
	bool is_random;
};

struct member {
	struct crowd *crowd;
	pthread_t thread;
	unsigned loop;
};

static void crowd_init(struct crowd *crowd, const struct instance *i)
{
	*crowd = (struct crowd){.instance = i};
	for (size_t k = 0; k < MESSAGES; k++) {
		letter_init(&crowd->letters[k]);
		letter_make(&crowd->letters[k], i->scene);
		crowd->messages[k] = letter_post(&crowd->letters[k]);
		crowd->answers[k] = mem_zalloc(i->scene->n + 1);
	}
}

static void crowd_fini(struct crowd *crowd)
{
	for (size_t k = 0; k < MESSAGES; k++) {
		letter_revoke(crowd->messages[k]);
		letter_fini(&crowd->letters[k]);
		mem_free(crowd->answers[k]);
	}
}

static void say_message(const struct crowd *crowd, size_t k)
{
	trace_with("a message with the key %s", letter_quote(&crowd->letters[k]));
}

/* The answers that all others are compared with; and whether there can be such. */
static void first_answers(struct crowd *crowd)
{
	uint8_t *again = mem_zalloc(crowd->instance->scene->n + 1);

	for (size_t k = 0; k < MESSAGES; k++) {
		say_message(crowd, k);
		instance_route(crowd->instance, crowd->messages[k], crowd->answers[k]);
		for (unsigned t = 0; t < 8 && !crowd->is_random; t++) {
			instance_route(crowd->instance, crowd->messages[k], again);
			crowd->is_random =
				memcmp(again, crowd->answers[k], crowd->instance->scene->n) != 0;
		}
	}
	mem_free(again);
}

static void route_all(struct crowd *crowd, const char *where)
{
	size_t n = crowd->instance->scene->n;
	uint8_t *answer = mem_zalloc(n + 1);

	for (size_t k = 0; k < MESSAGES; k++) {
		say_message(crowd, k);
		instance_route(crowd->instance, crowd->messages[k], answer);
		if (!crowd->is_random && memcmp(answer, crowd->answers[k], n) != 0)
			trace_fail("route() answers another way %s: for the message key %s", where,
				   letter_quote(&crowd->letters[k]));
	}
	mem_free(answer);
}

static void *member_run(void *context)
{
	struct member *member = context;

	trace_frame.loop = member->loop;
	for (unsigned turn = 0; turn < THREAD_TURNS; turn++)
		route_all(member->crowd, "when it runs on several threads");
	return NULL;
}

static void all_at_once(struct crowd *crowd)
{
	struct member members[HOST_LOOPS];

	for (unsigned loop = 0; loop < HOST_LOOPS; loop++) {
		members[loop] = (struct member){.crowd = crowd, .loop = loop};
		if (pthread_create(&members[loop].thread, NULL, member_run, &members[loop]) != 0)
			trace_fail("the tester itself: no thread can be made");
	}
	for (unsigned loop = 0; loop < HOST_LOOPS; loop++)
		(void)pthread_join(members[loop].thread, NULL);
}

static void state_round(struct subject *s, unsigned round)
{
	size_t n = 1 + rng_below(&s->rng, 30);
	struct crowd crowd;
	struct instance i;
	struct scene scene;

	scene_init(&scene, s, n);
	if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
		instance_stir(&i, n * 2);
		crowd_init(&crowd, &i);
		arena_lock();
		first_answers(&crowd);
		for (trace_frame.loop = 0; trace_frame.loop < HOST_LOOPS; trace_frame.loop++)
			route_all(&crowd, "on another loop");
		trace_frame.loop = 0;
		all_at_once(&crowd);
		arena_unlock();
		if (trace_frame.mallocs > 0 && s->script == NULL)
			trace_note("warning: route() calls malloc()");
		if (crowd.is_random)
			trace_note("random: the same message gets different answers");
		crowd_fini(&crowd);
		instance_destroy(&i);
	}
	scene_fini(&scene);
}

void check_state(struct subject *s)
{
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		state_round(s, round);
	}
}

/* ---- Only the key decides ---- */

static void key_round(struct subject *s, unsigned round)
{
	size_t n = 1 + rng_below(&s->rng, 30);
	uint8_t *answers[2] = {mem_zalloc(n), mem_zalloc(n)};
	const struct test_message *message;
	struct letter letter;
	struct instance i;
	struct scene scene;

	scene_init(&scene, s, n);
	letter_init(&letter);
	if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
		instance_stir(&i, n * 2);
		for (unsigned k = 0; k < 80; k++) {
			if (k % 4 == 0)
				letter_make(&letter, &scene);
			else
				letter_keep_key(&letter, &scene);
			message = letter_post(&letter);
			instance_route(&i, message, answers[k % 4 != 0]);
			letter_revoke(message);
			if (k % 4 != 0 && memcmp(answers[0], answers[1], n) != 0)
				trace_fail("routes_by_key is not true: two messages with the key "
					   "%s get different answers",
					   letter_quote(&letter));
		}
		instance_destroy(&i);
	}
	letter_fini(&letter);
	scene_fini(&scene);
	mem_free(answers[0]);
	mem_free(answers[1]);
}

void check_key(struct subject *s)
{
	if (!s->type->routes_by_key)
		trace_skip("the type does not set routes_by_key");
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		key_round(s, round);
	}
}
