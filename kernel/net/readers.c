/* SPDX-License-Identifier: MIT */
#include "net/readers.h"

#include "loop/budget.h"
#include "loop/lag.h"
#include "loop/pool.h"
#include "net/stream.h"

/* A read is not worth its system call for less. */
#define READ_MIN_BYTES ((size_t)4 * 1024)
/* Before it is known: of publishes of 100 bytes. */
#define FIRST_UNIT_BYTES 40u

/*
 * A full read tells how much work is in how many bytes, and so how many to ask for the next time:
 * the same work is 8 KiB of acknowledgements, 16 KiB of small messages, or 256 KiB of large ones.
 */
static void learn(struct stream *s, size_t bytes, size_t units)
{
	size_t unit_bytes = bytes / (units > 0 ? units : 1);

	s->unit_bytes = (s->unit_bytes + unit_bytes + 1) / 2;
}

static size_t bytes_for(const struct stream *s, size_t units)
{
	size_t bytes = units * (s->unit_bytes > 0 ? s->unit_bytes : FIRST_UNIT_BYTES);

	if (bytes < READ_MIN_BYTES)
		return READ_MIN_BYTES;
	return bytes < NET_CHUNK_SIZE ? bytes : NET_CHUNK_SIZE;
}

/* The stream may be over afterwards, but its memory is there till the turn ends. */
static void read_units(struct stream *s, size_t units)
{
	size_t room = bytes_for(s, units);
	size_t before = loop_spent(), fed = loop_lag_count_fed();
	size_t got = stream_read_chunk(s, room);

	loop_spend(loop_units_of(got));
	s->is_busy = got == room;
	s->is_feeding = loop_lag_count_fed() != fed;
	if (s->is_busy)
		learn(s, got, loop_spent() - before);
}

static bool must_hold(const struct stream *s)
{
	return s->is_feeding && loop_lag_holds();
}

/* It is in none of the lists. */
static void hold(struct net_readers *readers, struct stream *s)
{
	(void)event_del(&s->readable);
	s->is_held = true;
	list_add_tail(&readers->held, &s->in_readers);
	loop_lag_hold(&readers->release);
}

static struct stream *first_of(struct list *list)
{
	return container_of(list_first(list), struct stream, in_readers);
}

/* Those that the turn had no room for when they came. */
static void read_waiting(struct net_readers *readers)
{
	size_t end = loop_spent() + LOOP_LONG_UNITS;

	while (!list_is_empty(&readers->waiting) && loop_spent() < end) {
		struct stream *s = first_of(&readers->waiting);

		net_readers_remove(readers, s);
		read_units(s, loop_budget());
	}
}

/*
 * At least half as much as all others have had in this turn. Shares are not so small that there are
 * more system calls than messages: then some wait for the next turn.
 */
static void read_busy(struct net_readers *readers)
{
	size_t budget = loop_budget(), others = loop_spent() / 2, share;

	if (readers->n_busy == 0)
		return;
	if (others > budget)
		budget = others < LOOP_LONG_UNITS ? others : LOOP_LONG_UNITS;
	share = budget / readers->n_busy;
	if (share < LOOP_SHORT_UNITS)
		share = LOOP_SHORT_UNITS;
	budget -= budget / 4; /* a share is an estimate: what is left of the last one is none */
	for (size_t end = loop_spent() + budget; readers->n_busy > 0 && loop_spent() < end;) {
		struct stream *s = first_of(&readers->busy);

		net_readers_remove(readers, s);
		if (must_hold(s))
			hold(readers, s);
		else
			read_units(s, share);
	}
}

/*
 * When the loops have stopped their last tasks are still run, over and over until none is left. A
 * peer that sends on and on must not be the one that is never left.
 */
static void run(struct loop_task *task)
{
	struct net_readers *readers = container_of(task, struct net_readers, run);

	if (loop_pool_is_stopping())
		return;
	read_waiting(readers);
	read_busy(readers);
	if (!list_is_empty(&readers->waiting) || readers->n_busy > 0)
		loop_defer_next(&readers->run);
}

/* As if they had just become readable; most of them have. */
static void release(struct loop_task *task)
{
	struct net_readers *readers = container_of(task, struct net_readers, release);

	while (!list_is_empty(&readers->held)) {
		struct stream *s = first_of(&readers->held);

		net_readers_remove(readers, s);
		stream_add_event(s, &s->readable);
		list_add_tail(&readers->busy, &s->in_readers);
		readers->n_busy++;
		s->is_busy = true;
	}
	loop_defer(&readers->run);
}

void net_readers_init(struct net_readers *readers)
{
	list_init(&readers->waiting);
	list_init(&readers->busy);
	list_init(&readers->held);
	readers->n_busy = 0;
	loop_task_init(&readers->run, run);
	loop_task_init(&readers->release, release);
}

void net_readers_fini(struct net_readers *readers)
{
	bug_on(!list_is_empty(&readers->waiting) || !list_is_empty(&readers->busy) ||
	       !list_is_empty(&readers->held));
	loop_cancel(&readers->run);
	loop_cancel(&readers->release);
}

void net_readers_add(struct net_readers *readers, struct stream *s)
{
	if (list_is_linked(&s->in_readers))
		return;
	if (must_hold(s)) {
		hold(readers, s);
		return;
	}
	if (!s->is_busy && list_is_empty(&readers->waiting) && loop_spent() < LOOP_LONG_UNITS) {
		read_units(s, loop_budget());
		return;
	}
	list_add_tail(s->is_busy ? &readers->busy : &readers->waiting, &s->in_readers);
	readers->n_busy += s->is_busy;
	loop_defer(&readers->run);
}

void net_readers_remove(struct net_readers *readers, struct stream *s)
{
	if (!list_is_linked(&s->in_readers))
		return;
	list_remove(&s->in_readers);
	if (s->is_held)
		s->is_held = false;
	else
		readers->n_busy -= s->is_busy;
}
