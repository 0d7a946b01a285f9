/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PLUGIN_EXCHANGE_CASE_H
#define TESTS_PLUGIN_EXCHANGE_CASE_H

/*
 * One exchange of the plugin that is linked into the test, beside a model of it: a list of
 * bindings, of which every one is asked whether it matches. The tests of all exchange types are
 * built from this.
 */

#include "fake_host.h"
#include "fake_table.h"

struct case_binding {
	struct shunt_binding binding; /* first */
	void *cookie;
	bool bound;
	unsigned long seen; /* the check that met it last */
	uint8_t key[256];
	struct fake_table arguments;
};

struct case_message {
	struct fake_message fake; /* first */
	uint8_t key[256];
	struct fake_table headers;
};

struct exchange_case;

/* What the test says of its exchange type. */
struct case_model {
	/* Fill the routing key and the arguments, or the routing key and the headers, at random;
	 * they are empty before. */
	void (*make_binding)(uint64_t *random, struct case_binding *binding);
	void (*make_message)(uint64_t *random, struct case_message *message);
	bool (*matches)(const struct shunt_binding *binding, const struct case_message *message);
	/* Instead of `matches`, for types that choose: whether c->answer, `count` bindings, is
	 * right. */
	bool (*accepts)(const struct exchange_case *c, const struct case_message *message,
			size_t count);
};

struct exchange_case {
	struct fake_host host;
	struct shunt_exchange exchange;
	const struct case_model *model; /* may be NULL */
	void *state;
	long live_empty; /* allocations of the exchange without bindings */
	struct case_binding *bindings;
	const struct shunt_binding **answer;
	size_t count; /* of bindings, bound or not */
	unsigned long checks;
	uint64_t next_id;
};

/* Starts the plugin and makes an exchange, with memory for `count` bindings, none of them bound. */
void case_open(struct exchange_case *c, const struct case_model *model, size_t count);

/* The same, with arguments of the declare; they stay the test's, and in place until case_close().
 */
void case_open_declared(struct exchange_case *c, const struct case_model *model, size_t count,
			const struct fake_table *arguments);

/* Destroys it, bindings and all; checks that nothing is left. */
void case_close(struct exchange_case *c);

uint64_t case_random(uint64_t *random);

void case_set_key(struct case_binding *binding, const char *key);
void case_message_set_key(struct case_message *message, const char *key);
void case_message_fini(struct case_message *message);

/* 0 or -1 (memory). */
int case_bind(struct exchange_case *c, size_t index);
void case_unbind(struct exchange_case *c, size_t index);

/* The number of bindings that the message goes to; they are in c->answer. */
size_t case_route(struct exchange_case *c, const struct case_message *message);

/* Whether the binding is in the answer. */
bool case_answered(const struct exchange_case *c, size_t count, size_t index);

/* Bindings come and go in random order; after each change a random message goes where the model
 * says, and when all are gone no memory is left. */
void case_run_random(struct exchange_case *c, uint64_t seed, unsigned rounds);

/* Each allocation that a bind, or a create, makes fails once: nothing changes, nothing is lost. */
void case_run_memory(struct exchange_case *c, uint64_t seed, unsigned rounds);

/* Several loops route at once, between changes. */
void case_run_threads(struct exchange_case *c, uint64_t seed, unsigned rounds);

#endif
