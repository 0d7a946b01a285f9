/* SPDX-License-Identifier: MIT */
/*
 * Makes calls on the files below a directory fail. From the environment:
 *
 *   FAULT_CALL     open, write, truncate, allocate, sync, rename, unlink, mkdir, or any of them:
 * any FAULT_NAME     only files with this in their path below the directory (not given: all)
 *   FAULT_NTH      the number of the call that fails, from 1 on
 *   FAULT_ERRNO    with what (a number); 0: a write of half of what it should write
 *   FAULT_MODE     once, or forever: all such calls from that one on
 *   FAULT_TRIGGER  calls count only once this file exists; not given: from the start
 *   FAULT_HIT      this file is made when the first call fails
 */
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_names[] = {
	[CALL_OPEN] = "open",	      [CALL_WRITE] = "write", [CALL_TRUNCATE] = "truncate",
	[CALL_ALLOCATE] = "allocate", [CALL_SYNC] = "sync",   [CALL_RENAME] = "rename",
	[CALL_UNLINK] = "unlink",     [CALL_MKDIR] = "mkdir", [CALL_RMDIR] = "rmdir",
};

static const char *fault_call, *fault_name, *fault_trigger, *fault_hit;
static unsigned long fault_nth;
static int fault_errno;
static bool is_forever;
static atomic_ulong calls;
static atomic_bool is_triggered;

__attribute__((constructor)) static void faults_read_environment(void)
{
	const char *nth = getenv("FAULT_NTH"), *number = getenv("FAULT_ERRNO"),
		   *mode = getenv("FAULT_MODE");

	fault_call = getenv("FAULT_CALL");
	fault_name = getenv("FAULT_NAME");
	fault_trigger = getenv("FAULT_TRIGGER");
	fault_hit = getenv("FAULT_HIT");
	if (fault_call == NULL || nth == NULL || number == NULL || mode == NULL ||
	    fault_hit == NULL)
		abort();
	fault_nth = strtoul(nth, NULL, 10);
	fault_errno = (int)strtol(number, NULL, 10);
	is_forever = strcmp(mode, "forever") == 0;
}

static bool has_begun(void)
{
	if (fault_trigger == NULL || atomic_load(&is_triggered))
		return true;
	if (access(fault_trigger, F_OK) != 0)
		return false;
	atomic_store(&is_triggered, true);
	return true;
}

static bool has_name(const struct call *call)
{
	char path[PATH_MAX];

	if (call->path[0] != '\0')
		return strstr(call->path, fault_name) != NULL ||
		       strstr(call->other, fault_name) != NULL;
	calls_path_of(call->fd, path);
	return strstr(path, fault_name) != NULL;
}

static bool is_meant(const struct call *call)
{
	if (strcmp(fault_call, "any") != 0 && strcmp(fault_call, kind_names[call->kind]) != 0)
		return false;
	/* a short write is no error, and no other call can be short */
	if (fault_errno == 0 && (call->kind != CALL_WRITE || call->size < 2))
		return false;
	return fault_name == NULL || has_name(call);
}

static void note_hit(void)
{
	int fd = open(fault_hit, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

int hook_before(struct call *call)
{
	unsigned long number;
	int error = errno;

	if (!is_meant(call) || !has_begun()) {
		errno = error;
		return 0;
	}
	number = atomic_fetch_add(&calls, 1) + 1;
	if (number < fault_nth || (number > fault_nth && !is_forever))
		return 0;
	if (number == fault_nth)
		note_hit();
	if (fault_errno == 0)
		call->size_limit = call->size / 2;
	return fault_errno;
}

void hook_after(const struct call *call, int64_t result)
{
	(void)call;
	(void)result;
}
