/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_AMQP_JSON_H
#define KERNEL_AMQP_JSON_H

/*
 * Field values as JSON, as RabbitMQ's rabbit_misc:amqp_value() has them: integers and timestamps
 * are numbers, both kinds of strings are text, void is "undefined" (Erlang's), and what is no
 * number or infinite is "nan", "inf" or "-inf". The rest is the caller's way.
 */

#include <jansson.h>

#include "amqp/value.h"
#include "base/slice.h"

/* Each returns a new reference; or NULL, which then is the answer for the value itself. */
struct amqp_json_style {
	json_t *(*text)(struct slice bytes);
	json_t *(*decimal)(const struct amqp_value *value);
	json_t *(*table)(struct slice entries);
	json_t *(*array)(struct slice elements);
};

json_t *amqp_json(const struct amqp_json_style *style, const struct amqp_value *value);

#endif
