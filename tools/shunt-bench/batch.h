/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_BATCH_H
#define TOOLS_SHUNT_BENCH_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "wire.h"

/* What each message begins with, if its body has room: who sent it as which, and when. */
struct stamp {
	uint64_t number; /* producer << 48 | sequence number */
	uint64_t time_ns;
};

#define STAMP_SIZE	     sizeof(struct stamp)
#define STAMP_NUMBER_SIZE    sizeof(uint64_t)
#define STAMP_PRODUCER_SHIFT 48
#define STAMP_SEQUENCE_MASK  ((UINT64_C(1) << STAMP_PRODUCER_SHIFT) - 1)

/*
 * A message as it goes over the wire: the bytes up to and including the stamp are copied for each,
 * the rest is copied too when it is short, else shared by all (`tail`). Plain value; the producer
 * owns the bytes.
 */
struct template
{
	uint8_t *head;
	size_t head_size;
	size_t stamp_offset, stamp_size; /* size: 0, 8 or 16 */
	struct slice tail;		 /* empty, or borrowed */
};

/* Messages that go out in one write. Owned by its producer. */
struct batch {
	uint8_t *heads;
	size_t heads_size;
	size_t size; /* bytes in all */
	struct iovec *pieces;
	unsigned first, count; /* pieces yet to be sent: first to count - 1 */
	unsigned messages;
};

void batch_init(struct batch *batch);
void batch_fini(struct batch *batch);

static inline bool batch_is_sent(const struct batch *batch)
{
	return batch->first == batch->count;
}

/* Empty, for the next messages. */
void batch_clear(struct batch *batch);

/* False: it is full. One message always fits into an empty one. */
bool batch_add(struct batch *batch, const struct template *template, struct stamp stamp);

/* Writes what the socket takes. 0; -EAGAIN: some is left; or another error of the socket. */
int batch_send(struct batch *batch, const struct wire *wire) MUST_USE;

/*
 * Makes the template of a message: publish (a basic.publish frame), header (a content header
 * frame), a body of `size` bytes in frames of at most frame_max. `tail` of template_tail() for the
 * same size, or empty. -ENOMEM.
 */
int template_init(struct template *template, struct slice publish, struct slice header,
		  size_t body_size, uint32_t frame_max, struct slice tail) MUST_USE;
void template_fini(struct template *template);

/* The shared rest of a large body, on the heap, empty for a small one. -ENOMEM. */
int template_tail(size_t body_size, uint32_t frame_max, struct slice *ret) MUST_USE;

#endif
