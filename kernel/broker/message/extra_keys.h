/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_MESSAGE_EXTRA_KEYS_H
#define KERNEL_BROKER_MESSAGE_EXTRA_KEYS_H

/*
 * Routing keys of the headers CC and BCC (RabbitMQ: docs/sender-selected). A message with them goes
 * where each of its keys leads. Receivers see CC, and never BCC.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/error.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

struct extra_keys {
	struct buffer bytes; /* as long strings: those of CC, then those of BCC */
	uint32_t n, n_cc;
	size_t cc_size; /* bytes of those of CC */
};

void extra_keys_init(struct extra_keys *keys);
void extra_keys_fini(struct extra_keys *keys);
/* None any more; keeps the memory. */
void extra_keys_clear(struct extra_keys *keys);

/*
 * Adds those that the raw table has under the name; first CC, then BCC. 406 when there is anything
 * but an array, as RabbitMQ; what is no long string in it is passed over. Out of memory is told by
 * bytes.failed.
 */
int extra_keys_note_cc(struct extra_keys *keys, struct slice headers,
		       struct amqp_error *error) MUST_USE;
int extra_keys_note_bcc(struct extra_keys *keys, struct slice headers, bool *ret_is_there,
			struct amqp_error *error) MUST_USE;

/* Adds those that others have already. */
void extra_keys_copy_cc(struct extra_keys *keys, const struct extra_keys *from);
void extra_keys_copy_bcc(struct extra_keys *keys, const struct extra_keys *from);

/* The n keys in `bytes`, which stay in place. Returns how many they are without those that are there
 * before: of many keys each is read once. */
uint32_t extra_keys_read(struct slice bytes, uint32_t n, struct slice *ret_keys) MUST_USE;

/* The raw table without its BCC entry, at the end of `out`. 0 or -ENOMEM. */
int extra_keys_drop_bcc(struct slice headers, struct buffer *out) MUST_USE;

#endif
