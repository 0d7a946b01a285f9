/* SPDX-License-Identifier: MIT */
#include "disk_scene.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/slice.h"
#include "contract.h"
#include "store/log/record.h"

struct scene_seen scene_seen[SCENE_SEEN_MAX];
size_t scene_n_seen;
uint64_t scene_last_seqs[SCENE_IDS];
char scene_reason[512];

static unsigned n_logs_now;
static uint64_t epochs[16];

/* ---- Life ---- */

struct leading {
	struct store_lead lead;
	unsigned log;
	bool is_done;
};

static void acquired(struct store_lead *lead, enum store_result result, uint64_t epoch)
{
	struct leading *leading = container_of(lead, struct leading, lead);

	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	epochs[leading->log] = epoch;
	leading->is_done = true;
}

static void lost(struct store_lead *lead)
{
	(void)lead;
}

static void lead_log(void *argument)
{
	struct leading *leading = argument;

	store_log_lead(store_log_of(the_store, leading->log), &leading->lead);
	wait_for(&leading->is_done);
}

static void lead_all(unsigned n_logs)
{
	static struct leading leadings[16];

	n_logs_now = n_logs;
	for (unsigned i = 0; i < n_logs; i++) {
		leadings[i] =
			(struct leading){.lead = {.acquired = acquired, .lost = lost}, .log = i};
		loop_pool_visit(i, lead_log, &leadings[i]);
	}
	the_epoch = epochs[0];
}

void scene_begin(const char *name, unsigned n_logs)
{
	disk_stage_choose(name);
	contract_use(disk_stage_create);
	stage_set(n_logs);
	CU_ASSERT_EQUAL(store_ids(the_store, SCENE_IDS - 1), 1);
	lead_all(n_logs);
	disk_reports = (struct disk_reports){.n = 0};
}

void scene_open(const char *name, unsigned n_logs)
{
	disk_reports = (struct disk_reports){.n = 0};
	disk_stage_choose(name);
	contract_use(disk_stage_reopen);
	stage_set(n_logs);
	lead_all(n_logs);
}

void scene_end(void)
{
	stage_clear();
	scene_free_bodies();
}

int scene_refused(const char *name, unsigned n_logs)
{
	const char *path = disk_stage_path(name);
	char *before = tree_describe(path), *after;
	struct store *store = NULL;
	int r;

	disk_reports = (struct disk_reports){.n = 0};
	disk_options.path = path;
	disk_options.n_logs = n_logs;
	scene_reason[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(n_logs), 0);
	r = store_disk_open(&disk_options, &store, scene_reason, sizeof(scene_reason));
	if (r == 0)
		store_destroy(store);
	loop_pool_destroy();
	after = tree_describe(path);
	CU_ASSERT_TRUE(r < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_reason, path));
	CU_ASSERT_PTR_NULL(strchr(scene_reason, '\n'));
	CU_ASSERT_STRING_EQUAL(before, after);
	free(before);
	free(after);
	return r;
}

/* ---- Appends ---- */

static uint8_t **bodies;
static size_t n_bodies;

static uint8_t pattern(uint64_t tag, size_t i)
{
	return (uint8_t)(tag * 31 + i * 7 + i / 256);
}

uint32_t scene_publish(struct entry *entry, uint64_t tag, size_t size)
{
	static struct body none;
	uint8_t *bytes = malloc(size);
	uint32_t at = entry_publish(entry, &none);

	CU_ASSERT_TRUE_FATAL(bytes != NULL && size >= 16);
	bodies = realloc(bodies, (n_bodies + 1) * sizeof(*bodies));
	CU_ASSERT_PTR_NOT_NULL_FATAL(bodies);
	bodies[n_bodies++] = bytes;
	put_le64(bytes, tag);
	put_le64(bytes + 8, size);
	for (size_t i = 16; i < size; i++)
		bytes[i] = pattern(tag, i);
	entry->records[at].body = (struct store_body){.bytes = slice_make(bytes, size)};
	return at;
}

/* None of them is under way any more. */
void scene_free_bodies(void)
{
	while (n_bodies > 0)
		free(bodies[--n_bodies]);
	free(bodies);
	bodies = NULL;
}

struct doing {
	struct entry *entry;
	unsigned log;
};

static void do_there(void *argument)
{
	const struct doing *doing = argument;

	entry_submit(doing->entry, store_log_of(the_store, doing->log), epochs[doing->log]);
	wait_for(&doing->entry->is_done);
}

enum store_result scene_do(struct entry *entry)
{
	struct doing doing = {.entry = entry};

	for (size_t i = 0; i < entry->append.n_records; i++)
		if (entry->records[i].type != STORE_PUBLISH) {
			doing.log = (unsigned)(entry->records[i].queue_id % n_logs_now);
			break;
		}
	loop_pool_visit(doing.log, do_there, &doing);
	return entry->result;
}

void scene_put(uint64_t queue_id, uint64_t seq, size_t size)
{
	struct entry entry;

	entry_begin(&entry);
	entry_enqueue(&entry, scene_publish(&entry, queue_id * 1000 + seq, size), queue_id, seq, 0);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
}

void scene_range(enum store_record_type type, uint64_t queue_id, uint64_t first, uint64_t last)
{
	struct entry entry;

	entry_begin(&entry);
	entry_add(&entry, type, queue_id, first, last);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
}

/* ---- Recovery ---- */

struct recovering {
	struct store_recovery recovery;
	unsigned log;
	bool is_done;
};

static void seen_queue(struct store_recovery *recovery, uint64_t queue_id, uint64_t last_seq)
{
	(void)recovery;
	if (queue_id < SCENE_IDS)
		scene_last_seqs[queue_id] = last_seq;
}

static void check_body(struct slice body, uint64_t tag)
{
	bool is_right = get_le64(body.data + 8) == body.size;

	for (size_t i = 16; i < body.size && is_right; i++)
		is_right = body.data[i] == pattern(tag, i);
	CU_ASSERT_TRUE(is_right);
}

static void seen_message(struct store_recovery *recovery, const struct store_recovered *message)
{
	struct recovering *recovering = container_of(recovery, struct recovering, recovery);

	CU_ASSERT_TRUE_FATAL(scene_n_seen < SCENE_SEEN_MAX && message->body.size >= 16);
	uint64_t tag = get_le64(message->body.data);
	scene_seen[scene_n_seen++] = (struct scene_seen){
		.queue_id = message->queue_id,
		.seq = message->seq,
		.tag = tag,
		.expires_ms = message->expires_ms,
		.size = message->body.size,
		.deliveries = message->deliveries,
		.log = recovering->log,
	};
	check_body(message->body, tag);
}

static void seen_all(struct store_recovery *recovery, enum store_result result)
{
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	container_of(recovery, struct recovering, recovery)->is_done = true;
}

static void recover_there(void *argument)
{
	struct recovering *recovering = argument;

	store_log_recover(store_log_of(the_store, recovering->log), &recovering->recovery);
	wait_for(&recovering->is_done);
}

void scene_recover(void)
{
	scene_n_seen = 0;
	memset(scene_last_seqs, 0, sizeof(scene_last_seqs));
	for (unsigned i = 0; i < n_logs_now; i++) {
		struct recovering recovering = {.recovery = {.queue = seen_queue,
							     .message = seen_message,
							     .done = seen_all},
						.log = i};

		loop_pool_visit(i, recover_there, &recovering);
	}
}

const struct scene_seen *scene_find(uint64_t queue_id, uint64_t seq)
{
	const struct scene_seen *found = NULL;

	for (size_t i = 0; i < scene_n_seen; i++)
		if (scene_seen[i].queue_id == queue_id && scene_seen[i].seq == seq) {
			CU_ASSERT_PTR_NULL(found);
			found = &scene_seen[i];
		}
	return found;
}

bool scene_is_range(uint64_t queue_id, uint64_t first, uint64_t last)
{
	uint64_t n = 0;

	for (size_t i = 0; i < scene_n_seen; i++)
		if (scene_seen[i].queue_id == queue_id) {
			n++;
			if (scene_seen[i].seq < first || scene_seen[i].seq > last)
				return false;
		}
	for (uint64_t seq = first; seq <= last; seq++)
		if (!scene_find(queue_id, seq))
			return false;
	return n == last + 1 - first;
}
