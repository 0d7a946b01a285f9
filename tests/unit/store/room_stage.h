/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_ROOM_STAGE_H
#define TESTS_UNIT_STORE_ROOM_STAGE_H

/*
 * A store on disk with one log, many appends at a time, and a look at its files. Bodies are made
 * from a number, so that they can be recognised.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* An empty store, led, with queues 1 to ROOM_QUEUES; opened again after a good end; ended. */
enum { ROOM_QUEUES = 3000 };

void room_begin(void);
void room_reopen(void);
void room_end(void);
/* Its folder is put aside under another name as it is now, to be opened later. */
void room_copy(void);
void room_open_copy(void);
/* The folder that is used from now on, as it is. */
void room_open_at(const char *path);

/* Turns the loop until it is so, or too long, which fails the test. */
void wait_until(bool (*is_so)(void));

/* ---- Appends ---- */

enum { OP_RECORDS = 8 };

struct op {
	struct store_append append;
	struct store_record records[OP_RECORDS];
	uint64_t id;			   /* the test's */
	void (*done)(const struct op *op); /* with append.result set; NULL: it must be durable */
	struct op *next;
};

struct op *op_begin(void);
uint32_t op_publish(struct op *op, uint64_t number, size_t size);
struct store_record *op_enqueue(struct op *op, uint64_t queue_id, uint64_t seq);
void op_range(struct op *op, enum store_record_type type, uint64_t queue_id, uint64_t first,
	      uint64_t last);
void op_submit(struct op *op);
/* Until none is under way. */
void ops_wait(void);
extern unsigned ops_pending;

/* Number i of queue q with a body of that size made from q * 1000000 + i; waits at the end. */
void room_publish(uint64_t queue_id, uint64_t first, uint64_t last, size_t size);
void room_settle(uint64_t queue_id, uint64_t first, uint64_t last);
uint64_t room_number(uint64_t queue_id, uint64_t seq);

bool body_is(struct slice body, uint64_t number, size_t size);
/* Reads it, and compares the body if there is one. */
enum store_result room_read(uint64_t queue_id, uint64_t seq, size_t size);

enum store_result room_barrier(void);
uint64_t room_disk_bytes(void);

/* ---- Files ---- */

struct room_files {
	unsigned n_segments, n_spares;
	uint64_t first_serial, last_serial;
};
struct room_files room_files(void);
bool room_has_segment(uint64_t serial);

#endif
