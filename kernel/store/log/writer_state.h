/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_WRITER_STATE_H
#define KERNEL_STORE_LOG_WRITER_STATE_H

/* What the parts of writer.c share. All functions are the writer's thread's. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/compiler.h"
#include "store/log/group.h"
#include "store/log/writer.h"

struct appends {
	struct store_append *first, *last;
};

struct writer {
	struct writer_options options;
	pthread_t thread;
	bool is_running;

	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct appends incoming, done;
	CHAIN(struct segment) opened, to_retire, retired;
	bool is_stopping;
	bool has_told;

	/* the thread's */
	struct segment_folder folder;
	struct record_open before; /* of the next segment, while there is no current one */
	struct segment *current;   /* NULL: none yet */
	bool is_distrusted;	   /* the current one: not to be written to any more */
	bool is_lost;		   /* and not to be synced: that has failed */
	bool has_tail;		   /* behind its end may be what was refused */
	uint64_t synced;	   /* up to where the current one is */
	uint64_t unsynced_from;	   /* first serial left without a sync (never); 0: none */
	uint64_t noted_end;	   /* its end when that was last noted in it */
	uint64_t dirty_since_ms;   /* valid while it is synced less far than written */
	struct appends waiting;
	CHAIN(struct segment) retiring;
	uint64_t retire_not_before_ms;
	struct group group;
	bool is_unsure; /* a sync has failed, and no barrier that came later has been told */
	int failure;	/* of a sync: what is on disk cannot be said any more */
	int no_room;	/* why the last one that wanted some got none; 0: it did */

	_Atomic uint64_t n_syncs, disk_bytes;
};

static inline bool writer_is_dirty(const struct writer *w)
{
	return w->current && w->synced < w->current->end;
}

/* writer_segment.c */

void writer_report(struct writer *w, uint64_t offset, uint64_t size, const char *what, int error);

/* When what is dirty must be synced though nobody waits. UINT64_MAX: not at all. */
uint64_t writer_sync_due_ms(const struct writer *w);
/* 0 or a negative errno, which is reported and noted. */
int writer_sync_current(struct writer *w);
/* At the end: segments that were closed without. */
void writer_sync_left(struct writer *w);

/* For those who ask for statistics. */
void writer_note_disk_bytes(struct writer *w);
/* Says in the current segment how far it is synced. 0 or a negative errno. */
int writer_note_end(struct writer *w) MUST_USE;
/* Another segment, with `room`, becomes the current one. 0 or a negative errno: all as before. */
int writer_roll(struct writer *w, uint64_t room, bool for_settles) MUST_USE;
/* Puts aside what is not needed any more, unless appends come between. */
void writer_retire_some(struct writer *w);

#endif
