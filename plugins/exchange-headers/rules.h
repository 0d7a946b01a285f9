/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_HEADERS_RULES_H
#define EXCHANGE_HEADERS_RULES_H

/*
 * The bindings of an exchange as rules: a binding's arguments are read once, when it comes. To
 * route a message, its headers are read once into slots; then all rules are tried, most of which
 * fail at their first condition, which therefore stands in a dense array apart.
 */

#include "names.h"
#include "probes.h"
#include "slots.h"

/* The header must be there, and have this value unless that is nothing. */
struct condition {
	struct name *name;
	uint32_t slot; /* the name's */
	struct value value;
};

/* One binding. Owned by `rules`; a pointer to it is the binding's cookie. */
struct rule {
	const struct shunt_binding *binding;
	size_t position; /* in the array of probes */
	bool any;	 /* one condition is enough */
	size_t count;
	struct condition conditions[];
};

struct rules {
	const struct shunt_host *host;
	struct names names;
	struct slots slots;
	struct probes probes; /* as many as there are rules */
};

/* 0, or -1 when memory is out. */
int rules_init(struct rules *rules, const struct shunt_host *host);
void rules_fini(struct rules *rules);

/* NULL when memory is out: then nothing has changed. */
struct rule *rules_add(struct rules *rules, const struct shunt_binding *binding);
void rules_remove(struct rules *rules, struct rule *rule);

/* Puts the bindings that match these headers into the sink. On any loop. */
void rules_match(const struct rules *rules, struct shunt_bytes headers, struct shunt_sink *sink);

/* How a binding is to be matched, by its argument x-match. */
struct rule_mode {
	bool any;
	bool with_x; /* heed names that begin with x- */
};

/* False if the text is none of all, any, all-with-x and any-with-x. */
bool rule_mode_parse(struct shunt_bytes text, struct rule_mode *ret_mode);

#endif
