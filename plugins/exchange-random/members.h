/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_RANDOM_MEMBERS_H
#define EXCHANGE_RANDOM_MEMBERS_H

/* The bindings of an exchange, without gaps, in no order. */

#include <shunt/plugin.h>

/* Belongs to its members. */
struct member {
	const struct shunt_binding *binding;
	size_t position; /* changes when another one goes */
};

struct members {
	const struct shunt_host *host;
	struct member **array;
	size_t count, capacity;
};

void members_init(struct members *members, const struct shunt_host *host);
void members_fini(struct members *members);

/* NULL when memory is out: then nothing has changed. */
struct member *members_add(struct members *members, const struct shunt_binding *binding);
void members_remove(struct members *members, struct member *member);

#endif
