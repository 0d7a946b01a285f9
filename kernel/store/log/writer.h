/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_WRITER_H
#define KERNEL_STORE_LOG_WRITER_H

/*
 * The thread that writes a log: takes all appends that have gathered, writes them in one go, syncs
 * once, and hands them back. What gathers meanwhile is the next group. It also makes segments into
 * spares.
 *
 * The functions are for the log's loop, and for whoever opens and closes the log.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/compiler.h"
#include "store/log/segment.h"
#include "store/store.h"

struct writer;

struct writer_options {
	enum store_sync sync;
	unsigned sync_interval_ms;
	void (*report)(void *context, const struct store_report *report);
	void *report_context;
	/* There is news, since it was last taken. On the writer's thread. */
	void (*told)(void *context);
	void *context;
};

/*
 * Begins behind `before`. Takes the folder over, unless it fails: a negative errno value (no
 * thread).
 */
int writer_create(struct segment_folder *folder, const struct record_open *before,
		  const struct writer_options *options, struct writer **ret) MUST_USE;

/* Hands over; results are in the order of the calls. An append without records is a barrier. */
void writer_append(struct writer *writer, struct store_append *append);

/* The segment becomes a spare, after all that were given before. */
void writer_retire(struct writer *writer, struct segment *segment);

/* Segments that were opened are named by the appends with them. */
struct writer_news {
	CHAIN(struct segment) opened, retired;
	CHAIN(struct store_append) done; /* result is set */
};
void writer_take_news(struct writer *writer, struct writer_news *ret_news);

struct writer_stats {
	uint64_t syncs, disk_bytes;
};
void writer_stats(const struct writer *writer, struct writer_stats *ret_stats);

/*
 * Writes and syncs what is left, and ends the thread; news is there to be taken still. Called again
 * it does the same here for what was appended since. Returns 0 if all that was ever written is
 * synced (or never to be), a negative errno value if it cannot be said.
 */
int writer_stop(struct writer *writer);
void writer_destroy(struct writer *writer);

/* The folder's path and identity, which do not change. */
const struct segment_folder *writer_folder(const struct writer *writer);

#endif
