/* SPDX-License-Identifier: MIT */
#include "store/log/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/disk.h"
#include "store/log/record.h"
#include "store/log/scan.h"

/*
 * The happy path: every segment says in its first record where the one before it ends, so all but
 * the last are read up to there; the last one up to the last record that can be read. Nothing is
 * written to a segment that was found: the log goes on in a new one.
 *
 * The first record of the new one also says how far it is known that all of the segment before was
 * synced as it was written. So what is decided of its transactions is the same at every start.
 *
 * Damage costs the records that it is in and no others: it is reported, copied aside, and what
 * follows is read. Only a transaction is all or nothing: if a part of it is missing and there is no
 * proof that it was once synced, it was cut off by a crash before anybody was told, and all of
 * it is left out.
 */

struct run {
	struct segment_folder *folder;
	const struct recovery_options *options;
	struct ledger *ledger;
	struct scan scan;
	struct segment *segment; /* of the scan */
	uint64_t synced;	 /* up to where it was on disk before a crash, for sure */
	uint64_t keep_with;	 /* the one before must not outlive the next; 0: it may */
	char *reason;
	size_t reason_size;
};

static int fail(struct run *run, uint64_t serial, int error, const char *what)
{
	char *path = segment_path(run->folder, serial);

	snprintf(run->reason, run->reason_size, "path=\"%s\" reason=\"%s\"", path, what);
	mem_free(path);
	return error;
}

/* ---- Damage ---- */

static void report(const struct run *run, bool is_error, uint64_t offset, uint64_t size,
		   const char *reason)
{
	char *path = segment_path(run->folder, run->segment->serial);
	const struct store_report r = {.is_error = is_error,
				       .path = path,
				       .offset = offset,
				       .size = size,
				       .reason = reason};

	if (run->options->report)
		run->options->report(run->options->context, &r);
	mem_free(path);
}

static int write_copy(const char *path, const uint8_t *bytes, uint64_t size)
{
	struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = (size_t)size};
	int fd;
	int r = disk_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd);

	if (r < 0)
		return r;
	r = disk_write(fd, &piece, 1, 0);
	(void)disk_close(fd);
	return r;
}

/* The bytes stay in the segment, too, until it goes. */
static void set_aside(const struct run *run, const struct scan_span *span)
{
	const struct segment_folder *folder = run->folder;
	bool was_synced = span->offset < run->synced;
	char *path = mem_printf("%s/log-%" PRIu32 "-%" PRIu32 "-%016" PRIx64 "-%" PRIu64 ".bin",
				run->options->damaged_path, folder->generation, folder->log,
				run->segment->serial, span->offset);
	int r = disk_make_dir(run->options->damaged_path);

	if (r == 0 || r == -EEXIST)
		r = write_copy(path, run->scan.bytes + span->offset, span->size);
	char *reason =
		r == 0 ? mem_printf("damaged bytes, copied to %s", path)
		       : mem_printf("damaged bytes, not copied to %s: %s", path, strerror(-r));

	report(run, was_synced, span->offset, span->size, reason);
	mem_free(reason);
	mem_free(path);
}

/* ---- Applying records ---- */

static int check_queue(struct run *run, uint64_t queue_id)
{
	if (queue_id < run->options->next_id)
		return 0;
	return fail(run, run->segment->serial, -EUCLEAN,
		    "the log knows of a queue that the database has never given an id: this is "
		    "not its log");
}

static int apply_message(struct run *run, uint64_t place, const struct record *record)
{
	struct record_message message;

	if (record->flags & RECORD_TRANSIENT)
		return 0;
	if (record_get_message(record, &message) < 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < message.n_targets; i++) {
		struct record_target target = record_get_target(&message, i);
		int r;

		if (target.queue_id >= STORE_TRANSIENT_ID)
			continue; /* the queue has gone with its process */
		r = check_queue(run, target.queue_id);
		if (r < 0)
			return r;
		r = ledger_enqueue(run->ledger, place, &target, false);
		if (r < 0)
			return fail(run, run->segment->serial, r, "out of memory");
	}
	return 0;
}

static int apply_ranges(struct run *run, uint64_t place, const struct record *record)
{
	uint64_t queue_id, first, last;
	uint32_t n;
	int r;

	if (record_get_ranges(record, &queue_id, &n) < 0)
		return -EBADMSG;
	if (queue_id >= STORE_TRANSIENT_ID)
		return 0;
	r = check_queue(run, queue_id);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		record_get_range(record, i, &first, &last);
		if (record->type == RECORD_PURGE)
			ledger_purge(run->ledger, place, queue_id, last);
		else if (record->type == RECORD_REQUEUE)
			ledger_requeue(run->ledger, place, queue_id, first, last);
		else
			ledger_settle(run->ledger, place, queue_id, first, last);
	}
	return r;
}

/* A record whose checks are right and whose content is not was never written by us. */
static int apply(struct run *run, const struct scan_span *span)
{
	struct record record = scan_record(&run->scan, span);
	uint64_t place = ledger_place(run->segment, span->offset);
	int r = 0;

	switch (record.type) {
	case RECORD_MESSAGE:
		r = apply_message(run, place, &record);
		break;
	case RECORD_SETTLE:
	case RECORD_REQUEUE:
	case RECORD_PURGE:
	case RECORD_EXPIRE:
		r = apply_ranges(run, place, &record);
		break;
	default: /* OPEN and BATCH change nothing */
		break;
	}
	if (r == -EBADMSG) {
		set_aside(run, span);
		r = 0;
	}
	return r;
}

/* ---- A segment ---- */

static bool is_atomic_batch(const struct scan *scan, const struct scan_span *span,
			    uint64_t *ret_end)
{
	struct record record;
	uint64_t size, synced;

	if (span->is_damaged)
		return false;
	record = scan_record(scan, span);
	if (record.type != RECORD_BATCH || !(record.flags & RECORD_ATOMIC) ||
	    record_get_pair(&record, &size, &synced) < 0)
		return false;
	*ret_end = span->offset + span->size + size;
	return true;
}

/* Whether all spans from i on up to `end` can be read. */
static bool is_whole(const struct scan *scan, size_t i, uint64_t end)
{
	for (; i < scan->n_spans && scan->spans[i].offset < end; i++)
		if (scan->spans[i].is_damaged)
			return false;
	return scan->end >= end;
}

/*
 * Where the transaction ends that must be left out; 0 if it is whole, or was once synced. A part
 * of one whose beginning cannot be read ends with its record.
 */
static uint64_t left_out_until(const struct run *run, size_t i)
{
	const struct scan *scan = &run->scan;
	const struct scan_span *span = &scan->spans[i];
	uint64_t end = span->offset + span->size;
	bool is_batch = is_atomic_batch(scan, span, &end);
	bool is_atomic = !span->is_damaged && (scan_record(scan, span).flags & RECORD_ATOMIC);

	if (end <= run->synced || !is_atomic)
		return 0;
	return is_batch && is_whole(scan, i, end) ? 0 : end;
}

/* Up to where the transaction goes that is whole, so that its records are not asked again. */
static uint64_t whole_until(const struct run *run, size_t i)
{
	uint64_t end;

	return is_atomic_batch(&run->scan, &run->scan.spans[i], &end) ? end : 0;
}

/* Its ranges are as good to read as any, and would be carried along if the segment were moved. */
static void leave_out(const struct run *run, uint64_t from, uint64_t end)
{
	run->segment->is_unreadable = true;
	report(run, false, from, end - from, "a transaction that was not complete is left out");
}

static int apply_segment(struct run *run)
{
	uint64_t out = 0, whole = 0;
	int r = 0;

	for (size_t i = 0; i < run->scan.n_spans && r == 0; i++) {
		const struct scan_span *span = &run->scan.spans[i];

		if (span->is_damaged) {
			set_aside(run, span);
			continue;
		}
		if (span->offset >= out && span->offset >= whole) {
			out = left_out_until(run, i);
			whole = out == 0 ? whole_until(run, i) : 0;
			if (out > 0)
				leave_out(run, span->offset, out);
		}
		if (span->offset >= out)
			r = apply(run, span);
	}
	if (r == 0 && run->scan.torn > 0)
		report(run, run->scan.end < run->synced, run->scan.end, run->scan.torn,
		       "the end of the log was not complete and is cut off");
	return r;
}

static int check_header(struct run *run, uint64_t serial)
{
	switch (run->scan.header) {
	case SEGMENT_HEADER_FOREIGN:
		return fail(run, serial, -EUCLEAN,
			    "the segment is of another log than the database's");
	case SEGMENT_HEADER_NEWER:
		return fail(run, serial, -ENOTSUP,
			    "the segment was written by a later version of shuntd");
	case SEGMENT_HEADER_NONE:
	case SEGMENT_HEADER_OURS:
		break;
	}
	return 0;
}

static void check_written(const struct run *run)
{
	if (run->scan.header == SEGMENT_HEADER_NONE && run->scan.end > SEGMENT_HEADER_SIZE)
		report(run, run->synced > 0, 0, SEGMENT_HEADER_SIZE,
		       "the segment's header is damaged; its records are read all the same");
}

/*
 * How far the segment was on disk is said by its own records, and by the next segment: so what the
 * first start after a crash leaves out, every later one does.
 */
static int read_segment(struct run *run, uint64_t serial, const struct record_open *known)
{
	int r = scan_segment(&run->scan, run->folder, serial, known->end);

	if (r < 0)
		return fail(run, serial, r, strerror(-r));
	r = check_header(run, serial);
	if (r < 0)
		return r;
	run->synced = known->synced > run->scan.synced ? known->synced : run->scan.synced;
	run->segment = segment_found(run->folder, serial, run->scan.file_size, run->scan.end);
	run->folder->disk_bytes += run->scan.file_size;
	if (run->keep_with > 0)
		segment_keep_with(run->segment, run->keep_with);
	run->keep_with = known->end < run->scan.file_size &&
					 scan_has_refused(run->folder, serial, known->end)
				 ? serial
				 : 0;
	ledger_add_segment(run->ledger, run->segment);
	check_written(run);
	if (known->end != SCAN_END_UNKNOWN && known->end > SEGMENT_HEADER_SIZE &&
	    run->scan.file_size < known->end)
		report(run, true, run->scan.file_size, known->end - run->scan.file_size,
		       "the segment is shorter than its records were");
	return apply_segment(run);
}

/* ---- All of them ---- */

/*
 * What is known of segment i: what the one after it says, or the last of several, if making one had
 * failed. After a clean end all was synced.
 */
static struct record_open find_known(const struct run *run, const uint64_t *serials, size_t n,
				     size_t i)
{
	struct record_open known = {.serial = serials[i], .end = SCAN_END_UNKNOWN}, said;

	if (i + 1 == n && run->options->was_clean)
		known.synced = UINT64_MAX;
	for (size_t next = i + 1; next < n; next++) {
		if (!scan_read_open(run->folder, serials[next], &said))
			continue;
		if (said.serial != serials[i])
			break;
		known = said;
	}
	return known;
}

/*
 * What has been read may be in the system's memory only; before anything is built upon it, it must
 * be on disk.
 */
static int sync_all(struct run *run, const uint64_t *serials, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		r = segment_sync(run->folder, serials[i]);
		if (r < 0)
			return fail(run, serials[i], r, strerror(-r));
	}
	if (r == 0) {
		r = disk_sync_dir(run->folder->path);
		if (r < 0)
			return fail(run, serials[n - 1], r, strerror(-r));
	}
	return r;
}

/* Nothing that was written here is so high that none could follow. */
static int check_serials(struct run *run, uint64_t lowest, uint64_t highest)
{
	if (highest - lowest > INDEX_SEGMENT_MAX)
		return fail(run, highest, -EUCLEAN,
			    "the segment's number is too far from those of the others");
	if (highest > UINT64_MAX / 2)
		return fail(run, highest, -EUCLEAN, "the segment's number is too high");
	return 0;
}

int recovery_run(struct segment_folder *folder, const struct recovery_options *options,
		 struct ledger *ledger, struct record_open *ret_before, char *ret_reason,
		 size_t reason_size)
{
	struct run run = {.folder = folder,
			  .options = options,
			  .ledger = ledger,
			  .reason = ret_reason,
			  .reason_size = reason_size};
	uint64_t *serials = NULL;
	size_t n = 0;
	int r = segment_folder_open(folder, &serials, &n);

	if (r < 0) {
		snprintf(ret_reason, reason_size, "path=\"%s\" reason=\"%s\"", folder->path,
			 strerror(-r));
		return r;
	}
	scan_init(&run.scan);
	if (n > 0)
		r = check_serials(&run, serials[0], serials[n - 1]);
	*ret_before = (struct record_open){.serial = 0};
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct record_open known = find_known(&run, serials, n, i);

		r = read_segment(&run, serials[i], &known);
		if (r == 0)
			*ret_before = (struct record_open){
				serials[i], run.segment->end,
				run.synced < run.segment->end ? run.synced : run.segment->end};
	}
	if (r == 0 && n > 0)
		r = sync_all(&run, serials, n);
	if (r == 0)
		segment_folder_tidy(folder);
	scan_fini(&run.scan);
	mem_free(serials);
	ledger->may_retire = true;
	return r;
}

/* ---- Replaying ---- */

static void replay_record(struct ledger *ledger, const struct record *record, uint64_t place,
			  struct store_recovery *recovery)
{
	struct record_message message;

	if (record->type != RECORD_MESSAGE || (record->flags & RECORD_TRANSIENT) ||
	    record_get_message(record, &message) < 0)
		return;
	for (uint32_t i = 0; i < message.n_targets; i++) {
		struct record_target target = record_get_target(&message, i);
		struct index_entry entry;

		if (!index_find(&ledger->index, target.queue_id, target.seq, &entry) ||
		    entry.place != place)
			continue;
		const struct store_recovered recovered = {
			.queue_id = target.queue_id,
			.seq = target.seq,
			.expires_ms = target.expires_ms,
			.deliveries = entry.deliveries,
			.body = message.body,
		};
		recovery->message(recovery, &recovered);
	}
}

static int replay_segment(const struct segment_folder *folder, struct ledger *ledger,
			  const struct segment *segment, struct scan *scan,
			  struct store_recovery *recovery)
{
	int r = scan_segment(scan, folder, segment->serial,
			     segment->is_closed ? segment->end : SCAN_END_UNKNOWN);

	for (size_t i = 0; r == 0 && i < scan->n_spans; i++) {
		const struct scan_span *span = &scan->spans[i];

		if (span->is_damaged)
			continue;
		struct record record = scan_record(scan, span);
		replay_record(ledger, &record, ledger_place(segment, span->offset), recovery);
	}
	return r;
}

int recovery_replay(const struct segment_folder *folder, struct ledger *ledger,
		    struct store_recovery *recovery)
{
	struct map_cursor cursor;
	struct index_queue_info info;
	struct scan scan;
	int r = 0;

	if (index_first_queue(&ledger->index, &cursor, &info)) {
		do
			recovery->queue(recovery, info.id, info.last_seq);
		while (index_next_queue(&ledger->index, &cursor, &info));
	}
	scan_init(&scan);
	for (size_t i = 0; i < ledger->n_segments && r == 0; i++) {
		const struct segment *segment = ledger->segments[i];

		if (segment && segment->n_live > 0)
			r = replay_segment(folder, ledger, segment, &scan, recovery);
	}
	scan_fini(&scan);
	return r;
}
