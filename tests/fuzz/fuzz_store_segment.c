/* SPDX-License-Identifier: MIT */
/*
 * The bytes are what lies in a log's segments, one or two of them: raw, or as records with right
 * checks and whatever content, which are damaged afterwards here and there. The log is read and
 * replayed; then it goes on in a new segment, as after a start, and is read again: it must say the
 * same.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/mem.h"
#include "store/disk.h"
#include "store/log/recovery.h"

#define NEXT_ID	  1000u
#define BYTES_MAX ((size_t)64 << 10)

static char root[64];

struct content {
	uint8_t bytes[BYTES_MAX];
	size_t size;
	uint64_t seed;
};

static void remove_all(void)
{
	char command[160];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	if (system(command) != 0)
		(void)fprintf(stderr, "%s stays\n", root);
}

static void make_root(void)
{
	if (root[0] != '\0')
		return;
	(void)snprintf(root, sizeof(root), "%s/shunt-fuzz-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	fuzz_check(mkdtemp(root) != NULL);
	(void)atexit(remove_all);
}

static int remove_file(void *context, const char *name)
{
	char path[128];

	(void)context;
	(void)snprintf(path, sizeof(path), "%s/log/%s", root, name);
	return disk_unlink(path);
}

static struct segment_folder folder_of(void)
{
	struct segment_folder folder = {.path = mem_printf("%s/log", root),
					.generation = 1,
					.segment_size = SEGMENT_SIZE_MIN};

	memset(folder.store_id, 7, sizeof(folder.store_id));
	return folder;
}

/* ---- Content ---- */

static void put(struct content *content, const void *bytes, size_t size)
{
	if (size > BYTES_MAX - content->size)
		return;
	if (size > 0)
		memcpy(content->bytes + content->size, bytes, size);
	content->size += size;
}

static void put_record(struct content *content, uint8_t type, uint8_t flags, const uint8_t *payload,
		       size_t size)
{
	static const uint8_t zeros[RECORD_ALIGN];
	uint8_t record[RECORD_HEAD_SIZE + 4096];

	content->size = (content->size + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
	fuzz_check(size <= sizeof(record) - RECORD_HEAD_SIZE);
	memcpy(record + RECORD_HEAD_SIZE, payload, size);
	record_seal(record, content->seed, content->size, type, flags, size, SLICE_EMPTY);
	put(content, record, RECORD_HEAD_SIZE + size);
	put(content, zeros, record_padded(RECORD_HEAD_SIZE + size) - RECORD_HEAD_SIZE - size);
}

static uint64_t number(struct fuzz_source *source)
{
	uint8_t kind = amqp_get_octet(source);

	return kind < 200   ? kind % 32
	       : kind < 250 ? amqp_get_short(source)
			    : amqp_get_longlong(source);
}

static void put_message(struct content *content, struct fuzz_source *source)
{
	uint8_t payload[4096] = {0};
	uint8_t flags = amqp_get_octet(source) & RECORD_FLAGS_ALL;
	uint32_t n = amqp_get_octet(source) % 4, claimed = n;
	struct slice body;

	for (uint32_t i = 0; i < n; i++) {
		struct record_target target = {.queue_id = number(source), .seq = number(source)};

		target.expires_ms = number(source);
		target.deliveries = amqp_get_octet(source);
		record_put_target(payload, i, flags, &target);
	}
	if (amqp_get_octet(source) == 255)
		claimed = amqp_get_long(source);
	record_put_target_count(payload, claimed);
	body = fuzz_shortstr(source);
	if (body.size > 0)
		memcpy(payload + record_targets_size(n, flags), body.data, body.size);
	put_record(content, RECORD_MESSAGE, flags, payload,
		   record_targets_size(n, flags) + body.size);
}

static void put_ranges(struct content *content, struct fuzz_source *source)
{
	uint8_t payload[RECORD_RANGES_SIZE(4)];
	uint8_t type = RECORD_SETTLE + amqp_get_octet(source) % 4;
	unsigned n = amqp_get_octet(source) % 4 + 1;

	put_le64(payload, number(source));
	for (unsigned i = 0; i < n; i++) {
		put_le64(payload + RECORD_RANGES_SIZE(i), number(source));
		put_le64(payload + RECORD_RANGES_SIZE(i) + 8, number(source));
	}
	put_record(content, type, amqp_get_octet(source) & RECORD_ATOMIC, payload,
		   RECORD_RANGES_SIZE(n));
}

static void put_numbers(struct content *content, struct fuzz_source *source, uint8_t type)
{
	uint8_t payload[24];
	unsigned n = type == RECORD_OPEN ? 3 : 2;

	for (unsigned i = 0; i < n; i++)
		put_le64(payload + (size_t)i * 8, number(source) * RECORD_ALIGN);
	put_record(content, type, amqp_get_octet(source) & RECORD_ATOMIC, payload, (size_t)n * 8);
}

static void put_any(struct content *content, struct fuzz_source *source)
{
	uint8_t type = amqp_get_octet(source), flags = amqp_get_octet(source);
	struct slice payload = fuzz_longstr(source);

	put_record(content, type, flags, payload.size > 0 ? payload.data : (const uint8_t *)"",
		   payload.size);
}

static void damage(struct content *content, struct fuzz_source *source)
{
	size_t at = amqp_get_short(source);

	content->bytes[at % content->size] ^= amqp_get_octet(source);
}

static void put_something(struct content *content, struct fuzz_source *source)
{
	static const uint8_t zeros[256];
	struct slice raw;

	switch (amqp_get_octet(source) % 8) {
	case 0:
		raw = fuzz_longstr(source);
		put(content, raw.data, raw.size);
		break;
	case 1:
		put_numbers(content, source, RECORD_BATCH);
		break;
	case 2:
	case 3:
		put_message(content, source);
		break;
	case 4:
		put_ranges(content, source);
		break;
	case 5:
		put_any(content, source);
		break;
	case 6:
		damage(content, source);
		break;
	default:
		put(content, zeros, amqp_get_octet(source));
	}
}

static void write_segment(const struct segment_folder *folder, uint64_t serial,
			  const struct content *content)
{
	char *path = segment_path(folder, serial);
	struct iovec part = {.iov_base = (void *)(uintptr_t)content->bytes,
			     .iov_len = content->size};
	int fd;

	fuzz_check(disk_open(path, O_WRONLY | O_CREAT, &fd) == 0);
	fuzz_check(disk_write(fd, &part, 1, 0) == 0);
	(void)disk_close(fd);
	mem_free(path);
}

/* Raw; or sound, and now and then of something else. */
static void make_header(struct fuzz_source *source, uint64_t serial, uint8_t *bytes)
{
	struct slice raw;

	if (amqp_get_octet(source) & 1) {
		raw = fuzz_bytes(source, SEGMENT_HEADER_SIZE);
		if (raw.size > 0)
			memcpy(bytes, raw.data, raw.size);
		return;
	}
	memcpy(bytes, "SHUNTLOG", 8);
	put_le32(bytes + 8, amqp_get_octet(source) == 255 ? RECORD_VERSION + 1 : RECORD_VERSION);
	put_le32(bytes + 12, SEGMENT_HEADER_SIZE);
	memset(bytes + 16, amqp_get_octet(source) == 255 ? 8 : 7, SEGMENT_ID_SIZE);
	put_le64(bytes + 32, amqp_get_octet(source) == 255 ? number(source) : serial);
	put_le32(bytes + 40, amqp_get_octet(source) == 255 ? 2 : 1);
	put_le64(bytes + 48, SEGMENT_SIZE_MIN);
	put_le64(bytes + 56, XXH3_64bits(bytes, 56));
}

static void make_segment(struct fuzz_source *source, const struct segment_folder *folder,
			 uint64_t serial)
{
	static struct content content;
	unsigned n = amqp_get_octet(source) % 64;

	content.seed = segment_seed(folder, serial);
	content.size = SEGMENT_HEADER_SIZE;
	memset(content.bytes, 0, sizeof(content.bytes));
	make_header(source, serial, content.bytes);
	if (amqp_get_octet(source) & 1)
		put_numbers(&content, source, RECORD_OPEN);
	while (n-- > 0 && amqp_reader_left(source) > 0)
		put_something(&content, source);
	if (amqp_get_octet(source) == 255) /* cut off */
		content.size = amqp_get_short(source) % (content.size + 1);
	write_segment(folder, serial, &content);
}

/* ---- Reading it ---- */

struct found {
	struct store_recovery recovery;
	uint64_t n, sum;
};

static void found_queue(struct store_recovery *recovery, uint64_t queue_id, uint64_t last_seq)
{
	struct found *found = (struct found *)recovery;

	found->sum += queue_id * 31 + last_seq;
}

static void found_message(struct store_recovery *recovery, const struct store_recovered *message)
{
	struct found *found = (struct found *)recovery;
	uint64_t numbers[] = {message->queue_id, message->seq, message->expires_ms,
			      message->deliveries};

	fuzz_check(message->queue_id < NEXT_ID);
	found->n++;
	found->sum += XXH3_64bits_withSeed(message->body.data, message->body.size,
					   XXH3_64bits(numbers, sizeof(numbers)));
}

static void check_report(void *context, const struct store_report *report)
{
	(void)context;
	fuzz_check(report->path != NULL && report->reason != NULL && report->reason[0] != '\0');
	fuzz_check(report->offset < BYTES_MAX * 2);
}

/* What the log says; where it goes on is *ret_before. */
static int read_log(struct segment_folder *folder, struct found *found,
		    struct record_open *ret_before)
{
	char damaged[96], reason[512] = "";
	struct ledger ledger;
	int r;

	(void)snprintf(damaged, sizeof(damaged), "%s/damaged", root);
	const struct recovery_options options = {
		.next_id = NEXT_ID, .damaged_path = damaged, .report = check_report};

	*found = (struct found){.recovery = {.queue = found_queue, .message = found_message}};
	ledger_init(&ledger);
	r = recovery_run(folder, &options, &ledger, ret_before, reason, sizeof(reason));
	fuzz_check((r < 0) == (reason[0] != '\0'));
	fuzz_check(r == 0 || r == -EUCLEAN || r == -ENOTSUP);
	if (r == 0) {
		fuzz_check(recovery_replay(folder, &ledger, &found->recovery) == 0);
		fuzz_check(found->n >= index_count(&ledger.index));
	}
	ledger_fini(&ledger);
	return r;
}

static void go_on(struct segment_folder *folder, const struct record_open *before)
{
	struct segment *segment;

	fuzz_check(segment_create(folder, 100, false, before, &segment) == 0);
	segment_free(segment);
}

static void clean(void)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/log", root);
	if (access(path, F_OK) == 0)
		fuzz_check(disk_list(path, remove_file, NULL) == 0);
	else
		fuzz_check(disk_make_dir(path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_source source;
	struct segment_folder folder, again;
	struct record_open before;
	struct found first, second;

	make_root();
	clean();
	amqp_reader_init(&source, slice_make(data, size));
	folder = folder_of();
	again = folder_of();
	if (amqp_get_octet(&source) & 1)
		make_segment(&source, &folder, 1);
	make_segment(&source, &folder, 2);
	if (read_log(&folder, &first, &before) == 0) {
		go_on(&folder, &before);
		fuzz_check(read_log(&again, &second, &before) == 0);
		fuzz_check(first.n == second.n && first.sum == second.sum);
	}
	segment_folder_fini(&folder);
	segment_folder_fini(&again);
	return 0;
}
