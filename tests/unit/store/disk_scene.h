/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_DISK_SCENE_H
#define TESTS_UNIT_STORE_DISK_SCENE_H

/*
 * Stores on disk that are opened, ended, copied and opened again: messages whose bodies say what
 * they should be, on every log, and what a start finds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk_stage.h"
#include "disk_tree.h"
#include "fixture.h"

/* Queues' ids are below; those of a new scene are reserved. */
#define SCENE_IDS 64

/* A new store in the folder of that name, led on all of its logs. */
void scene_begin(const char *name, unsigned n_logs);
/* The store that is in the folder, led on all of its logs. Reports begin anew. */
void scene_open(const char *name, unsigned n_logs);
/* In good order. */
void scene_end(void);

/*
 * The store is not opened: the result is the error, a negative value. The reason is one line and
 * names the path; nothing in the folder has changed.
 */
int scene_refused(const char *name, unsigned n_logs);
extern char scene_reason[512];

/* A body of at least 16 bytes that goes by the tag; the entry frees nothing: scene_free_bodies().
 */
uint32_t scene_publish(struct entry *entry, uint64_t tag, size_t size);
void scene_free_bodies(void);

/* On the log of the queue that the first enqueue or range names; waits. */
enum store_result scene_do(struct entry *entry);

/* Shorthands, each an append of its own that must succeed. The tag is queue_id * 1000 + seq. */
void scene_put(uint64_t queue_id, uint64_t seq, size_t size);
void scene_range(enum store_record_type type, uint64_t queue_id, uint64_t first, uint64_t last);

/* What a recovery of all logs has found; bodies are checked. */
#define SCENE_SEEN_MAX 8192
struct scene_seen {
	uint64_t queue_id, seq, tag, expires_ms;
	size_t size;
	unsigned deliveries;
	unsigned log;
};
extern struct scene_seen scene_seen[SCENE_SEEN_MAX];
extern size_t scene_n_seen;
extern uint64_t scene_last_seqs[SCENE_IDS];
void scene_recover(void);

/* NULL if it was not found; the test fails if it was found twice. */
const struct scene_seen *scene_find(uint64_t queue_id, uint64_t seq);
/* Exactly first..last are there of the queue. */
bool scene_is_range(uint64_t queue_id, uint64_t first, uint64_t last);

#endif
