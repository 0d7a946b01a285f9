/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_WORKER_H
#define TOOLS_SHUNT_BENCH_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "consumer.h"
#include "producer.h"

/* What the coordinator tells its workers; they look at it once a turn. */
enum worker_phase {
	WORKER_WARMING, /* figures are not kept */
	WORKER_MEASURING,
	WORKER_DRAINING,   /* producers publish no more; figures are not kept */
	WORKER_CANCELLING, /* consumers ask for no more, and take what is under way */
	WORKER_STOPPED,
};

/*
 * A thread with some producers and consumers and an epoll of its own. The coordinator gives it
 * peers before it starts and takes its figures after it has ended; in between it reads the counters
 * only.
 */
struct worker {
	pthread_t thread;
	bool is_started;
	int epoll_fd, wake_fd;
	int done_fd; /* the coordinator's: written when producers are done, and on an error */
	struct producer **producers;
	struct consumer **consumers;
	unsigned producer_count, consumer_count;
	struct producer_figures producer_figures;
	struct consumer_figures consumer_figures;
	bool has_told_done, is_cancelling;
	bool is_noise, is_paced;
	bool spins;	       /* rather than sleeps, before a message is due */
	uint64_t slow_next_ns; /* when consumers that read slowly read again */
	char error[CLIENT_ERROR_SIZE];

	_Alignas(CACHE_LINE_SIZE) _Atomic int phase; /* enum worker_phase; written from outside */

	_Alignas(CACHE_LINE_SIZE) _Atomic uint64_t published; /* written by the thread */
	_Atomic uint64_t confirmed;
	_Atomic uint64_t delivered;
	_Atomic uint64_t last_publish_ns, last_delivery_ns;
	_Atomic bool is_done;	   /* all producers are done */
	_Atomic bool is_cancelled; /* all consumers have their answers, after CANCELLING */
	_Atomic int status;	   /* 0, or negative: it has ended, `error` says why */
};

struct worker *worker_create(unsigned producers_max, unsigned consumers_max, int done_fd);
void worker_destroy(struct worker *worker); /* NULL: nothing; it must not run */

void worker_add_producer(struct worker *worker, struct producer *producer);
void worker_add_consumer(struct worker *worker, struct consumer *consumer);

/* 0 or a negative code. */
int worker_start(struct worker *worker, enum worker_phase phase) MUST_USE;
void worker_set_phase(struct worker *worker, enum worker_phase phase);
/* STOPPED, and waits until it has ended. */
void worker_stop(struct worker *worker);

#endif
