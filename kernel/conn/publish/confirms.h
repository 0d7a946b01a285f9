/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PUBLISH_CONFIRMS_H
#define KERNEL_CONN_PUBLISH_CONFIRMS_H

/*
 * Which publishes of a channel have been settled, and what to tell the publisher: one basic.ack
 * with `multiple` up to the smallest that is still open, single ones above it, basic.nack for the
 * rejected.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct confirms {
	uint32_t *pending; /* ring by sequence number: targets still open, and the flags below */
	size_t capacity;   /* power of two, 0 while nothing was ever open */
	uint64_t base;	   /* all below have been told, or are about to be (acked_to) */
	uint64_t end;	   /* one above the highest published */
	uint64_t told_to;  /* all up to here have been told */
	uint64_t *done;	   /* settled above base, out of order */
	size_t n_done, done_capacity;
};

void confirms_init(struct confirms *confirms);
void confirms_fini(struct confirms *confirms);

/*
 * The next publish has been handed over, n_pending targets will report. `rejected`: one has already
 * said no. 0 or -ENOMEM.
 */
int confirms_publish(struct confirms *confirms, uint64_t seq, uint32_t n_pending, bool rejected)
	__attribute__((warn_unused_result));

/* A target of a pending one has reported. */
void confirms_settle(struct confirms *confirms, uint64_t seq, bool rejected);

/* Whether there is something to tell. */
bool confirms_has_news(const struct confirms *confirms);

/* Tells it. */
void confirms_flush(struct confirms *confirms,
		    void (*tell)(void *context, uint64_t seq, bool multiple, bool rejected),
		    void *context);

/* Publishes not told yet. */
uint64_t confirms_open(const struct confirms *confirms);

#endif
