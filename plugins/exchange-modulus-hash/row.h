/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_MODULUS_HASH_ROW_H
#define EXCHANGE_MODULUS_HASH_ROW_H

/*
 * The bindings of an exchange in an order that is their own: by the destination's name, queues
 * before exchanges, then by routing key and arguments, whenever they came.
 */

#include <shunt/plugin.h>

struct row {
	const struct shunt_host *host;
	const struct shunt_binding **bindings;
	size_t count, capacity;
};

void row_init(struct row *row, const struct shunt_host *host);
void row_fini(struct row *row);

/* -1 when memory is out: then nothing has changed. */
int row_add(struct row *row, const struct shunt_binding *binding);

/* A binding that is there. */
void row_remove(struct row *row, const struct shunt_binding *binding);

#endif
