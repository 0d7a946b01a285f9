/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_INSTANCE_H
#define TOOLS_SHUNT_PLUGIN_TEST_INSTANCE_H

/*
 * Exchanges, bindings and messages at random, and instances of an exchange type to which they are
 * given. What an instance is passed is guarded memory of its own; what it may not keep is revoked
 * after the call.
 */

#include <shunt/plugin.h>

#include "base/buffer.h"
#include "subject.h"

/* What a binding is made from, for any instance. */
struct recipe {
	struct buffer key, arguments, destination;
	uint64_t id;
	bool is_exchange;
};

/* All that a round is about. */
struct scene {
	struct subject *s;
	struct buffer arguments; /* of the declare */
	bool durable, auto_delete, internal;
	struct recipe *recipes;
	size_t n;
	uint64_t next_id;
};

/* A message to be made. */
struct letter {
	struct buffer key, body, properties, exchange, user;
};

struct instance {
	struct subject *s;
	struct scene *scene;
	unsigned number;
	void *state;
	const struct shunt_exchange *exchange;
	const struct shunt_binding **bindings; /* by recipe; NULL: not bound */
	void **cookies;
	size_t n_bound;
};

/* n recipes; keys and arguments that suit the type, and others. */
void scene_init(struct scene *scene, struct subject *s, size_t n);
void scene_fini(struct scene *scene);
/* Another binding in this place. */
void scene_renew(struct scene *scene, size_t i);

void letter_init(struct letter *letter);
void letter_fini(struct letter *letter);
/* One that may well match. Letters may be made again. */
void letter_make(struct letter *letter, struct scene *scene);
/* The same key, everything else anew. */
void letter_keep_key(struct letter *letter, struct scene *scene);
const struct test_message *letter_post(const struct letter *letter);
void letter_revoke(const struct test_message *message);
const char *letter_quote(const struct letter *letter);

enum instance_result {
	INSTANCE_DONE,
	INSTANCE_REFUSED,   /* by validate, create or validate_binding */
	INSTANCE_NO_MEMORY, /* an allocation was made to fail, and the call failed with it */
};

/* validate() and create(). Nothing is left of one that is not done. */
enum instance_result instance_create(struct instance *i, struct scene *scene, unsigned number);
/* destroy(), bindings or not. */
void instance_destroy(struct instance *i);

/* validate_binding() and bind() of a recipe. */
enum instance_result instance_bind(struct instance *i, size_t recipe);
void instance_unbind(struct instance *i, size_t recipe);
void instance_unbind_all(struct instance *i);

/* Binds and unbinds at random, and leaves bindings. */
void instance_stir(struct instance *i, size_t steps);
/* The bindings of another instance of the scene, in another order than they came there. */
void instance_bind_same(const struct instance *from, struct instance *to);

/*
 * route(): answer[recipe] is 1 for what was emitted, else 0. Anything else that is emitted ends the
 * check. Any thread, whose loop is trace_frame.loop.
 */
void instance_route(const struct instance *i, const struct test_message *message, uint8_t *answer);

#endif
