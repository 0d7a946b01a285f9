/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_READERS_H
#define KERNEL_NET_READERS_H

/*
 * Which of a loop's transports is read when, and how much of it (loop/budget.h).
 *
 * A transport is *busy* when its last read filled the room it had: more is waiting, most likely.
 * One that is not is read at once when it becomes readable. Those that are busy come after all
 * others have been read, in turn, in equal shares of the turn's budget; who gets none is the first
 * of the next turn. There is something for them in every turn, whatever the others do. And if what
 * is read at once passes the budget of a long turn, the rest of it waits in turn as well.
 *
 * One whose input was published to a queue with deliveries that lag behind may be *held*
 * (loop/lag.h); then it is not watched, so that the loop can block.
 *
 * Part of a loop's net_pool; for the files of kernel/net/ only.
 */

#include <stddef.h>

#include "base/list.h"
#include "loop/task.h"

struct stream;

struct net_readers {
	struct list waiting; /* struct stream.in_readers: readable, not busy */
	struct list busy;
	size_t n_busy;
	struct list held; /* their readable event is off meanwhile */
	struct loop_task run, release;
};

void net_readers_init(struct net_readers *readers);
/* No stream is left. */
void net_readers_fini(struct net_readers *readers);

/* It is readable: reads it, now or in its turn, by stream_read_chunk(). May end it. */
void net_readers_add(struct net_readers *readers, struct stream *s);
/* It shall not be read. No-op if it is in none of the lists. */
void net_readers_remove(struct net_readers *readers, struct stream *s);

#endif
