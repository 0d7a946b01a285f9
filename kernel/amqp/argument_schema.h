/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_AMQP_ARGUMENT_SCHEMA_H
#define KERNEL_AMQP_ARGUMENT_SCHEMA_H

/*
 * What an exchange type says of the arguments of its exchanges and bindings (struct
 * shunt_argument): whether that makes sense, whether given arguments fit, and their values.
 *
 * A list is what a plugin has registered: NULL, or ended by a name of NULL.
 */

#include <shunt/plugin.h>

#include "amqp/error.h"
#include "amqp/value.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

#define ARGUMENT_SCHEMA_MAX	   64u	/* arguments in a list */
#define ARGUMENT_SCHEMA_CHOICE_MAX 256u /* choices of one of them */

/* What is wrong with a list, in words; NULL: nothing. The functions below are for lists of which
 * that has been said. */
const char *argument_schema_fault(const struct shunt_argument *list);

/* Of what the arguments are, for texts. */
struct argument_place {
	const char *what; /* "exchange", "binding of exchange" */
	struct slice name, vhost;
};

/*
 * 406 `invalid arg 'a' for exchange 'e' in vhost '/': ...` for the first of the list that is
 * required and not in the table, or does not fit. Arguments that are not in the list, or checked by
 * the type, are not looked at. The table is well-formed.
 */
int argument_schema_check(const struct shunt_argument *list, struct slice table,
			  const struct argument_place *place, struct amqp_error *error) MUST_USE;

/*
 * A value as one of the described type: boolean 't', integer 'l', number 'd', string 'S', table
 * 'F', array 'A'. False when it does not fit. Not for SHUNT_ARGUMENT_ANY, whose values are what
 * they are. Bytes are borrowed.
 */
bool argument_schema_read(const struct shunt_argument *argument, const struct amqp_value *value,
			  struct shunt_value *ret_value);

/* The default in the same way (a string, for SHUNT_ARGUMENT_ANY). False: there is none. */
bool argument_schema_default(const struct shunt_argument *argument, struct shunt_value *ret_value);

/* For operators: `integer 1..10, required`, `string, one of a, b; default a`. */
void argument_schema_print(const struct shunt_argument *argument, struct buffer *out);

#endif
