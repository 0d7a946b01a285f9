/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/descriptors.h"
#include "bench.h"
#include "run.h"

static void on_signal(int signal_number)
{
	(void)signal_number;
	run_interrupt();
}

/* The first signal ends the run in order, the second at once. */
static void watch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
}

/* The kernel is not to make the opener wait for a larger table in the midst of a measurement. */
#define MAIN_DESCRIPTORS 16384u

/* Thousands of connections need as many descriptors. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	/* one arena, which grows in large steps: those of threads grow by a page and a call */
	(void)mallopt(M_ARENA_MAX, 1);
	watch_signals();
	raise_limit();
	descriptors_reserve(MAIN_DESCRIPTORS);
	return bench_main(argc, argv, stdout, stderr);
}
