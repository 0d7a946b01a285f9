/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "base/mem.h"

#define LOOK_EVERY_MS 50
/* For what is no call: the tester's own work, between calls. */
#define OWN_PATIENCE 20

struct trace *child_trace_create(void)
{
	void *memory = mmap(NULL, sizeof(struct trace), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

/* ---- In the child ---- */

NO_RETURN static void child_main(const struct check *check, const struct subject *subject,
				 struct trace *trace)
{
	struct subject s = *subject;

	trace_own = trace;
	s.world = mem_zalloc(sizeof(*s.world));
	arena_init();
	subject_round(&s, 0);
	subject_open(&s);
	if (!check->starts_itself)
		subject_start(&s);
	check->run(&s);
	if (!check->starts_itself)
		subject_stop(&s);
	atomic_store(&trace->outcome, TRACE_PASSED);
	/* exit() would run what the plugin has left for it, and look for leaks of what is simply
	 * left */
	_exit(0);
}

/* ---- In the parent ---- */

static double now_s(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t calls_of(const struct trace *trace)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < TRACE_THREADS; i++)
		sum += atomic_load(&trace->threads[i].count);
	return sum;
}

/* What runs, or what runs in another thread, or NULL. */
static const struct trace_thread *thread_in_call(const struct trace *trace)
{
	for (size_t i = 0; i < TRACE_THREADS; i++)
		if (atomic_load(&trace->threads[i].call) != NULL)
			return &trace->threads[i];
	return NULL;
}

static void say(struct trace *trace, const char *what)
{
	const struct trace_thread *thread = thread_in_call(trace);

	(void)snprintf(trace->text, sizeof(trace->text), "%s %s%s%s",
		       thread != NULL ? atomic_load(&thread->call) : "the tester itself", what,
		       thread != NULL && thread->with[0] != '\0' ? ", with " : "",
		       thread != NULL ? thread->with : "");
	atomic_store(&trace->outcome, TRACE_FAILED);
}

/* Waits for the end of the pipe, which is that of the process. False: it hangs. */
static bool wait_for_end(int fd, const struct trace *trace, double timeout_s)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};
	uint64_t calls = calls_of(trace), now;
	double since = now_s();

	for (;;) {
		int n = poll(&end, 1, LOOK_EVERY_MS);

		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
		now = calls_of(trace);
		if (now != calls) {
			calls = now;
			since = now_s();
		}
		if (now_s() - since >
		    timeout_s * (thread_in_call(trace) != NULL ? 1 : OWN_PATIENCE))
			return false;
	}
}

static void say_how_it_ended(struct trace *trace, int status)
{
	char what[96];

	if (WIFSIGNALED(status))
		(void)snprintf(what, sizeof(what), "crashed: %s", strsignal(WTERMSIG(status)));
	else
		(void)snprintf(what, sizeof(what), "ended the process, with status %d",
			       WEXITSTATUS(status));
	say(trace, what);
}

static void watch(pid_t pid, int fd, double timeout_s, struct trace *trace)
{
	bool has_ended = wait_for_end(fd, trace, timeout_s);
	char what[96];
	int status = 0;

	if (!has_ended)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!has_ended) {
		(void)snprintf(what, sizeof(what), "did not return within %g s", timeout_s);
		say(trace, what);
	} else if (atomic_load(&trace->outcome) == TRACE_RUNNING) {
		say_how_it_ended(trace, status);
	}
}

void child_run(const struct check *check, const struct subject *subject, double timeout_s,
	       struct trace *trace)
{
	int fds[2];
	pid_t pid;

	memset(trace, 0, sizeof(*trace));
	(void)fflush(NULL);
	if (pipe(fds) < 0 || (pid = fork()) < 0) {
		say(trace, strerror(errno));
		return;
	}
	if (pid == 0) {
		(void)close(fds[0]);
		child_main(check, subject, trace);
	}
	(void)close(fds[1]);
	watch(pid, fds[0], timeout_s, trace);
	(void)close(fds[0]);
}
