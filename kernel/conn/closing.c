/* SPDX-License-Identifier: MIT */
/*
 * The happy path goes round all loops four times, by letters there and back:
 *
 *  1. every loop notes the closing, and looks from now on at each connection that arrives;
 *  2. every loop goes through its connections, a few at a time, and closes those that are meant;
 *  3. a fence: what a loop posted before it went through its connections has been pushed, at the
 *     latest when its next turn begins; so connections that left before are in the mailboxes now;
 *  4. every loop forgets the closing, behind the last of these, as soon as no exclusive queues of
 *     connections that have ended are left there.
 *
 * Connections are in no order, and come and go while a loop goes through them. It takes the first
 * of its list each time and puts it at the end; as others are added at the end, too, those that
 * were there are through when so many have been looked at as there were. All closings that are
 * under way on a loop look at each, so they do not disturb one another.
 */
#include "conn/closing.h"

#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "conn/connection.h"
#include "conn/service.h"
#include "loop/loop.h"
#include "loop/pool.h"

#define CLOSING_STEP	 16u /* connections looked at in a background step: ending one takes time */
#define CLOSING_LIMIT_MS 30000u /* for the peer's close-ok */

enum closing_phase { CLOSING_NOTE, CLOSING_SWEEP, CLOSING_FENCE, CLOSING_FORGET, CLOSING_DONE };

/* What a loop does for a closing. Between the letter there and the letter back it is that loop's.
 */
struct closing_part {
	struct letter letter;
	struct list link; /* conn_loop.closings, from CLOSING_NOTE to CLOSING_FORGET */
	struct conn_closing *closing;
	unsigned loop;
	uint64_t n_to_visit; /* of CLOSING_SWEEP; 0: through, or not begun */
	uint64_t n_closed;
	bool is_through;	/* CLOSING_FORGET: it waits for exclusive queues only */
	struct loop_timer rest; /* armed: it waits before the next one */
};

static void closing_there(struct letter *letter);
static void closing_back(struct letter *letter);
static void closing_rested(struct loop_timer *timer);

/* ---- On each loop ---- */

static bool closing_fits(struct slice asked, const char *is)
{
	return asked.data == NULL || slice_equal(asked, slice_cstr(is));
}

static bool closing_means(const struct conn_closing *closing, const struct connection *c)
{
	char name[CONNECTION_NAME_MAX];

	if (c->state >= CONNECTION_CLOSING || c->user == NULL ||
	    (closing->number != 0 && closing->number != c->number) ||
	    !closing_fits(closing->user, c->user->name) ||
	    !closing_fits(closing->vhost, c->vhost != NULL ? c->vhost->name : "") ||
	    (closing->vhost.data != NULL && c->vhost == NULL))
		return false;
	if (closing->name.data == NULL)
		return true;
	connection_print_name(c, name);
	return closing_fits(closing->name, name);
}

/* One of the limit, which all loops share. */
static bool closing_take(struct conn_closing *closing)
{
	uint64_t left = atomic_load_explicit(&closing->n_left, memory_order_relaxed);

	while (left != 0)
		if (atomic_compare_exchange_weak_explicit(&closing->n_left, &left, left - 1,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	return false;
}

static bool closing_look(struct closing_part *part, struct connection *c)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char name[CONNECTION_NAME_MAX];

	if (!closing_means(part->closing, c) || !closing_take(part->closing))
		return false;
	part->n_closed++;
	if (log_limit_take(&limit, LOG_LEVEL_INFO)) {
		connection_print_name(c, name);
		log_taken(&limit, LOG_LEVEL_INFO, "conn",
			  "closing connection: name=\"%s\" user=\"%s\" reason=\"%s\"", name,
			  c->user->name, part->closing->reason);
	}
	connection_force(c, part->closing->reason, CLOSING_LIMIT_MS);
	return true;
}

static void closing_reply(struct closing_part *part)
{
	part->letter.deliver = closing_back;
	loop_post(0, &part->letter);
}

static void closing_visited(struct closing_part *part, struct connection *c)
{
	const struct conn_loop *home = c->home;

	if (loop_timer_is_armed(&part->rest)) { /* another closing goes on: it begins anew */
		part->n_to_visit = home->n_connections;
		return;
	}
	part->n_to_visit--;
	if (!closing_look(part, c) || part->n_to_visit == 0)
		return;
	if (part->closing->delay_ms != 0 && !home->is_stopping)
		loop_timer_start_ms(&part->rest, part->closing->delay_ms);
}

static bool closing_is_at_work(const struct conn_loop *home)
{
	struct list *pos;

	list_for_each(pos, &home->closings) {
		const struct closing_part *part = container_of(pos, struct closing_part, link);

		if (part->n_to_visit != 0 && !loop_timer_is_armed(&part->rest))
			return true;
	}
	return false;
}

/* The first of the list, or none is left. */
static void closing_visit(struct conn_loop *home)
{
	struct list *link = list_pop(&home->connections), *pos, *next;

	if (link != NULL)
		list_add_tail(&home->connections, link);
	list_for_each_safe(pos, next, &home->closings) {
		struct closing_part *part = container_of(pos, struct closing_part, link);

		if (part->n_to_visit == 0)
			continue;
		if (link != NULL) {
			closing_visited(part, container_of(link, struct connection, link));
		} else {
			loop_timer_stop(&part->rest);
			part->n_to_visit = 0;
		}
		if (part->n_to_visit == 0)
			closing_reply(part);
	}
}

static void closing_sweep(struct loop_task *task)
{
	struct conn_loop *home = container_of(task, struct conn_loop, closing_sweep);

	for (unsigned i = 0; i < CLOSING_STEP && closing_is_at_work(home); i++)
		closing_visit(home);
	if (closing_is_at_work(home))
		loop_defer_background(task);
}

static void closing_rested(struct loop_timer *timer)
{
	struct closing_part *part = container_of(timer, struct closing_part, rest);

	loop_defer_background(&conn_loop_self(part->closing->service)->closing_sweep);
}

static void closing_there(struct letter *letter)
{
	struct closing_part *part = container_of(letter, struct closing_part, letter);
	struct conn_loop *home = conn_loop_self(part->closing->service);

	switch ((enum closing_phase)part->closing->phase) {
	case CLOSING_NOTE:
		list_add_tail(&home->closings, &part->link);
		break;
	case CLOSING_SWEEP:
		part->n_to_visit = home->n_connections;
		if (part->n_to_visit == 0)
			break;
		loop_defer_background(&home->closing_sweep);
		return;
	case CLOSING_FENCE:
		break;
	case CLOSING_FORGET:
		part->is_through = true;
		if (home->n_exclusive_ends == 0)
			closing_note_exclusive(home);
		return;
	case CLOSING_DONE:
		bug_on(true);
	}
	closing_reply(part);
}

void closing_note_exclusive(struct conn_loop *home)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &home->closings) {
		struct closing_part *part = container_of(pos, struct closing_part, link);

		if (!part->is_through)
			continue;
		list_remove(&part->link);
		closing_reply(part);
	}
}

void closing_note_arrival(struct connection *c)
{
	struct list *pos;

	list_for_each(pos, &c->home->closings)
		(void)closing_look(container_of(pos, struct closing_part, link), c);
}

void closing_hurry(struct conn_loop *home)
{
	struct list *pos;

	list_for_each(pos, &home->closings)
		loop_timer_stop(&container_of(pos, struct closing_part, link)->rest);
	if (closing_is_at_work(home))
		loop_defer_background(&home->closing_sweep);
}

void closing_init(struct conn_loop *home)
{
	list_init(&home->closings);
	loop_task_init(&home->closing_sweep, closing_sweep);
}

/* ---- At home ---- */

static void closing_post(struct conn_closing *closing, unsigned loop)
{
	struct closing_part *part = &closing->parts[loop];

	part->letter.deliver = closing_there;
	loop_post(loop, &part->letter);
}

/* With a delay one loop after the other goes through its connections. */
static void closing_begin_phase(struct conn_closing *closing)
{
	unsigned n = closing->service->n_loops;

	closing->n_awaited = n;
	if (closing->phase == CLOSING_SWEEP && closing->delay_ms != 0) {
		closing_post(closing, 0);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		closing_post(closing, i);
}

static void closing_end(struct conn_closing *closing)
{
	for (unsigned i = 0; i < closing->service->n_loops; i++)
		closing->n_closed += closing->parts[i].n_closed;
	mem_free(closing->parts);
	closing->parts = NULL;
	closing->done(closing);
}

static void closing_back(struct letter *letter)
{
	struct closing_part *part = container_of(letter, struct closing_part, letter);
	struct conn_closing *closing = part->closing;

	if (--closing->n_awaited != 0) {
		if (closing->phase == CLOSING_SWEEP && closing->delay_ms != 0)
			closing_post(closing, part->loop + 1);
		return;
	}
	if (++closing->phase != CLOSING_DONE)
		closing_begin_phase(closing);
	else
		closing_end(closing);
}

void conn_close_matching(struct conn_closing *closing)
{
	unsigned n = closing->service->n_loops;

	bug_on(loop_index(loop_self()) != 0);
	closing->parts = mem_zalloc(n * sizeof(*closing->parts));
	for (unsigned i = 0; i < n; i++) {
		closing->parts[i].closing = closing;
		closing->parts[i].loop = i;
		loop_timer_init(&closing->parts[i].rest, closing_rested);
	}
	closing->phase = CLOSING_NOTE;
	closing->n_closed = 0;
	atomic_init(&closing->n_left, closing->limit != 0 ? closing->limit : UINT64_MAX);
	closing_begin_phase(closing);
}

/* ---- Of a user, of a vhost ---- */

struct closing_of {
	struct conn_closing closing;
	void (*gone)(void *context); /* NULL: nobody waits */
	char *name, *reason;
};

static void closing_of_done(struct conn_closing *closing)
{
	struct closing_of *of = container_of(closing, struct closing_of, closing);

	if (of->gone != NULL)
		of->gone(closing->context);
	mem_free(of->name);
	mem_free(of->reason);
	mem_free(of);
}

static struct closing_of *closing_of_create(struct conn_service *service, const char *kind,
					    struct slice name)
{
	struct closing_of *of = mem_zalloc(sizeof(*of));

	of->name = slice_strdup(name);
	of->reason = mem_printf("%s '%s' is deleted", kind, of->name);
	of->closing.service = service;
	of->closing.reason = of->reason;
	of->closing.done = closing_of_done;
	return of;
}

void conn_close_user(struct conn_service *service, struct slice user)
{
	struct closing_of *of = closing_of_create(service, "user", user);

	of->closing.user = slice_cstr(of->name);
	conn_close_matching(&of->closing);
}

void conn_close_vhost(struct conn_service *service, struct slice vhost, void (*gone)(void *context),
		      void *context)
{
	struct closing_of *of = closing_of_create(service, "vhost", vhost);

	of->gone = gone;
	of->closing.context = context;
	of->closing.vhost = slice_cstr(of->name);
	conn_close_matching(&of->closing);
}
