/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The whole (small) file as a string. False: it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (file == NULL)
		return false;
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	(void)fclose(file);
	return n > 0;
}

/* /proc/PID/stat: fields 14 and 15, after the name in parentheses, which may hold anything. */
static int read_stat(pid_t pid, struct process_sample *sample)
{
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	unsigned long long user = 0, system = 0;
	char path[64], text[1024];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!read_text(path, text, sizeof(text)))
		return -ESRCH;
	p = strrchr(text, ')');
	if (p == NULL || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
				&user, &system) != 2)
		return -EPROTO;
	sample->user_ns = user * tick_ns;
	sample->system_ns = system * tick_ns;
	return 0;
}

/* The first number of each thread's schedstat: nanoseconds on a CPU. */
static uint64_t read_schedstat(pid_t pid)
{
	const struct dirent *entry;
	char path[320], text[128];
	uint64_t sum = 0;
	DIR *directory;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	directory = opendir(path);
	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid,
			       entry->d_name);
		if (read_text(path, text, sizeof(text)))
			sum += strtoull(text, NULL, 10);
	}
	(void)closedir(directory);
	return sum;
}

static uint64_t read_kib(const char *path, const char *name)
{
	char text[8192];
	const char *p;

	if (!read_text(path, text, sizeof(text)))
		return 0;
	p = strstr(text, name);
	return p == NULL ? 0 : strtoull(p + strlen(name), NULL, 10) << 10;
}

/* smaps_rollup counts pages; the kernel's own counter (status) lags behind by some per thread. */
uint64_t process_rss_bytes(pid_t pid)
{
	char path[64];
	uint64_t rss;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	rss = read_kib(path, "\nRss:");
	if (rss > 0)
		return rss;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return read_kib(path, "\nVmRSS:");
}

int process_read(pid_t pid, struct process_sample *ret)
{
	struct process_sample sample = {0};
	int error = read_stat(pid, &sample);

	if (error < 0)
		return error;
	sample.cpu_ns = read_schedstat(pid);
	if (sample.cpu_ns == 0)
		sample.cpu_ns = sample.user_ns + sample.system_ns;
	*ret = sample;
	return 0;
}

uint64_t process_own_cpu_ns(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}
