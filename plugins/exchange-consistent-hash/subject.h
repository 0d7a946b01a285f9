/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_CONSISTENT_HASH_SUBJECT_H
#define EXCHANGE_CONSISTENT_HASH_SUBJECT_H

/*
 * What of a message decides where it goes: its routing key, a header or a property, as the
 * exchange's arguments say. Messages that have not got it go all to one place.
 */

#include <shunt/plugin.h>

enum subject_kind {
	SUBJECT_ROUTING_KEY,
	SUBJECT_HEADER,
	SUBJECT_PROPERTY,
};

struct subject {
	enum subject_kind kind;
	struct shunt_bytes header; /* of the exchange's arguments, so valid as long as they are */
	enum shunt_property property;
};

/* For the exchange type. */
extern const struct shunt_argument subject_arguments[];

/* Whether the arguments say one thing: 0, or -1 (406, RabbitMQ's texts). */
int subject_validate(const struct shunt_host *host, struct shunt_bytes arguments,
		     struct shunt_error *error);

/* Of arguments that passed. */
struct subject subject_read(const struct shunt_host *host, struct shunt_bytes arguments);

/* The same for the same value, for ever. In route. */
uint64_t subject_hash(const struct subject *subject, const struct shunt_host *host,
		      const struct shunt_message *message);

#endif
