/* SPDX-License-Identifier: MIT */
#include "server_signals.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bug.h"
#include "loop/loop.h"

#define N_SIGNALS 3

/* The second SIGTERM means more than the first; further ones mean nothing. */
#define CALLS_MAX 2u

static const int numbers[N_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

/* A process has one of these: what signals belong to. */
static struct {
	/* An eventfd, made once and never closed: a handler on another thread may be about to write
	 * to it. -1: none yet */
	_Atomic int wake;
	_Atomic unsigned n_came[N_SIGNALS];
	struct event *event;
	void (*caught)(void *context, int number);
	void *context;
} signals = {.wake = -1};

/* On any thread, amid anything. */
static void note(int number)
{
	const uint64_t one = 1;
	int saved_errno = errno;

	for (unsigned i = 0; i < N_SIGNALS; i++)
		if (numbers[i] == number)
			atomic_fetch_add(&signals.n_came[i], 1);
	/* It fails only where so many are not read yet that one is enough. */
	if (write(atomic_load(&signals.wake), &one, sizeof(one)) < 0)
		bug_on(errno != EAGAIN);
	errno = saved_errno;
}

static void handle(evutil_socket_t fd, short what, void *context)
{
	uint64_t count;

	(void)what, (void)context;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	for (unsigned i = 0; i < N_SIGNALS; i++) {
		unsigned n = atomic_exchange(&signals.n_came[i], 0);

		for (unsigned call = 0; call < n && call < CALLS_MAX; call++)
			signals.caught(signals.context, numbers[i]);
	}
}

static void set_all(void (*handler)(int number))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	(void)sigfillset(&action.sa_mask);
	for (unsigned i = 0; i < N_SIGNALS; i++)
		(void)sigaction(numbers[i], &action, NULL);
}

static int make_event(int fd)
{
	signals.event = event_new(loop_base(loop_self()), fd, EV_READ | EV_PERSIST, handle, NULL);
	if (signals.event == NULL)
		return -ENOMEM;
	if (event_add(signals.event, NULL) == 0)
		return 0;
	event_free(signals.event);
	signals.event = NULL;
	return -ENOMEM;
}

int server_signals_catch(void (*caught)(void *context, int number), void *context)
{
	int result;

	if (atomic_load(&signals.wake) < 0)
		atomic_store(&signals.wake, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	if (atomic_load(&signals.wake) < 0)
		return -errno;
	signals.caught = caught;
	signals.context = context;
	result = make_event(atomic_load(&signals.wake));
	if (result == 0)
		set_all(note);
	return result;
}

void server_signals_ignore(void)
{
	if (signals.event == NULL)
		return;
	set_all(SIG_IGN);
	event_free(signals.event);
	signals.event = NULL;
}
