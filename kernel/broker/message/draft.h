/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_MESSAGE_DRAFT_H
#define KERNEL_BROKER_MESSAGE_DRAFT_H

/*
 * A message in the making, for plugins (struct shunt_draft): a new one, or changes to one that is
 * there and stays as it is. What is not set costs nothing: properties are decoded when the first
 * of them is set, and bytes are encoded when the message is made.
 *
 * All that a plugin passes is checked: types and ranges, the length of texts, and tables and arrays
 * at every depth.
 */

#include <stdbool.h>
#include <stdint.h>

#include <shunt/plugin.h>

#include "amqp/error.h"
#include "amqp/properties.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "broker/message/extra_keys.h"
#include "broker/message/message.h"

/* What may go out; more than that is refused when it is set. */
struct draft_limits {
	uint32_t body_max;	 /* bytes, as max_message_size */
	uint32_t properties_max; /* bytes of flags and values: a content header is one frame */
};

/* What fits into a header frame of a connection; frame_max 0: no limit. */
uint32_t draft_properties_max(uint32_t frame_max);

#define DRAFT_TEXTS 12 /* properties that a plugin can set */

/* On the maker's stack, or part of what the maker allocates. Belongs to one thread at a time. */
struct draft {
	struct shunt_draft functions; /* what the plugin gets; the draft is found by its address */
	const struct message *base;   /* NULL: a new message */
	struct slice exchange;	      /* of a new message; once it was set, in `target` */
	struct draft_limits limits;
	bool is_delivery;    /* routing key and exchange cannot be set; CC and BCC mean nothing */
	size_t refused_size; /* of the last set_body(), which was above body_max; else 0 */
	bool has_key, has_exchange, has_body, has_properties;
	bool has_cc, has_bcc; /* these headers were set */
	bool is_loaded;	      /* `properties` are the base's with what was set */
	uint8_t key_size;
	uint8_t *body;
	uint32_t body_size;
	struct amqp_properties properties;
	struct buffer headers; /* the raw table, once a header was set */
	uint8_t *texts[DRAFT_TEXTS];
	uint8_t key[255], target[255];
};

/* base is borrowed until draft_fini(), and may be NULL. */
void draft_init(struct draft *draft, const struct message *base, const struct draft_limits *limits,
		bool is_delivery);
/* Of a new message; borrowed until the message is made. */
void draft_set_exchange(struct draft *draft, struct slice exchange);
void draft_fini(struct draft *draft);

/* Whether anything was set. */
static inline bool draft_is_changed(const struct draft *draft)
{
	return draft->has_key || draft->has_exchange || draft->has_body || draft->has_properties ||
	       draft->refused_size != 0;
}

/* Bytes that it holds beside the struct. */
size_t draft_size(const struct draft *draft);

/*
 * The message with all that was set, of one reference. The caller's *keys, of the base at first,
 * become those of the result (NULL: on delivery). Fails with 506 when memory is out, and with 406
 * for CC and BCC headers that a client's message could not have, either, or a body above the limit;
 * then *keys are as before.
 */
int draft_make(const struct draft *draft, struct extra_keys *keys, struct message **ret_message,
	       struct amqp_error *error) MUST_USE;

#endif
