/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <pthread.h>
#include <string.h>

#include "arena.h"
#include "base/mem.h"
#include "instance.h"
#include "trace.h"

/* Hooks get any message, with memory failing now and then; then several loops have them at once. */

/* One call, on any thread. All it is passed is revoked afterwards. */
struct hooked {
	const struct shunt_hook *hook;
	struct subject *s;
	const struct test_message *message;
	bool is_dry_run, flag;
};

static struct shunt_bytes text(const char *string)
{
	return (struct shunt_bytes){arena_copy(ARENA_OTHER, string, strlen(string), 0, 0),
				    strlen(string)};
}

static const struct shunt_peer *pass_peer(void)
{
	const struct shunt_peer peer = {
		.size = sizeof(peer), .host = text("127.0.0.1"), .port = 5672};

	return arena_copy(ARENA_OTHER, &peer, sizeof(peer), 0, 0);
}

static void revoke_peer(const struct shunt_peer *peer)
{
	if (peer == NULL)
		return;
	arena_free(peer->host.data);
	arena_free(peer);
}

static void call_publish(const struct hooked *h)
{
	struct shunt_draft *draft = host_hook_draft(h->s->world, false);
	struct shunt_publish publish = {
		.size = sizeof(publish),
		.message = &h->message->view,
		.user = text(h->is_dry_run ? "" : "guest"),
		.peer = h->is_dry_run ? NULL : pass_peer(),
		.mandatory = h->flag,
		.dry_run = h->is_dry_run,
	};
	const struct shunt_publish *passed =
		arena_copy(ARENA_OTHER, &publish, sizeof(publish), 0, 0);
	enum shunt_decision decision;
	struct shunt_error error;

	error_blank(&error);
	trace_begin("a hook's publish()");
	trace_frame.in_dry_run = h->is_dry_run;
	decision = h->hook->publish(h->s->world->state, passed, draft, &error);
	trace_frame.in_dry_run = false;
	trace_end();
	if ((unsigned)decision > SHUNT_NACK)
		trace_fail("a hook's publish() returned %d, which is no decision", (int)decision);
	if (decision == SHUNT_REJECT)
		error_check("a hook's publish()", &error, false);
	if (decision == SHUNT_NACK)
		error_check_text("a hook's publish()", &error);
	host_draft_revoke(draft);
	arena_free(publish.user.data);
	revoke_peer(publish.peer);
	arena_free(passed);
}

static void call_deliver(const struct hooked *h)
{
	struct shunt_draft *draft = host_hook_draft(h->s->world, true);
	struct shunt_delivery delivery = {
		.size = sizeof(delivery),
		.message = &h->message->view,
		.queue = text("orders"),
		.user = text("guest"),
		.consumer_tag = text(h->flag ? "" : "ctag1"),
		.peer = pass_peer(),
		.redelivered = h->is_dry_run,
	};
	const struct shunt_delivery *passed =
		arena_copy(ARENA_OTHER, &delivery, sizeof(delivery), 0, 0);
	enum shunt_decision decision;

	trace_begin("a hook's deliver()");
	decision = h->hook->deliver(h->s->world->state, passed, draft);
	trace_end();
	if ((unsigned)decision > SHUNT_REJECT)
		trace_fail("a hook's deliver() returned %d, which is no decision", (int)decision);
	host_draft_revoke(draft);
	arena_free(delivery.queue.data);
	arena_free(delivery.user.data);
	arena_free(delivery.consumer_tag.data);
	revoke_peer(delivery.peer);
	arena_free(passed);
}

static void call_both(const struct hooked *h)
{
	if (h->hook->publish != NULL)
		call_publish(h);
	if (h->hook->deliver != NULL)
		call_deliver(h);
}

static void one_message(struct subject *s, const struct shunt_hook *hook, struct scene *scene,
			struct letter *letter)
{
	struct hooked h = {.hook = hook, .s = s};

	letter_make(letter, scene);
	h.message = letter_post(letter);
	h.is_dry_run = rng_one_in(&s->rng, 5);
	h.flag = rng_one_in(&s->rng, 2);
	if (rng_one_in(&s->rng, 5))
		host_fail_at(s->world, 1 + (long)rng_below(&s->rng, 3), rng_one_in(&s->rng, 2));
	call_both(&h);
	host_fail_at(s->world, -1, false);
	letter_revoke(h.message);
	host_pump(s->world, 1);
}

/* ---- Several loops ---- */

struct hook_thread {
	struct hooked hooked;
	pthread_t thread;
	unsigned loop;
};

static void *hook_thread_run(void *context)
{
	const struct hook_thread *thread = context;

	trace_frame.loop = thread->loop;
	for (unsigned k = 0; k < 20; k++)
		call_both(&thread->hooked);
	return NULL;
}

static void at_once(struct subject *s, const struct shunt_hook *hook, struct scene *scene,
		    struct letter *letter)
{
	struct hook_thread threads[HOST_LOOPS];
	const struct test_message *message;

	letter_make(letter, scene);
	message = letter_post(letter);
	for (unsigned loop = 0; loop < HOST_LOOPS; loop++) {
		threads[loop] = (struct hook_thread){
			.hooked = {.hook = hook, .s = s, .message = message}, .loop = loop};
		if (pthread_create(&threads[loop].thread, NULL, hook_thread_run, &threads[loop]) !=
		    0)
			trace_fail("the tester itself: no thread can be made");
	}
	for (unsigned loop = 0; loop < HOST_LOOPS; loop++)
		(void)pthread_join(threads[loop].thread, NULL);
	letter_revoke(message);
	host_pump(s->world, 1);
}

/* What each message leaves behind: some may be remembered, but not ever more allocations of them.
 */
static void expect_no_growth(const struct subject *s, const long *live, unsigned messages)
{
	if (live[1] - live[0] >= (long)messages && live[2] - live[1] >= (long)messages)
		trace_fail("a hook leaks: %ld allocations more after %u messages, and %ld more "
			   "after as many again",
			   live[1] - live[0], messages, live[2] - live[1]);
	if (atomic_load(&s->world->drafts) > 0)
		trace_fail("a hook made %ld drafts that it neither published nor freed",
			   atomic_load(&s->world->drafts));
}

void check_hooks(struct subject *s)
{
	unsigned messages = s->rounds * 10;
	struct letter letter;
	struct scene scene;
	long live[3];

	if (s->world->n_hooks == 0)
		trace_skip("it registers no hook");
	scene_init(&scene, s, 0);
	letter_init(&letter);
	for (size_t k = 0; k < s->world->n_hooks; k++) {
		const struct shunt_hook *hook = &s->world->hooks[k];

		if (hook->publish == NULL && hook->deliver == NULL)
			trace_fail("the hook '%s' has neither publish nor deliver", hook->name);
		for (unsigned part = 0; part < 3; part++) {
			for (unsigned m = 0; part > 0 && m < messages; m++) {
				subject_round(s, part * messages + m);
				one_message(s, hook, &scene, &letter);
			}
			live[part] = atomic_load(&s->world->live);
		}
		expect_no_growth(s, live, messages);
		at_once(s, hook, &scene, &letter);
	}
	letter_fini(&letter);
	scene_fini(&scene);
}
