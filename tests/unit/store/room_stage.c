/* SPDX-License-Identifier: MIT */
#include "room_stage.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "contract.h"
#include "disk_stage.h"
#include "fixture.h"

#include "../unit.h"

unsigned ops_pending;
static bool is_idle;
static char path[256];

/* ---- Life ---- */

static struct store *open_path(unsigned n_logs)
{
	struct store *store = NULL;
	char reason[512] = "";

	disk_options.path = path;
	disk_options.n_logs = n_logs;
	int r = store_disk_open(&disk_options, &store, reason, sizeof(reason));

	if (r < 0)
		fprintf(stderr, "store_disk_open: %d %s\n", r, reason);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	return store;
}

static void open_room(void)
{
	contract_use(open_path);
	stage_set(1);
	stage_lead();
}

void room_begin(void)
{
	snprintf(path, sizeof(path), "%s", disk_stage_path("room"));
	disk_stage_remove(path);
	CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
	open_room();
	CU_ASSERT_EQUAL(store_ids(the_store, ROOM_QUEUES), 1);
}

void room_reopen(void)
{
	stage_clear();
	open_room();
}

void room_end(void)
{
	stage_clear();
}

void room_copy(void)
{
	disk_stage_copy(path, disk_stage_path("copy"));
}

void room_open_copy(void)
{
	room_open_at(disk_stage_path("copy"));
}

void room_open_at(const char *at)
{
	snprintf(path, sizeof(path), "%s", at);
	open_room();
}

static bool (*condition)(void);
static bool is_true;

static void look(struct loop_timer *timer)
{
	is_true = condition();
	if (!is_true)
		loop_timer_start_ms(timer, 2);
}

void wait_until(bool (*is_so)(void))
{
	struct loop_timer timer;

	condition = is_so;
	is_true = condition();
	loop_timer_init(&timer, look);
	loop_timer_start_ms(&timer, 0);
	wait_for(&is_true);
	loop_timer_stop(&timer);
}

/* ---- Bodies ---- */

static uint8_t byte_of(uint64_t number, size_t i)
{
	return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

bool body_is(struct slice body, uint64_t number, size_t size)
{
	if (body.size != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (body.data[i] != byte_of(number, i))
			return false;
	return true;
}

static void hold(void *owner)
{
	(void)owner;
}

static void drop(void *owner)
{
	mem_free(owner);
}

/* ---- Appends ---- */

static void op_done(struct store_append *append, enum store_result result)
{
	struct op *op = container_of(append, struct op, append);

	append->result = result;
	if (op->done)
		op->done(op);
	else
		CU_ASSERT_EQUAL(result, STORE_DURABLE);
	is_idle = --ops_pending == 0;
	mem_free(op);
}

struct op *op_begin(void)
{
	struct op *op = mem_zalloc(sizeof(*op));

	op->append.records = op->records;
	op->append.done = op_done;
	return op;
}

static struct store_record *next_record(struct op *op)
{
	CU_ASSERT_TRUE_FATAL(op->append.n_records < OP_RECORDS);
	return &op->records[op->append.n_records++];
}

uint32_t op_publish(struct op *op, uint64_t number, size_t size)
{
	uint8_t *bytes = mem_alloc(size + 1);

	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_of(number, i);
	*next_record(op) = (struct store_record){
		.type = STORE_PUBLISH,
		.body = {.bytes = slice_make(bytes, size),
			 .owner = bytes,
			 .hold = hold,
			 .drop = drop},
	};
	return (uint32_t)op->append.n_records - 1;
}

/* Of the publish before it. */
struct store_record *op_enqueue(struct op *op, uint64_t queue_id, uint64_t seq)
{
	uint32_t publish = (uint32_t)op->append.n_records - 1;

	if (op->records[publish].type == STORE_ENQUEUE)
		publish = op->records[publish].publish;
	struct store_record *record = next_record(op);
	*record = (struct store_record){.type = STORE_ENQUEUE,
					.publish = publish,
					.queue_id = queue_id,
					.seq_first = seq,
					.seq_last = seq};
	return record;
}

void op_range(struct op *op, enum store_record_type type, uint64_t queue_id, uint64_t first,
	      uint64_t last)
{
	*next_record(op) = (struct store_record){
		.type = type, .queue_id = queue_id, .seq_first = first, .seq_last = last};
}

void op_submit(struct op *op)
{
	ops_pending++;
	CALL(store_log_append(the_log, the_epoch, &op->append));
}

void ops_wait(void)
{
	is_idle = ops_pending == 0;
	wait_for(&is_idle);
}

uint64_t room_number(uint64_t queue_id, uint64_t seq)
{
	return queue_id * 1000000 + seq;
}

void room_publish(uint64_t queue_id, uint64_t first, uint64_t last, size_t size)
{
	for (uint64_t seq = first; seq <= last; seq++) {
		struct op *op = op_begin();

		(void)op_publish(op, room_number(queue_id, seq), size);
		(void)op_enqueue(op, queue_id, seq);
		op_submit(op);
	}
	ops_wait();
}

void room_settle(uint64_t queue_id, uint64_t first, uint64_t last)
{
	struct op *op = op_begin();

	op_range(op, STORE_SETTLE, queue_id, first, last);
	op->append.is_lazy = true;
	op_submit(op);
	ops_wait();
}

/* ---- Reading ---- */

struct reading {
	struct store_read read;
	uint64_t seq;
	size_t size;
	enum store_result result;
	bool is_done;
};

static void read_body(struct store_read *read, size_t index, enum store_result result,
		      struct slice body)
{
	struct reading *reading = container_of(read, struct reading, read);

	(void)index;
	reading->result = result;
	if (result == STORE_DURABLE)
		CU_ASSERT_TRUE(
			body_is(body, room_number(read->queue_id, reading->seq), reading->size));
}

static void read_done(struct store_read *read)
{
	container_of(read, struct reading, read)->is_done = true;
}

enum store_result room_read(uint64_t queue_id, uint64_t seq, size_t size)
{
	struct reading reading = {
		.read = {.queue_id = queue_id, .n_seqs = 1, .body = read_body, .done = read_done},
		.seq = seq,
		.size = size};

	reading.read.seqs = &reading.seq;
	CALL(store_log_read(the_log, &reading.read));
	wait_for(&reading.is_done);
	return reading.result;
}

struct room_barrier {
	struct store_barrier barrier;
	enum store_result result;
	bool is_done;
};

static void barrier_done(struct store_barrier *b, enum store_result result)
{
	struct room_barrier *barrier = container_of(b, struct room_barrier, barrier);

	barrier->result = result;
	barrier->is_done = true;
}

enum store_result room_barrier(void)
{
	struct room_barrier barrier = {.barrier = {.done = barrier_done}};

	CALL(store_log_barrier(the_log, &barrier.barrier));
	wait_for(&barrier.is_done);
	return barrier.result;
}

uint64_t room_disk_bytes(void)
{
	return stats().disk_bytes;
}

/* ---- Files ---- */

struct room_files room_files(void)
{
	struct room_files files = {.n_segments = 0};
	char folder[300];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/log-1-0", path);
	dir = opendir(folder);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "spare-", 6) == 0)
			files.n_spares++;
		if (strlen(entry->d_name) != 20 || strspn(entry->d_name, "0123456789abcdef") != 16)
			continue;
		uint64_t serial = strtoull(entry->d_name, NULL, 16);
		files.n_segments++;
		if (serial > files.last_serial)
			files.last_serial = serial;
		if (files.first_serial == 0 || serial < files.first_serial)
			files.first_serial = serial;
	}
	closedir(dir);
	return files;
}

bool room_has_segment(uint64_t serial)
{
	char file[320];

	snprintf(file, sizeof(file), "%s/log-1-0/%016" PRIx64 ".log", path, serial);
	return access(file, F_OK) == 0;
}
