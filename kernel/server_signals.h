/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_SIGNALS_H
#define KERNEL_SERVER_SIGNALS_H

/*
 * SIGTERM, SIGINT and SIGHUP, as calls on the loop that catches them. One that comes is noted and
 * wakes the loop, which handles what has come once a turn: however many come, its other work goes
 * on. (libevent's signals are read until no more come, which is for ever where they come as fast.)
 */

/* `caught` is called for each that came, but at most twice a turn. Own loop: 0 or a negative errno.
 */
int server_signals_catch(void (*caught)(void *context, int number), void *context)
	__attribute__((warn_unused_result));

/* Caught ones are ignored from here on. On the loop that caught them, which need not run any more.
 */
void server_signals_ignore(void);

#endif
