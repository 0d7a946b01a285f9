/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PLACEMENT_MOVE_H
#define KERNEL_CONN_PLACEMENT_MOVE_H

/*
 * A connection goes to another loop, as a whole: its socket, its channels, its frames that wait.
 * That may be while nothing is under way for it, nowhere: so that no letter looks for it where it
 * was, and nothing that it does over there overtakes what it did here. Who sends it and where to is
 * conn/placement/placement.h's business.
 *
 * All run on the connection's loop.
 */

#include <stdbool.h>

#include "conn/connection.h"
#include "loop/task.h"

/* Why a connection cannot go now, the first that is found. */
enum move_obstacle {
	MOVE_NO_OBSTACLE,
	/* It stays as it is, until the client does something. */
	MOVE_STATE,	/* it opens or ends, or a channel does; or the broker stops */
	MOVE_BLOCKED,	/* by an alarm: what it is told is told by its loop */
	MOVE_EXCLUSIVE, /* it has exclusive queues, which are where it is */
	MOVE_CONSUMER,
	MOVE_UNACKED, /* deliveries that it may settle */
	MOVE_REPLIES, /* its direct reply-to name says where it is */
	MOVE_TX,      /* a channel is transactional */
	MOVE_WAITING, /* a channel waits for an answer */
	MOVE_CONTENT, /* a message is half there */
	/* It passes while nothing is read from it. */
	MOVE_PUBLISHES, /* some are under way, or have not been confirmed */
	MOVE_FENCES,	/* letters that nobody answers may be under way */
	MOVE_OUTPUT,	/* not all is sent */
};
enum move_obstacle move_obstacle(const struct connection *c);

/*
 * Begins a move to the loop `target`. False when something is against it that will not pass. From
 * now on nothing is read from the connection, until it is over there, or has not become quiet in
 * MOVE_LIMIT_MS (or what the service's settings say) and stays. May be called from within the
 * connection's functions: it goes in a late task.
 */
#define MOVE_LIMIT_MS 50u
bool move_begin(struct connection *c, unsigned target);

/* What was under way has come back: looks whether it can go now. */
void move_look_again(struct move *move);
static inline void move_note(const struct connection *c)
{
	if (c->move != NULL)
		move_look_again(c->move);
}

/* It ends, and does not go anywhere. */
void move_abandon(struct connection *c);

/*
 * It has sent a letter that nobody answers, to the loop of a queue; or something is under way for
 * it that it does not wait for any more, anywhere. A move waits until such letters have arrived.
 */
static inline void move_note_letter(struct connection *c, unsigned loop)
{
	loop_set_add(&c->told, loop);
}
void move_note_letters(struct connection *c);

#endif
