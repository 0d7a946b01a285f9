/* SPDX-License-Identifier: MIT */
/*
 * Consumers. A connection whose first consumer is of a queue elsewhere goes there before it is
 * subscribed, unless that loop has much less time than its own, or far more connections than
 * others: many consumers of one queue do not all go to one loop. Later it is bound to where it is,
 * since deliveries are under way.
 *
 * Publishers. Each batch is a vote for the loop of one of its targets. Boyer and Moore's majority
 * vote takes a candidate and a count: where the candidate leads by 60 % of the votes it has 80 % of
 * them. Once in a while, who publishes mostly to one other loop goes there, if that has time for
 * what it brings: its share of its loop's work, by messages. Where both loops are busy it goes,
 * too, as less goes from loop to loop then; but not if it is most of its loop's work: that would be
 * idle afterwards, and two loops do more than one.
 *
 * Spreading. From a loop that has no time left to one that has much goes a connection with more
 * than the average share, and does not come back for a while. So one that publishes flat out to a
 * queue of its own loop leaves it. Without it that loop may well have time for it, and fill up
 * again when it has come: so the while gets longer each time, until it has stayed for some time.
 *
 * How busy the loops are is looked at by each for itself, when it has to decide, over the last 100
 * ms or more. After a pause nothing is known, and nobody moves until there is a new look.
 */
#include "conn/placement/placement.h"

#include "base/mem.h"
#include "conn/placement/move.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "loop/meter.h"

#define SAMPLE_MS      100u /* between two looks, at least */
#define SAMPLE_LATE_MS 500u /* what lies further apart says nothing */
#define VOTES_MIN      32u
#define STAY_MS	       1000u  /* after a move, or an attempt */
#define STAY_SPREAD_MS 10000u /* after having been sent away; doubled each time */
#define STAY_DOUBLINGS 6u
#define STAY_FAILED_MS 30000u /* when it did not become quiet: each attempt makes it wait */
#define RESTLESS_EVERY 5u     /* batches, for tests */

/* Permille of a loop's time. */
#define LOAD_ROOM      600u /* up to here a loop takes what comes near */
#define LOAD_FULL      850u
#define LOAD_HALF      500u
#define SHARE_MOST     550u
#define LOAD_TOLERANCE 50u

void placement_init(struct loop_load *load, unsigned n_loops)
{
	load->busy_ns = mem_zalloc(n_loops * sizeof(*load->busy_ns));
	load->permille = mem_zalloc(n_loops * sizeof(*load->permille));
}

void placement_fini(struct loop_load *load)
{
	mem_free(load->busy_ns);
	mem_free(load->permille);
}

/* Messages that this loop's connections have published and been given. */
static uint64_t placement_handled(void)
{
	return counter_own(COUNTER_MESSAGES_PUBLISHED) + counter_own(COUNTER_MESSAGES_DELIVERED);
}

void placement_forget_votes(struct connection *c)
{
	c->vote = (struct placement_vote){
		.began_ms = loop_now_ms(),
		.began_handled = placement_handled(),
	};
}

static void placement_stay(struct connection *c, unsigned ms)
{
	uint64_t until_ms = loop_now_ms() + ms;

	if (c->stays_until_ms < until_ms)
		c->stays_until_ms = until_ms;
}

void placement_begin(struct connection *c)
{
	placement_stay(c, STAY_MS);
	placement_forget_votes(c);
}

void placement_failed(struct connection *c)
{
	placement_stay(c, STAY_FAILED_MS);
}

/* ---- How busy the loops are ---- */

static uint32_t placement_permille(uint64_t busy_ns, uint64_t ms)
{
	uint64_t permille = busy_ns / (ms * 1000u);

	return permille < 1000 ? (uint32_t)permille : 1000;
}

/* Whether it is known. */
static bool placement_look(struct conn_loop *home)
{
	struct loop_load *load = &home->load;
	uint64_t now_ms = loop_now_ms(), passed_ms;

	if (now_ms < load->sampled_ms + SAMPLE_MS)
		return load->is_known;
	passed_ms = now_ms - load->sampled_ms;
	for (unsigned i = 0; i < home->service->n_loops; i++) {
		uint64_t busy_ns = loop_busy_ns(i);

		load->permille[i] = placement_permille(busy_ns - load->busy_ns[i], passed_ms);
		load->busy_ns[i] = busy_ns;
	}
	load->is_known = passed_ms < SAMPLE_LATE_MS;
	load->sampled_ms = now_ms;
	load->has_sent = false;
	return load->is_known;
}

/* What the connection is of its loop's work, by messages. */
static uint32_t placement_share(const struct connection *c)
{
	uint64_t all = placement_handled() - c->vote.began_handled;
	uint64_t here = c->home->load.permille[c->ref.loop];

	return all > c->vote.messages ? (uint32_t)(here * c->vote.messages / all) : (uint32_t)here;
}

/* ---- Publishers ---- */

static bool placement_go(struct connection *c, unsigned target, unsigned stay_ms)
{
	c->stays_until_ms = loop_now_ms() + stay_ms;
	return move_begin(c, target);
}

/* For tests: it goes round the loops, as often as it is quiet. */
static void placement_be_restless(struct connection *c)
{
	unsigned n = c->service->n_loops;

	if (n > 1 && ++c->home->load.n_restless % RESTLESS_EVERY == 0)
		(void)move_begin(c, (c->home->load.n_restless % (n - 1) + 1 + c->ref.loop) % n);
}

static bool placement_may_come(const struct connection *c, unsigned target, uint32_t share)
{
	const struct loop_load *load = &c->home->load;
	uint32_t there = load->permille[target], here = load->permille[c->ref.loop];

	if (there + share <= LOAD_ROOM)
		return true;
	return share <= SHARE_MOST && there <= here + LOAD_TOLERANCE && !load->has_sent;
}

static unsigned placement_idlest(const struct conn_loop *home)
{
	unsigned idlest = 0;

	for (unsigned i = 1; i < home->service->n_loops; i++)
		if (home->load.permille[i] < home->load.permille[idlest])
			idlest = i;
	return idlest;
}

/* Over there is more time than it takes, by far; and it is worth it. */
static bool placement_may_spread(const struct connection *c, unsigned target, uint32_t share)
{
	const struct conn_loop *home = c->home;
	uint32_t there = home->load.permille[target], here = home->load.permille[c->ref.loop];

	return here >= LOAD_FULL && there <= LOAD_HALF && !home->load.has_sent &&
	       share * home->n_connections >= here && share <= (here - there) * 3 / 4;
}

static void placement_send(struct connection *c, unsigned target, uint32_t share, unsigned stay_ms)
{
	struct loop_load *load = &c->home->load;
	unsigned own = c->ref.loop;

	if (!placement_go(c, target, stay_ms))
		return;
	/* Until the next look it counts as if it were there. */
	load->has_sent = true;
	load->permille[target] += share;
	load->permille[own] -= share;
}

/* Returns for how long it is to stay away. */
static unsigned placement_send_away(struct connection *c)
{
	unsigned n = c->n_sent_away;

	/* The loop had room for it for long: this is something new. */
	if (loop_now_ms() - c->stays_until_ms > STAY_SPREAD_MS)
		n = 0;
	c->n_sent_away = n < STAY_DOUBLINGS ? n + 1 : n;
	return STAY_SPREAD_MS << n;
}

/* There are votes enough. */
static void placement_decide(struct connection *c)
{
	const struct placement_vote *vote = &c->vote;
	bool is_clear = vote->lead * UINT64_C(10) >= vote->total * UINT64_C(6);
	unsigned own = c->ref.loop, idlest = placement_idlest(c->home);
	uint32_t share = placement_share(c);

	if (is_clear && vote->loop != own && placement_may_come(c, vote->loop, share))
		placement_send(c, vote->loop, share, STAY_MS);
	else if (idlest != own && placement_may_spread(c, idlest, share))
		placement_send(c, idlest, share, placement_send_away(c));
}

static void placement_cast(struct placement_vote *vote, unsigned loop)
{
	vote->total++;
	if (vote->loop == loop)
		vote->lead++;
	else if (vote->lead != 0)
		vote->lead--;
	else
		*vote = (struct placement_vote){
			loop, 1, vote->total, vote->messages, vote->began_ms, vote->began_handled};
}

/* Whether enough is known of the connection, and of the loops. */
static bool placement_is_ripe(const struct connection *c)
{
	uint64_t now_ms = loop_now_ms();

	return c->vote.total >= VOTES_MIN && now_ms - c->vote.began_ms >= SAMPLE_MS &&
	       now_ms >= c->stays_until_ms && c->move == NULL;
}

void placement_published(struct connection *c, unsigned loop, size_t count)
{
	enum placement placement = c->service->settings.placement;

	if (placement == PLACEMENT_FIXED || c->service->n_loops == 1)
		return;
	if (placement == PLACEMENT_RESTLESS) {
		placement_be_restless(c);
		return;
	}
	c->vote.messages += (uint32_t)count;
	if (loop != ROUTER_NO_LOOP)
		placement_cast(&c->vote, loop);
	if (!placement_is_ripe(c) || !placement_look(c->home))
		return;
	placement_decide(c);
	placement_forget_votes(c);
}

/* ---- Consumers ---- */

static uint64_t placement_connections(const struct conn_service *service, unsigned loop)
{
	return atomic_load_explicit(&service->loops[loop].n_connections, memory_order_relaxed);
}

/* More than its share by a quarter and some. */
static bool placement_is_crowded(const struct conn_service *service, unsigned loop)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < service->n_loops; i++)
		all += placement_connections(service, i);

	uint64_t mean = all / service->n_loops;

	return placement_connections(service, loop) > mean + mean / 4 + 4;
}

static bool placement_is_welcome(const struct connection *c, unsigned loop)
{
	const struct loop_load *load = &c->home->load;

	if (placement_is_crowded(c->service, loop))
		return false;
	return !placement_look(c->home) || load->permille[loop] <= LOAD_FULL ||
	       load->permille[c->ref.loop] >= LOAD_HALF;
}

/* Only for a frame that has just come: what was kept has been waited for long enough. */
static bool placement_may_wait(const struct channel *ch)
{
	const struct connection *c = ch->connection;

	return c->service->settings.placement != PLACEMENT_FIXED && !ch->is_running &&
	       !c->is_replaying && c->move == NULL;
}

bool placement_consume(struct channel *ch, struct actor_ref queue)
{
	struct connection *c = ch->connection;

	if (queue.loop == c->ref.loop || !placement_may_wait(ch))
		return false;
	if (c->service->settings.placement == PLACEMENT_RESTLESS)
		return move_begin(c, queue.loop);
	return loop_now_ms() >= c->stays_until_ms && placement_is_welcome(c, queue.loop) &&
	       placement_go(c, queue.loop, STAY_MS);
}

/* By the votes of many: a get is often from here, and then from there. */
bool placement_get(struct channel *ch, struct actor_ref queue)
{
	struct connection *c = ch->connection;

	if (!placement_may_wait(ch))
		return false;
	if (c->service->settings.placement == PLACEMENT_RESTLESS)
		return queue.loop != c->ref.loop && move_begin(c, queue.loop);
	placement_cast(&c->vote, queue.loop);
	if (!placement_is_ripe(c))
		return false;

	struct placement_vote vote = c->vote;

	placement_forget_votes(c);
	return vote.loop == queue.loop && queue.loop != c->ref.loop &&
	       vote.lead * UINT64_C(10) >= vote.total * UINT64_C(6) &&
	       placement_is_welcome(c, queue.loop) && placement_go(c, queue.loop, STAY_MS);
}

/* ---- Accepting ---- */

unsigned placement_accept(struct conn_service *service, unsigned loop)
{
	unsigned n = service->n_loops;

	if (service->settings.placement == PLACEMENT_FIXED)
		return loop;
	for (unsigned i = 0; i < n; i++)
		if (!placement_is_crowded(service, (loop + i) % n))
			return (loop + i) % n;
	return loop;
}
