/* SPDX-License-Identifier: MIT */
#include "net/arrival.h"

/*
 * The happy path: arrivals_add() waits for the socket; the header is read, no byte more than it
 * has; the first byte of the handshake makes the arrival queue for a worker; that does a step, and
 * sends it back to wait for the socket, in one direction or the other; when the handshake is done,
 * it has arrived.
 *
 * Failures. What the worker has cannot be ended: it is marked, and goes when it comes back. After a
 * failed handshake the peer has an alert to read, which a reset would take away from it if there
 * were bytes of its own that nobody has read; so the arrival lingers a moment, till the peer
 * closes, and discards what it sends.
 */

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/account.h"
#include "base/mem.h"
#include "net/arrival_state.h"
#include "net/tls_session.h"

#define LINGER_MS 1000u

/*
 * Of those that may be under way, one in so many may be in the midst of a handshake and wait for
 * its peer: OpenSSL holds some 46 KiB then, beside the 700 bytes of one that has said nothing.
 */
#define SHAKE_SHARE 4u

static void advance(struct arrival *a);

void arrived_discard(const struct arrived *arrived)
{
	tls_session_destroy(arrived->tls);
	(void)close(arrived->fd);
}

/* ---- Beginning and end ---- */

static void unlink_it(struct arrival *a)
{
	if (!list_is_linked(&a->link))
		return;
	list_remove(&a->link);
	if (a->state == ARRIVAL_SHAKE)
		a->home->n_shaking--;
}

/* All but what has been made. */
static void forget(struct arrival *a)
{
	if (a->state != ARRIVAL_QUEUED && a->state != ARRIVAL_WORKED)
		(void)event_del(&a->event);
	loop_timer_stop(&a->limit);
	unlink_it(a);
	a->home->n--;
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)sizeof(*a));
	SSL_CTX_free(a->ctx);
	mem_free(a->header);
	mem_free(a);
}

void arrival_end(struct arrival *a)
{
	const struct arrivals_config *config = &a->arrivals->config;

	arrived_discard(&a->made);
	forget(a);
	config->handler->gone(config->context);
}

void arrival_finish(struct arrival *a)
{
	const struct arrivals_config *config = &a->arrivals->config;
	struct arrived made = a->made;

	forget(a);
	config->handler->arrived(config->context, &made);
}

static struct net_address ask_address(int fd, int (*ask)(int, struct sockaddr *, socklen_t *))
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address = {.storage = {.ss_family = AF_UNSPEC}};
	socklen_t size = sizeof(address);

	(void)ask(fd, &address.any, &size);
	return net_address_of(&address.any, size);
}

struct net_address arrival_socket_peer(int fd)
{
	return ask_address(fd, getpeername);
}

struct net_address arrival_socket_local(int fd)
{
	return ask_address(fd, getsockname);
}

static void say(const struct arrival *a, const char *what, const char *reason)
{
	const struct arrivals_config *config = &a->arrivals->config;
	struct net_address peer =
		a->made.has_addresses ? a->made.peer : arrival_socket_peer(a->made.fd);

	config->handler->failed(config->context, &peer, what, reason);
}

static const char *phase(const struct arrival *a)
{
	return a->state == ARRIVAL_HEADER || a->state == ARRIVAL_SKIP ? "no PROXY header"
								      : "TLS handshake failed";
}

void arrival_fail(struct arrival *a, const char *reason)
{
	say(a, phase(a), reason);
	arrival_end(a);
}

static void limit_reached(struct loop_timer *timer)
{
	struct arrival *a = container_of(timer, struct arrival, limit);

	if (a->state == ARRIVAL_LINGER) {
		arrival_end(a);
	} else if (a->state == ARRIVAL_WORKED) {
		say(a, phase(a), "timed out");
		a->is_doomed = true;
	} else {
		arrival_fail(a, "timed out");
	}
}

/* ---- Waiting for the socket ---- */

static void on_event(int fd, short what, void *argument)
{
	(void)fd, (void)what;
	(void)loop_now_ms();
	advance(argument);
}

void arrival_wait_for(struct arrival *a, enum arrival_state state, short what)
{
	struct arrivals_loop *home = a->home;

	a->state = state;
	if (!list_is_linked(&a->link))
		list_add_tail(state == ARRIVAL_SHAKE ? &home->shaking : &home->waiting, &a->link);
	bug_on(event_assign(&a->event, loop_base(loop_self()), a->made.fd, what, on_event, a) < 0);
	if (event_add(&a->event, NULL) < 0)
		arrival_fail(a, strerror(ENOMEM));
}

int arrival_has_come(struct arrival *a, ssize_t n)
{
	if (n > 0)
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	arrival_end(a);
	return -1;
}

/* ---- The handshake ---- */

static void run_step(struct work *work)
{
	struct arrival *a = container_of(work, struct arrival, work);

	if (!a->made.tls)
		a->made.tls = tls_session_create(a->ctx, a->made.fd);
	if (a->made.tls)
		a->result = tls_session_accept(a->made.tls, a->reason);
	else
		a->result = -ENOMEM;
}

static void step_done(struct work *work);

static void submit_steps(struct arrivals *arrivals, struct arrivals_loop *home)
{
	while (home->n_worked < ARRIVALS_STEPS_MAX && !list_is_empty(&home->queued)) {
		struct arrival *a = container_of(list_first(&home->queued), struct arrival, link);

		list_remove(&a->link);
		a->state = ARRIVAL_WORKED;
		a->work.run = run_step;
		a->work.done = step_done;
		a->result = -ECANCELED;
		home->n_worked++;
		workers_submit(arrivals->config.workers, &a->work);
	}
}

static void queue_step(struct arrival *a)
{
	unlink_it(a);
	a->state = ARRIVAL_QUEUED;
	list_add_tail(&a->home->queued, &a->link);
	submit_steps(a->arrivals, a->home);
}

/* The session goes, the socket stays for a while; it is the first to go if there are too many. */
static void linger(struct arrival *a)
{
	tls_session_destroy(a->made.tls);
	a->made.tls = NULL;
	if (shutdown(a->made.fd, SHUT_WR) < 0) {
		arrival_end(a);
		return;
	}
	loop_timer_start_ms(&a->limit, LINGER_MS);
	list_add_head(&a->home->waiting, &a->link);
	arrival_wait_for(a, ARRIVAL_LINGER, EV_READ);
}

/* The one that has been silent for the longest time makes room. */
static void make_way(struct list *list)
{
	struct arrival *oldest = container_of(list_first(list), struct arrival, link);

	if (oldest->state != ARRIVAL_LINGER)
		say(oldest, phase(oldest), "too many at the same time");
	arrival_end(oldest);
}

static void wait_for_peer(struct arrival *a, short what)
{
	if (a->home->n_shaking >= a->arrivals->config.max / SHAKE_SHARE)
		make_way(&a->home->shaking);
	a->home->n_shaking++;
	arrival_wait_for(a, ARRIVAL_SHAKE, what);
}

static void step_done(struct work *work)
{
	struct arrival *a = container_of(work, struct arrival, work);
	struct arrivals *arrivals = a->arrivals;
	struct arrivals_loop *home = a->home;

	home->n_worked--;
	if (a->is_doomed || home->is_cut || a->result == -ECANCELED) {
		arrival_end(a);
	} else if (a->result == 0) {
		arrival_finish(a);
	} else if (a->result == -EAGAIN) {
		wait_for_peer(a, EV_READ);
	} else if (a->result == -EINPROGRESS) {
		wait_for_peer(a, EV_WRITE);
	} else {
		say(a, phase(a), a->result == -ENOMEM ? strerror(ENOMEM) : a->reason);
		linger(a);
	}
	submit_steps(arrivals, home);
}

/* One that only looked whether somebody listens goes without a worker and without a word. */
static void first_byte(struct arrival *a)
{
	uint8_t byte;
	int r = arrival_has_come(a, recv(a->made.fd, &byte, 1, MSG_PEEK));

	if (r == 0)
		arrival_wait_for(a, ARRIVAL_HELLO, EV_READ);
	else if (r > 0)
		queue_step(a);
}

static void discard_input(struct arrival *a)
{
	uint8_t gone[16 * 1024];
	int r = arrival_has_come(a, recv(a->made.fd, gone, sizeof(gone), 0));

	if (r >= 0)
		arrival_wait_for(a, ARRIVAL_LINGER, EV_READ);
}

static void advance(struct arrival *a)
{
	switch (a->state) {
	case ARRIVAL_HEADER:
		arrival_read_header(a);
		return;
	case ARRIVAL_SKIP:
		arrival_skip_header(a);
		return;
	case ARRIVAL_HELLO:
		first_byte(a);
		return;
	case ARRIVAL_SHAKE:
		queue_step(a);
		return;
	case ARRIVAL_LINGER:
		discard_input(a);
		return;
	case ARRIVAL_QUEUED:
	case ARRIVAL_WORKED:
		break;
	}
	bug_on(true);
}

/* ---- The arrivals ---- */

struct arrivals *arrivals_create(const struct arrivals_config *config)
{
	struct arrivals *arrivals = mem_zalloc(sizeof(*arrivals));

	arrivals->config = *config;
	arrivals->loops = mem_zalloc_aligned(_Alignof(struct arrivals_loop),
					     loop_count() * sizeof(*arrivals->loops));
	for (unsigned i = 0; i < loop_count(); i++) {
		list_init(&arrivals->loops[i].waiting);
		list_init(&arrivals->loops[i].shaking);
		list_init(&arrivals->loops[i].queued);
	}
	return arrivals;
}

void arrivals_destroy(struct arrivals *arrivals)
{
	if (!arrivals)
		return;
	for (unsigned i = 0; i < loop_count(); i++)
		bug_on(arrivals->loops[i].n != 0);
	mem_free(arrivals->loops);
	mem_free(arrivals);
}

static struct arrivals_loop *loop_of(const struct arrivals *arrivals)
{
	return &arrivals->loops[loop_index(loop_self())];
}

unsigned arrivals_count(const struct arrivals *arrivals)
{
	return loop_of(arrivals)->n;
}

static bool is_trusted(const struct arrivals_config *config, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address = {.storage = {.ss_family = AF_UNSPEC}};
	socklen_t size = sizeof(address);

	(void)getpeername(fd, &address.any, &size);
	for (size_t i = 0; i < config->n_trusted; i++)
		if (net_range_has(&config->trusted[i], &address.storage))
			return true;
	return false;
}

static void begin(struct arrivals *arrivals, int fd, SSL_CTX *ctx)
{
	struct arrival *a = mem_zalloc(sizeof(*a));

	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)sizeof(*a));
	a->arrivals = arrivals;
	a->home = loop_of(arrivals);
	a->made.fd = fd;
	a->ctx = ctx;
	list_init(&a->link);
	a->home->n++;
	loop_timer_init(&a->limit, limit_reached);
	loop_timer_start_ms(&a->limit, arrivals->config.timeout_ms);
	if (!arrivals->config.expects_proxy) {
		arrival_wait_for(a, ARRIVAL_HELLO, EV_READ);
		return;
	}
	a->header = mem_zalloc(sizeof(*a->header));
	arrival_wait_for(a, ARRIVAL_HEADER, EV_READ);
}

/* Room for one more; false: all are with the workers, or about to be. */
static bool make_room(struct arrivals_loop *home, unsigned max)
{
	if (home->n < max)
		return true;
	if (list_is_empty(&home->waiting) && list_is_empty(&home->shaking))
		return false;
	make_way(list_is_empty(&home->waiting) ? &home->shaking : &home->waiting);
	return true;
}

void arrivals_add(struct arrivals *arrivals, int fd, SSL_CTX *ctx)
{
	const struct arrivals_config *config = &arrivals->config;
	struct arrived made = {.fd = fd};
	struct net_address peer;
	const char *reason = "too many handshakes at the same time";

	bug_on(ctx && !config->workers);
	if (!ctx && !config->expects_proxy) {
		config->handler->arrived(config->context, &made);
		return;
	}
	if (!loop_of(arrivals)->is_cut) {
		if (config->expects_proxy && !is_trusted(config, fd)) {
			reason = "not from a trusted proxy";
		} else if (make_room(loop_of(arrivals), config->max)) {
			begin(arrivals, fd, ctx);
			return;
		}
		peer = arrival_socket_peer(fd);
		config->handler->failed(config->context, &peer, "connection refused", reason);
	}
	SSL_CTX_free(ctx);
	(void)close(fd);
	config->handler->gone(config->context);
}

void arrivals_cut(struct arrivals *arrivals)
{
	struct arrivals_loop *home = loop_of(arrivals);
	struct list *lists[] = {&home->queued, &home->shaking, &home->waiting};

	home->is_cut = true;
	for (size_t i = 0; i < 3; i++)
		while (!list_is_empty(lists[i]))
			arrival_end(container_of(list_first(lists[i]), struct arrival, link));
}
