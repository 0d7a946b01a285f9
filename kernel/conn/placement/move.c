/* SPDX-License-Identifier: MIT */
/*
 * The happy path: move_begin() stops reading; at the end of the turn the output has left, what was
 * published comes back or has done so; the connection is taken out of its loop, and its own letter
 * carries it over, where it is put in and read from again. A first basic.consume takes one letter
 * and waits for nothing.
 *
 * Order. Publishes and questions are answered, so when no answer is open they have arrived. What
 * is not answered (settles, credit, grants) goes to loops that are noted in `told`: a *fence*, a
 * letter to such a loop and back, says that all before it has arrived, there and here.
 *
 * Failures. Whatever keeps it from becoming quiet for its limit, it stays, and goes on with the
 * frames that were kept. If it ends meanwhile, the fences find nobody. If the broker stops while it
 * is on its way, it is closed where it arrives; if the loops have stopped, the letter is delivered
 * all the same (loop_run()), and the connection is cut with the others.
 */
#include "conn/placement/move.h"

#include "base/bug.h"
#include "base/mem.h"
#include "conn/channel.h"
#include "conn/closing.h"
#include "conn/publish/confirms.h"
#include "conn/placement/placement.h"
#include "conn/placement/pressure.h"
#include "conn/publish/publish.h"
#include "conn/service.h"
#include "conn/deliver/source.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

/* One move: allocated for it, freed when the connection has arrived, or stays. */
struct move {
	struct letter letter;
	struct connection *connection;
	unsigned target;
	bool has_waited_for_output;
	struct loop_task look;
	struct loop_timer limit;
	uint64_t timer_left_ms; /* of the connection's timer, while it is on its way */
	bool has_timer;
};

/* ---- May it go? ---- */

static enum move_obstacle move_channel_obstacle(const struct channel *ch)
{
	if (ch->state != CHANNEL_OPEN || actor_ref_is_none(ch->endpoint.ref))
		return MOVE_STATE;
	for (unsigned i = 0; i < ch->n_sources; i++)
		if (ch->sources[i] != NULL)
			return ch->sources[i]->is_consuming ? MOVE_CONSUMER : MOVE_UNACKED;
	if (ch->reply_tag_size != 0)
		return MOVE_REPLIES;
	if (ch->tx != NULL)
		return MOVE_TX;
	if (channel_waits(ch))
		return MOVE_WAITING;
	if (ch->content != CHANNEL_METHOD)
		return MOVE_CONTENT;
	bug_on(ch->unacked.held != 0 || !list_is_empty(&ch->wanting));
	return MOVE_NO_OBSTACLE;
}

static bool move_channel_has_publishes(const struct channel *ch)
{
	return ch->inflight_bytes != 0 || list_is_linked(&ch->dirty) ||
	       (ch->confirms_on && confirms_open(&ch->confirms) != 0);
}

static bool move_has_exclusive(const struct connection *c)
{
	for (size_t i = 0; i < c->n_exclusive; i++)
		if (slots_get(c->exclusive_queues[i]) != NULL)
			return true;
	return false;
}

static enum move_obstacle move_connection_obstacle(const struct connection *c)
{
	if (c->state != CONNECTION_RUNNING || c->is_ending || c->is_broken || c->is_garbled ||
	    c->is_replaying || c->home->is_stopping)
		return MOVE_STATE;
	if (c->is_blocked)
		return MOVE_BLOCKED;
	return move_has_exclusive(c) ? MOVE_EXCLUSIVE : MOVE_NO_OBSTACLE;
}

static bool move_needs_fences(const struct connection *c)
{
	unsigned own = loop_index(loop_self());

	for (unsigned i = 0; i < c->service->n_loops; i++)
		if (i != own && loop_set_has(&c->told, i))
			return true;
	return c->n_fences != 0;
}

enum move_obstacle move_obstacle(const struct connection *c)
{
	enum move_obstacle obstacle = move_connection_obstacle(c);
	bool has_publishes = c->inflight_bytes != 0;

	for (unsigned i = 1; i < c->n_slots && obstacle == MOVE_NO_OBSTACLE; i++) {
		if (c->channels[i] == NULL)
			continue;
		obstacle = move_channel_obstacle(c->channels[i]);
		has_publishes |= move_channel_has_publishes(c->channels[i]);
	}
	if (obstacle != MOVE_NO_OBSTACLE)
		return obstacle;
	if (has_publishes)
		return MOVE_PUBLISHES;
	if (move_needs_fences(c))
		return MOVE_FENCES;
	return transport_queued(c->transport) != 0 ? MOVE_OUTPUT : MOVE_NO_OBSTACLE;
}

/* ---- Fences ---- */

struct move_fence {
	struct letter letter;
	struct actor_ref connection;
};

static void move_fence_back(struct letter *letter)
{
	struct move_fence *fence = container_of(letter, struct move_fence, letter);
	struct connection *c = slots_get(fence->connection);

	if (c != NULL) {
		c->n_fences--;
		move_note(c);
	}
	mem_free(fence);
}

static void move_fence_there(struct letter *letter)
{
	struct move_fence *fence = container_of(letter, struct move_fence, letter);

	letter->deliver = move_fence_back;
	loop_post(fence->connection.loop, letter);
}

/* What was told this loop itself was a call, and is done. */
static void move_post_fences(struct connection *c)
{
	for (unsigned i = 0; i < c->service->n_loops; i++) {
		struct move_fence *fence;

		if (i == c->ref.loop || !loop_set_has(&c->told, i))
			continue;
		fence = mem_zalloc(sizeof(*fence));
		fence->letter.deliver = move_fence_there;
		fence->connection = c->ref;
		loop_post(i, &fence->letter);
		c->n_fences++;
	}
	c->told = (struct loop_set){0};
}

void move_note_letters(struct connection *c)
{
	for (unsigned i = 0; i < c->service->n_loops; i++)
		loop_set_add(&c->told, i);
}

/* ---- Over there ---- */

/* Frames that were kept, because of the move or because output was too much. */
static void move_go_on(struct connection *c)
{
	pressure_resume(c, CONNECTION_PAUSE_MOVE);
	for (unsigned i = 1; i < c->n_slots; i++)
		if (c->channels[i] != NULL && !channel_waits(c->channels[i]))
			channel_resume(c->channels[i]);
}

static void move_settle_in(struct connection *c, const struct move *move)
{
	list_add_tail(&c->home->connections, &c->link);
	c->home->n_connections++;
	c->ref = slots_add(c);
	for (unsigned i = 1; i < c->n_slots; i++)
		if (c->channels[i] != NULL)
			c->channels[i]->endpoint.ref = slots_add(&c->channels[i]->endpoint);
	transport_arrive(c->transport);
	if (move->has_timer)
		loop_timer_start_ms(&c->timer, move->timer_left_ms);
	placement_begin(c);
	counter_add(COUNTER_CONNECTIONS_MOVED, 1);
}

static void move_arrive(struct letter *letter)
{
	struct move *move = container_of(letter, struct move, letter);
	struct connection *c = move->connection;

	c->home = conn_loop_self(c->service);
	c->move = NULL;
	move_settle_in(c, move);
	mem_free(move);
	if (c->home->is_stopping) {
		conn_service_dismiss(c);
		return;
	}
	closing_note_arrival(c);
	if (c->state != CONNECTION_RUNNING)
		return;
	if (c->has_published) /* alarms are set for each loop by itself */
		pressure_note_publish(c);
	move_go_on(c);
}

/* ---- Here ---- */

static void move_take_out(struct connection *c, struct move *move)
{
	uint64_t now_ms = loop_now_ms();

	move->has_timer = loop_timer_is_armed(&c->timer);
	move->timer_left_ms = move->has_timer && c->timer.deadline_ms > now_ms
				      ? c->timer.deadline_ms - now_ms
				      : 0;
	loop_timer_stop(&c->timer);
	loop_timer_stop(&move->limit);
	loop_cancel(&move->look);
	loop_cancel(&c->flush);
	for (unsigned i = 1; i < c->n_slots; i++)
		if (c->channels[i] != NULL)
			slots_remove(c->channels[i]->endpoint.ref);
	slots_remove(c->ref);
	list_remove(&c->link);
	c->home->n_connections--;
	c->n_exclusive = 0; /* those that were are gone */
	transport_leave(c->transport);
	c->home = NULL;
}

static void move_leave(struct connection *c)
{
	struct move *move = c->move;

	bug_on(!list_is_empty(&c->dirty) || !list_is_empty(&c->indebted) || c->login != NULL);
	move_take_out(c, move);
	move->letter.deliver = move_arrive;
	loop_post(move->target, &move->letter);
}

static void move_stay(struct connection *c)
{
	move_abandon(c);
	move_go_on(c);
}

/* What is to be sent goes at the end of the turn; what the socket does not take then is too much.
 */
static void move_wait_for_output(struct connection *c)
{
	struct move *move = c->move;

	if (move->has_waited_for_output) {
		move_stay(c);
		return;
	}
	move->has_waited_for_output = true;
	loop_defer_late(&move->look);
}

static void move_look(struct loop_task *task)
{
	struct move *move = container_of(task, struct move, look);
	struct connection *c = move->connection;
	enum move_obstacle obstacle = move_obstacle(c);

	if (obstacle == MOVE_OUTPUT)
		move_wait_for_output(c);
	else if (obstacle == MOVE_FENCES)
		move_post_fences(c);
	else if (obstacle == MOVE_NO_OBSTACLE && transport_can_leave(c->transport))
		move_leave(c);
	else if (obstacle != MOVE_PUBLISHES)
		move_stay(c);
}

static void move_limit(struct loop_timer *timer)
{
	struct connection *c = container_of(timer, struct move, limit)->connection;

	placement_failed(c);
	move_stay(c);
}

void move_look_again(struct move *move)
{
	move->has_waited_for_output = false;
	loop_defer_late(&move->look);
}

bool move_begin(struct connection *c, unsigned target)
{
	enum move_obstacle obstacle = move_obstacle(c);
	struct move *move;
	unsigned limit_ms = c->service->settings.move_limit_ms;

	bug_on(target == c->ref.loop || target >= c->service->n_loops);
	if (c->move != NULL || (obstacle != MOVE_NO_OBSTACLE && obstacle < MOVE_PUBLISHES))
		return false;
	move = mem_zalloc(sizeof(*move));
	move->connection = c;
	move->target = target;
	loop_task_init(&move->look, move_look);
	loop_timer_init(&move->limit, move_limit);
	loop_timer_start_ms(&move->limit, limit_ms != 0 ? limit_ms : MOVE_LIMIT_MS);
	c->move = move;
	pressure_pause(c, CONNECTION_PAUSE_MOVE);
	loop_defer_late(&move->look);
	return true;
}

void move_abandon(struct connection *c)
{
	struct move *move = c->move;

	if (move == NULL)
		return;
	c->move = NULL;
	loop_cancel(&move->look);
	loop_timer_stop(&move->limit);
	mem_free(move);
}
