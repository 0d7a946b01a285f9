/* SPDX-License-Identifier: MIT */
/*
 * Records all that a program writes below a directory, in the order in which it was done:
 * journal.py reads it.
 *
 * The file (JOURNAL_FILE of the environment) is appended to. An entry is a struct entry, the path,
 * the other path, and what was written; numbers are the machine's. It is appended after the call
 * and before the program goes on, by one write each. So of what a killed program may have told
 * others nothing is missing; only calls that it had not returned from.
 */
#include "calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_MAGIC  0x4c4e524au
#define JOURNAL_PIECES 1024

enum { FLAG_DIRECTORY = 1, FLAG_CREATED = 2, FLAG_TRUNCATED = 4 };

struct entry {
	uint32_t magic;
	uint32_t kind;
	uint32_t flags;
	uint32_t path_size;
	uint32_t other_size;
	uint32_t unused;
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t inode;
	uint64_t offset;
	uint64_t size;
	uint64_t data_size;
};

static int journal_fd = -1;

__attribute__((constructor)) static void journal_open(void)
{
	const char *path = getenv("JOURNAL_FILE");

	journal_fd =
		path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (journal_fd < 0)
		abort();
}

int hook_before(struct call *call)
{
	(void)call;
	return 0;
}

static void append(struct iovec *iov, int count, size_t size)
{
	if (writev(journal_fd, iov, count) != (ssize_t)size)
		abort();
}

void hook_after(const struct call *call, int64_t result)
{
	struct iovec iov[JOURNAL_PIECES];
	struct entry entry = {
		.magic = JOURNAL_MAGIC,
		.kind = call->kind,
		.flags = (call->is_directory ? FLAG_DIRECTORY : 0u) |
			 (call->is_created ? FLAG_CREATED : 0u) |
			 (call->is_truncated ? FLAG_TRUNCATED : 0u),
		.path_size = (uint32_t)strlen(call->path),
		.other_size = (uint32_t)strlen(call->other),
		.begin_ns = call->begin_ns,
		.end_ns = calls_now_ns(),
		.inode = call->inode,
		.offset = call->offset,
		.size = call->size,
		.data_size = call->kind == CALL_WRITE ? (uint64_t)result : 0,
	};
	size_t left = entry.data_size,
	       size = sizeof(entry) + entry.path_size + entry.other_size + left;
	int count = 3;

	if (call->iov_count > JOURNAL_PIECES - 3)
		abort();
	iov[0] = (struct iovec){&entry, sizeof(entry)};
	iov[1] = (struct iovec){(void *)(uintptr_t)call->path, entry.path_size};
	iov[2] = (struct iovec){(void *)(uintptr_t)call->other, entry.other_size};
	for (int i = 0; i < call->iov_count && left > 0; i++) {
		iov[count] = call->iov[i];
		if (iov[count].iov_len > left)
			iov[count].iov_len = left;
		left -= iov[count].iov_len;
		count++;
	}
	append(iov, count, size);
}
