/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_AMQP_DEPENDS_H
#define KERNEL_AMQP_DEPENDS_H

/* What an exchange type's answers depend on (shunt_exchange_type.depends), and those fields of a
 * message. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shunt/plugin.h>

#include "base/compiler.h"
#include "base/slice.h"

#define DEPENDS_MAX 16u

enum depends_kind {
	DEPENDS_ROUTING_KEY,
	DEPENDS_EXCHANGE,
	DEPENDS_USER,
	DEPENDS_HEADER,
	DEPENDS_PROPERTY,
};

struct depends_field {
	enum depends_kind kind;
	unsigned property; /* index of struct amqp_properties' members, in the order of the wire */
	struct slice header; /* its name, borrowed of the plugin */
};

/* Part of the exchange type. */
struct depends {
	bool is_declared;
	bool is_by_names;  /* on nothing but exchange, routing key and user */
	uint16_t property; /* enum amqp_property: the last one that is looked at; 0: none is */
	size_t n_fields;
	struct depends_field fields[DEPENDS_MAX];
};

#define DEPENDS_FAULT_SIZE 160u

/*
 * Reads the list, which ends with NULL; NULL: nothing is declared. -EINVAL: what is wrong with it
 * is in ret_fault, and *ret is as if nothing were declared.
 */
int depends_read(const char *const *names, struct depends *ret, char *ret_fault, size_t size);

/*
 * Writes what the message, with those properties on the wire, has in these fields, so that two
 * messages with the same bytes are the same in all of them: whether there is one, its type on the
 * wire, its value; of a header all entries of that name. Returns how many bytes; 0: more than there
 * is room for (no message has none).
 */
size_t depends_write(const struct depends *depends, const struct shunt_message *view,
		     struct slice properties, uint8_t *out, size_t room);

#endif
