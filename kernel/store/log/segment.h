/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_SEGMENT_H
#define KERNEL_STORE_LOG_SEGMENT_H

/*
 * The files of a log. A log is a folder of segments, SERIAL.log, which are written one after the
 * other and never again; serial numbers grow and are never used twice. A segment that is not needed
 * any more becomes a spare, spare-N.log: its blocks are written already, and writing over them
 * costs the disk less than new ones.
 *
 * One spare is kept for settles, which must find room when the disk is full, so that there can be
 * room again. Without one, nothing else gets room.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "store/log/record.h"
#include "store/log/spans.h"

#define SEGMENT_HEADER_SIZE 64u
#define SEGMENT_ID_SIZE	    16u
#define SEGMENT_SIZE_MIN    (UINT64_C(64) << 10)
#define SEGMENT_SIZE_MAX    (UINT64_C(1) << 30)

/* What a log's folder is, and what is in it besides segments. The writer's while it runs. */
struct segment_folder {
	char *path;
	uint8_t store_id[SEGMENT_ID_SIZE];
	uint32_t generation, log;
	uint64_t segment_size;
	uint64_t last_serial;
	uint64_t last_spare; /* number in the newest spare's name */
	uint64_t *spares;    /* their numbers */
	unsigned n_spares;
	uint64_t disk_bytes; /* of segments and spares */
	/*
	 * The last segment_create() has failed, and its file may be there and say where the segment
	 * before it ends: nothing more may be written to that one.
	 */
	bool has_one_in_vain;
};

/*
 * Made by the writer or at the start; the upper half is the writer's until the segment is closed,
 * the lower half the loop's.
 */
struct segment {
	uint64_t serial;
	uint64_t seed; /* of its records' checks */
	uint64_t size; /* of the file */
	uint64_t end;  /* of its records */
	int fd;	       /* while it is written; -1: closed */
	struct segment *next;

	uint64_t n_live;  /* messages, once for each queue */
	uint64_t n_total; /* that there ever were */
	uint64_t floor;	  /* lowest serial that its ranges and moved messages concern; UINT64_MAX */
	uint64_t copied_from;	/* of these the lowest that a message was moved from */
	struct spans spans;	/* what it ever held */
	uint64_t n_carried_for; /* so many segments it holds others' ranges for; 0: it has none */
	unsigned n_pins;	/* reads under way */
	bool is_closed;		/* nothing more is written */
	bool is_retiring;	/* on its way to be a spare */
	bool is_unreadable;	/* in part, or what it holds must stay there: not to be moved */
};

uint64_t segment_seed(const struct segment_folder *folder, uint64_t serial);

/* Path of the segment; the caller's. */
char *segment_path(const struct segment_folder *folder, uint64_t serial);

/*
 * Takes stock of an existing folder: segments' serials ascending (the caller's memory), spares.
 * Files with other names are left alone. 0 or a negative errno value.
 */
int segment_folder_open(struct segment_folder *folder, uint64_t **ret_serials,
			size_t *ret_n) MUST_USE;
/* Removes spares that are too many or of another size than is wanted now. */
void segment_folder_tidy(struct segment_folder *folder);
void segment_folder_fini(struct segment_folder *folder);

/*
 * The next segment, with room for at least `room` bytes of records: from a spare or new. Its header
 * and first record are written, not synced; its name is. before: what comes before it. for_settles:
 * may take the last spare; else there is one afterwards. -ENOSPC and other negative errno values.
 */
int segment_create(struct segment_folder *folder, uint64_t room, bool for_settles,
		   const struct record_open *before, struct segment **ret) MUST_USE;

/* Makes a spare, if there is none. 0 or a negative errno value. */
int segment_keep_spare(struct segment_folder *folder) MUST_USE;

/* A segment of an earlier run, closed. No I/O. */
struct segment *segment_found(const struct segment_folder *folder, uint64_t serial, uint64_t size,
			      uint64_t end);

/* Whether a header is sound, and what it says. */
enum segment_header {
	SEGMENT_HEADER_OURS,
	SEGMENT_HEADER_NONE,	/* never written, damaged, or of another serial */
	SEGMENT_HEADER_FOREIGN, /* of another log or store */
	SEGMENT_HEADER_NEWER,	/* of a version that we do not know */
};
enum segment_header segment_read_header(const struct segment_folder *folder, uint64_t serial,
					const uint8_t bytes[SEGMENT_HEADER_SIZE]);

/*
 * Cuts off what a failed write has left behind the end, as only the next segment says where that
 * is, and it may go first. The file is of no use as a spare then.
 */
int segment_cut(struct segment_folder *folder, struct segment *segment) MUST_USE;

/* If that fails: the next one, not published yet, must not go before that serial. */
void segment_keep_with(struct segment *segment, uint64_t serial);

/* No more writing. */
void segment_close(struct segment *segment);

/* One of an earlier run, or that was closed before it was synced. */
int segment_sync(const struct segment_folder *folder, uint64_t serial) MUST_USE;

/* Makes it a spare, or removes it; durable on return. The structure stays. */
int segment_retire(struct segment_folder *folder, const struct segment *segment) MUST_USE;

void segment_free(struct segment *segment);

#endif
