/* SPDX-License-Identifier: MIT */
#include "conn/deliver/settling.h"

#include "base/bug.h"
#include "base/mem.h"
#include "broker/queue/queue.h"
#include "conn/channel.h"
#include "conn/method/tx.h"
#include "conn/deliver/settle.h"
#include "conn/deliver/source.h"

/*
 * A command works on its open channel as a short one would, entry by entry. When the channel ends,
 * the settling takes its deliveries with it and needs it no more.
 *
 * What returns to a queue does so from the highest tag to the lowest: then the queue's cursor goes
 * back over it, and nothing waits in a heap (broker/queue/backlog.h). All else goes upwards, as the log
 * likes it.
 */

/* As struct source, which goes with its channel. */
struct settling_source {
	struct actor_ref queue;
	uint32_t number;
	bool is_held;
};

struct settling {
	struct loop_task task;
	struct channel *channel; /* that waits; NULL: it has gone */
	struct unacked *unacked; /* the channel's, or `own` when that has ended */
	int outcome;		 /* enum queue_outcome */
	uint64_t at, last;	 /* the next tag; the last one, upwards */
	bool is_rest;		 /* all that is left, with what is in a transaction */
	bool has_ended;		 /* the channel */
	uint32_t method_id;
	enum settling_reply reply;
	struct amqp_error error;
	struct unacked own;
	struct actor_ref endpoint;
	struct settling_source *sources; /* by index */
	unsigned n_sources;
};

static bool goes_down(const struct settling *s)
{
	return s->outcome == QUEUE_REQUEUE;
}

/* ---- Begin and end ---- */

static void release_sources(struct settling_source *sources, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (sources[i].is_held)
			queue_release(sources[i].queue);
	mem_free(sources);
}

/* Those of the channel as it is now; those of before are released only then. */
static void take_sources(struct settling *s, const struct channel *ch)
{
	struct settling_source *before = s->sources;
	unsigned n_before = s->n_sources;
	bool must_hold = goes_down(s) || s->has_ended;

	s->n_sources = ch->n_sources;
	s->sources = mem_zalloc(ch->n_sources * sizeof(*s->sources));
	for (unsigned i = 0; i < ch->n_sources; i++) {
		const struct source *source = ch->sources[i];

		if (source == NULL || source->n_unacked == 0)
			continue;
		s->sources[i] = (struct settling_source){source->queue, source->number, must_hold};
		if (must_hold)
			queue_hold(source->queue);
	}
	release_sources(before, n_before);
}

static void run(struct loop_task *task);

static struct settling *create(struct channel *ch)
{
	struct settling *s = mem_zalloc(sizeof(*s));

	loop_task_init(&s->task, run);
	s->channel = ch;
	s->unacked = &ch->unacked;
	s->endpoint = ch->endpoint.ref;
	ch->settling = s;
	loop_defer_background(&s->task);
	return s;
}

/* Requeues all that there is. */
static void begin_rest(struct settling *s)
{
	s->is_rest = true;
	s->outcome = QUEUE_REQUEUE;
	s->at = s->last = s->unacked->end;
}

bool settling_begin(struct channel *ch, uint64_t last, int outcome, uint32_t method_id,
		    enum settling_reply reply)
{
	uint64_t first = 0;
	struct settling *s;

	if (ch->unacked.held <= SETTLING_AT_ONCE || unacked_next(&ch->unacked, &first) == NULL ||
	    last < first || last - first < SETTLING_AT_ONCE)
		return false;
	bug_on(ch->settling != NULL);
	settle_flush(ch->connection->home);
	s = create(ch);
	s->outcome = outcome;
	s->method_id = method_id;
	s->reply = reply;
	s->last = last;
	s->at = goes_down(s) ? last : first;
	take_sources(s, ch);
	return true;
}

bool settling_begin_end(struct channel *ch)
{
	struct settling *s = ch->settling;
	bool is_new = s == NULL;

	if (is_new && ch->unacked.held <= SETTLING_AT_ONCE)
		return false;
	if (is_new)
		s = create(ch);
	s->has_ended = true;
	s->reply = SETTLING_NO_REPLY;
	take_sources(s, ch);
	s->own = ch->unacked;
	s->unacked = &s->own;
	unacked_init(&ch->unacked, ch->next_tag);
	if (is_new || tx_is_on(ch)) /* which is not committed */
		begin_rest(s);
	return true;
}

void settling_set_reply(struct channel *ch, enum settling_reply reply,
			const struct amqp_error *error)
{
	ch->settling->reply = reply;
	if (error != NULL)
		ch->settling->error = *error;
}

bool settling_end_channels(struct connection *c)
{
	bool must_wait = false;

	for (unsigned i = 1; i < c->n_slots; i++) {
		struct channel *ch = c->channels[i];

		if (ch == NULL)
			continue;
		if (ch->unacked.held > SETTLING_AT_ONCE)
			channel_end(ch);
		must_wait |= ch->settling != NULL;
	}
	return must_wait;
}

void settling_leave(struct channel *ch)
{
	if (ch->settling == NULL)
		return;
	bug_on(!ch->settling->has_ended);
	ch->settling->channel = NULL;
	ch->settling = NULL;
}

/* ---- Steps ---- */

/* NULL: none is left of them. */
static struct unacked_entry *next_entry(struct settling *s)
{
	struct unacked_entry *entry;

	do {
		entry = goes_down(s) ? unacked_prev(s->unacked, &s->at)
				     : unacked_next(s->unacked, &s->at);
		if (entry == NULL || (!goes_down(s) && s->at > s->last))
			return NULL;
		s->at += goes_down(s) ? -UINT64_C(1) : 1;
	} while (entry->state != UNACKED_HELD && !s->is_rest);
	return entry;
}

/* A transaction does not defer it, as settle_held() has it. */
static bool is_recover(const struct settling *s)
{
	return s->method_id == AMQP_BASIC_RECOVER || s->method_id == AMQP_BASIC_RECOVER_ASYNC;
}

/* One entry on the channel; -1: an error. */
static int settle_one_here(struct settling *s, struct unacked_entry *entry)
{
	uint64_t tag = goes_down(s) ? s->at + 1 : s->at - 1;

	if (is_recover(s)) {
		settle_entry(s->channel, entry, s->outcome);
		return 0;
	}
	s->error.method_id = s->method_id;
	return settle_one(s->channel, tag, entry, s->outcome, &s->error);
}

/* False: all is done, or it failed. */
static bool step_on_channel(struct settling *s)
{
	struct unacked_entry *entry = NULL;
	int result = 0;

	for (unsigned n = 0; n < SETTLING_STEP && result == 0; n++) {
		entry = next_entry(s);
		if (entry == NULL)
			break;
		result = settle_one_here(s, entry);
	}
	settle_flush(s->channel->connection->home);
	return entry != NULL && result == 0;
}

/* Up to max neighbours of one source; how many there were: none means that all are settled. */
static size_t settle_run(struct settling *s, size_t max)
{
	struct unacked_entry *entry;
	uint64_t seqs[SETTLE_BATCH_MAX];
	uint32_t source = 0;
	size_t n = 0;

	while (n < SETTLE_BATCH_MAX && n < max && (entry = next_entry(s)) != NULL) {
		if (n > 0 && entry->source != source) {
			s->at += goes_down(s) ? 1 : -UINT64_C(1); /* it is the next one's first */
			break;
		}
		source = entry->source;
		seqs[n++] = entry->seq;
		unacked_remove(s->unacked, entry);
	}
	if (n != 0)
		queue_settle(s->sources[source].queue, s->endpoint, s->sources[source].number,
			     (enum queue_outcome)s->outcome, seqs, n);
	return n;
}

static bool step_alone(struct settling *s)
{
	size_t n_done = 0, n;

	while (n_done < SETTLING_STEP) {
		n = settle_run(s, SETTLING_STEP - n_done);
		n_done += n;
		if (n != 0)
			continue;
		if (s->is_rest)
			return false;
		begin_rest(s);
	}
	return true;
}

static void finish(struct settling *s)
{
	struct channel *ch = s->channel;
	enum settling_reply reply = s->reply;
	struct amqp_error error = s->error;

	release_sources(s->sources, s->n_sources);
	unacked_fini(&s->own);
	mem_free(s);
	if (ch == NULL)
		return;
	ch->settling = NULL;
	channel_settled(ch, reply, &error);
}

static void run(struct loop_task *task)
{
	struct settling *s = container_of(task, struct settling, task);

	if (s->has_ended ? step_alone(s) : step_on_channel(s))
		loop_defer_background(task);
	else
		finish(s);
}
