/* SPDX-License-Identifier: MIT */
/*
 * From the fuzzer's bytes to methods and properties that make sense more often than not: every
 * field of the protocol's table by its type and name, from few names, so that what one client
 * declares another finds.
 */
#ifndef TESTS_FUZZ_GRAMMAR_H
#define TESTS_FUZZ_GRAMMAR_H

#include "amqp/method.h"
#include "amqp/properties.h"
#include "fuzz.h"

/*
 * Fills in all fields of method->id. What does not lie in the source's bytes lies in `table`, which
 * begins empty, or is static.
 */
void grammar_make_method(struct fuzz_source *source, struct amqp_method *method,
			 struct buffer *table);

/* Any method of the table; those that a client sends when all is well are more frequent. */
uint32_t grammar_choose_method(struct fuzz_source *source);

/* A raw table of arguments, with keys that mean something. */
struct slice grammar_arguments(struct fuzz_source *source, struct buffer *table);

void grammar_make_properties(struct fuzz_source *source, struct amqp_properties *properties,
			     struct buffer *table);

#endif
