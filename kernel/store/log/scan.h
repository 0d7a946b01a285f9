/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_SCAN_H
#define KERNEL_STORE_LOG_SCAN_H

/*
 * Reading a segment as a whole: which records there are, and which bytes between them are damaged.
 *
 * Where records end is known of a segment that another follows. Of the last one it is not: what
 * cannot be read there is damage if anything that can be read follows, and else the end. What was
 * written after the last sync may be there in part, in any order; so `synced` says how far what
 * is missing must have been on disk.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "store/log/record.h"
#include "store/log/segment.h"

#define SCAN_END_UNKNOWN UINT64_MAX

struct scan_span {
	uint64_t offset, size; /* padded */
	bool is_damaged;
};

/* Memory is kept from one scan to the next. */
struct scan {
	uint8_t *bytes; /* the file from its beginning */
	size_t capacity;
	struct scan_span *spans; /* from the header's end up to `end`, one behind the other */
	size_t n_spans, spans_capacity;

	uint64_t file_size;
	enum segment_header header;
	uint64_t end;	 /* of the last record that can be read, or as it is known */
	uint64_t synced; /* up to there everything was durable once */
	uint64_t torn;	 /* bytes behind the end that a record began to fill, at least; 0: none */
};

void scan_init(struct scan *scan);
void scan_fini(struct scan *scan);

/* 0, or a negative errno value: the file cannot be read, or there is no memory for it. */
int scan_segment(struct scan *scan, const struct segment_folder *folder, uint64_t serial,
		 uint64_t known_end) MUST_USE;

/* Of a span that is not damaged. */
struct record scan_record(const struct scan *scan, const struct scan_span *span);

/*
 * What a segment's first record says of the one before. False when it cannot be read, or the
 * segment is the first.
 */
bool scan_read_open(const struct segment_folder *folder, uint64_t serial, struct record_open *ret);

/*
 * Whether an append follows the end that the next segment tells: a write that failed has left it,
 * and could not be undone.
 */
bool scan_has_refused(const struct segment_folder *folder, uint64_t serial, uint64_t end);

#endif
