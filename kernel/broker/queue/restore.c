/* SPDX-License-Identifier: MIT */
#include "broker/queue/restore.h"

#include <errno.h>

#include "broker/queue/state.h"

#define SEQ_MAX (UINT64_MAX / 2) /* nobody gets so far by counting */

void queue_restore_begin(struct queue *q)
{
	OWN(q->ref.loop);
	loop_timer_stop(&q->timer);
}

int queue_restore_seq(struct queue *q, uint64_t last_seq)
{
	if (last_seq > SEQ_MAX)
		return -ERANGE;
	backlog_restore_begin(&q->backlog, last_seq);
	return 0;
}

/* From the wall clock to that of the loop. What has expired meanwhile does so at the head. */
static uint64_t expiry_of(uint64_t expires_wall_ms)
{
	uint64_t now = loop_now_ms(), now_wall = loop_now_wall_ms(), left;

	if (expires_wall_ms == 0)
		return SLOT_NEVER;
	left = expires_wall_ms > now_wall ? expires_wall_ms - now_wall : 0;
	return left < SLOT_NEVER - now ? now + left : SLOT_NEVER;
}

static uint64_t marks_of(const struct store_recovered *recovered, bool redelivered)
{
	uint64_t deliveries = recovered->deliveries < SLOT_DELIVERIES_MAX ? recovered->deliveries
									  : SLOT_DELIVERIES_MAX;

	return SLOT_LOGGED | SLOT_PERSISTENT | deliveries << SLOT_DELIVERIES_SHIFT |
	       (redelivered || deliveries > 0 ? SLOT_REDELIVERED : 0);
}

int queue_restore(struct queue *q, const struct store_recovered *recovered, bool redelivered)
{
	uint32_t body_size;
	int r;

	OWN(q->ref.loop);
	r = message_stored_body_size(recovered->body, &body_size);
	if (r != 0)
		return r;
	return backlog_restore(&q->backlog, recovered->seq, body_size,
			       expiry_of(recovered->expires_ms), marks_of(recovered, redelivered));
}

void queue_restore_end(struct queue *q)
{
	OWN(q->ref.loop);
	backlog_restore_end(&q->backlog);
	q->used_at_ms = loop_now_ms();
	queue_expiry_arm(q);
}
