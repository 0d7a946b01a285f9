/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_RESTORE_STATE_H
#define KERNEL_BROKER_RESTORE_STATE_H

/* What the parts of restore.h share (restore*.c). */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/map.h"
#include "base/slice.h"
#include "broker/broker.h"
#include "broker/topology/definition.h"
#include "store/store.h"

struct exchange;
struct queue;
struct queue_entry;
struct vhost;

/* A queue by its id. */
struct restored_queue {
	struct map_node node; /* struct restore.queues */
	uint64_t id;
	struct queue_entry *entry;
	struct queue *queue;
};

struct restore {
	struct broker *broker;
	const char *default_vhost;
	struct map queues;	  /* struct restored_queue */
	struct map doomed_vhosts; /* those whose deletion had begun: not made */
	uint64_t n_vhosts, n_exchanges, n_queues, n_bindings, n_messages;
	uint64_t n_failed; /* of all those: what cannot be brought back */

	/* Keys follow each other by vhost, exchange and queue: what the last one has found. */
	struct vhost *vhost;
	struct exchange *source;
	struct queue_entry *destination;
	struct buffer key; /* of the definition that is looked at, as it should be */

	/* Keys of what is to be deleted, one behind the other, and where each ends: bindings whose
	 * ends are not there, and what is of a vhost that is not made. */
	struct buffer dangling;
	size_t *dangling_ends;
	size_t n_dangling, dangling_capacity;

	/* Of queues that are no more. */
	uint64_t n_lost_queues, n_lost_messages;
};

/* An error line, not without limit, for a definition that cannot be brought back. */
void restore_refuse(struct restore *restore, struct slice key, const char *format, ...)
	PRINTF_FORMAT(3, 4);

/* The definition with that key goes when all have been looked at, in the order of the calls. */
void restore_delete(struct restore *restore, struct slice key);

bool restore_is_doomed(const struct restore *restore, struct slice vhost);
/* After all that they had: their definitions. */
void restore_delete_doomed_vhosts(struct restore *restore);
void restore_forget_doomed_vhosts(struct restore *restore);

/*
 * Reads a definition that is of this kind and has this key, so that none is there twice; and (but
 * for a vhost itself) finds its vhost, which is restore->vhost then. False: it has been refused, or
 * its vhost is not made, and it goes.
 */
bool restore_read(struct restore *restore, struct slice key, struct slice value,
		  enum definition_kind kind, struct definition *ret);

/* NULL: there is none. */
struct restored_queue *restore_find_queue(const struct restore *restore, uint64_t id);

/* Waits until the store has it, turning loop 0; false when the store does not take it. */
bool restore_commit(struct restore *restore, const struct store_change *changes, size_t n_changes);

/*
 * In this order. A step has failed if it returns an errno value, or has made n_failed grow; then
 * the next ones are not to be tried.
 */
int restore_vhosts(struct restore *restore);
int restore_exchanges(struct restore *restore);
int restore_queues(struct restore *restore);
int restore_bindings(struct restore *restore);
int restore_messages(struct restore *restore);

#endif
