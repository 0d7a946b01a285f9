/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_TOOLS_NULL_BROKER_H
#define TESTS_UNIT_TOOLS_NULL_BROKER_H

#include <stdint.h>

/*
 * A broker that does nothing but answer the protocol: for tests of shunt-bench, and to see what the
 * tool itself can do. It believes its client: malformed input ends the process. It can be told to
 * do something wrong, so that it is seen whether the tool notices.
 */
enum null_broker_fault {
	NULL_BROKER_RIGHT,
	NULL_BROKER_LOSES,	       /* one message is not delivered */
	NULL_BROKER_DOUBLES,	       /* one message is delivered twice */
	NULL_BROKER_SWAPS,	       /* two messages are delivered in the wrong order */
	NULL_BROKER_LOSES_AND_DOUBLES, /* one is lost, and the next delivered twice */
	NULL_BROKER_NACKS,	       /* all messages are delivered, and refused */
	NULL_BROKER_CONFIRMS_TWICE,
	NULL_BROKER_NEVER_CONFIRMS,
	NULL_BROKER_MARKS_REDELIVERED,
	NULL_BROKER_CLOSES_CHANNEL, /* with 406, at a publish */
	NULL_BROKER_CLOSES_SOCKET,  /* at a publish */
	NULL_BROKER_REFUSES_LOGIN,  /* with 403 */
	NULL_BROKER_TALKS_NONSENSE, /* no AMQP */
};

struct null_broker;

/* Listens on 127.0.0.1 (port 0: any) and serves on a thread of its own. NULL: it does not. */
struct null_broker *null_broker_start(uint16_t port, enum null_broker_fault fault);
uint16_t null_broker_port(const struct null_broker *broker);
/* Queues that were declared and not deleted. */
unsigned null_broker_queue_count(const struct null_broker *broker);
void null_broker_stop(struct null_broker *broker);

#endif
