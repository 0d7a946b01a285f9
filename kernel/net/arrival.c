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
#include <event2/event_struct.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/account.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/workers.h"
#include "net/proxy.h"
#include "net/tls_session.h"

#define LINGER_MS 1000u

enum arrival_state {
	ARRIVAL_HEADER, /* reads the PROXY header */
	ARRIVAL_SKIP,	/* and what it has behind the addresses */
	ARRIVAL_HELLO,	/* waits for the first byte of a handshake */
	ARRIVAL_SHAKE,	/* waits for more */
	ARRIVAL_QUEUED, /* for a worker */
	ARRIVAL_WORKED, /* a worker has it */
	ARRIVAL_LINGER, /* has failed */
};

/* While its header is being read. */
struct arrival_header {
	size_t size;
	uint8_t bytes[PROXY_LOOK_MAX];
};

struct arrivals_loop {
	_Alignas(128) struct list waiting; /* for their sockets; the longest time first */
	struct list queued;		   /* for a worker */
	unsigned n, n_worked;
	bool is_cut;
};

struct arrivals {
	struct arrivals_config config;
	struct arrivals_loop *loops;
};

struct arrival {
	struct work work; /* first */
	struct list link; /* arrivals_loop.waiting or .queued */
	struct arrivals *arrivals;
	struct arrivals_loop *home;
	enum arrival_state state;
	bool is_doomed; /* goes when it comes back */
	bool is_header_read;
	struct arrived made;
	struct arrival_header *header;
	size_t to_skip;
	SSL_CTX *ctx; /* NULL: no TLS */
	struct event event;
	struct loop_timer limit;
	int result; /* of the step */
	char reason[TLS_REASON_MAX];
};

static void advance(struct arrival *a);

void arrived_discard(const struct arrived *arrived)
{
	tls_session_destroy(arrived->tls);
	(void)close(arrived->fd);
}

/* ---- Beginning and end ---- */

/* All but what has been made. */
static void forget(struct arrival *a)
{
	if (a->state != ARRIVAL_QUEUED && a->state != ARRIVAL_WORKED)
		(void)event_del(&a->event);
	loop_timer_stop(&a->limit);
	if (list_is_linked(&a->link))
		list_remove(&a->link);
	a->home->n--;
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)sizeof(*a));
	SSL_CTX_free(a->ctx);
	mem_free(a->header);
	mem_free(a);
}

static void end(struct arrival *a)
{
	const struct arrivals_config *config = &a->arrivals->config;

	arrived_discard(&a->made);
	forget(a);
	config->handler->gone(config->context);
}

static void finish(struct arrival *a)
{
	const struct arrivals_config *config = &a->arrivals->config;
	struct arrived made = a->made;

	forget(a);
	config->handler->arrived(config->context, &made);
}

static struct net_address peer_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address = {.storage = {.ss_family = AF_UNSPEC}};
	socklen_t size = sizeof(address);

	(void)getpeername(fd, &address.any, &size);
	return net_address_of(&address.any, size);
}

static void say(const struct arrival *a, const char *what, const char *reason)
{
	const struct arrivals_config *config = &a->arrivals->config;
	struct net_address peer = a->made.has_addresses ? a->made.peer : peer_of(a->made.fd);

	config->handler->failed(config->context, &peer, what, reason);
}

static const char *phase(const struct arrival *a)
{
	return a->state == ARRIVAL_HEADER || a->state == ARRIVAL_SKIP ? "no PROXY header"
								      : "TLS handshake failed";
}

static void fail(struct arrival *a, const char *reason)
{
	say(a, phase(a), reason);
	end(a);
}

static void limit_reached(struct loop_timer *timer)
{
	struct arrival *a = container_of(timer, struct arrival, limit);

	if (a->state == ARRIVAL_LINGER || a->is_doomed) {
		end(a);
	} else if (a->state == ARRIVAL_WORKED) {
		say(a, phase(a), "timed out");
		a->is_doomed = true;
	} else {
		fail(a, "timed out");
	}
}

/* ---- Waiting for the socket ---- */

static void on_event(int fd, short what, void *argument)
{
	(void)fd, (void)what;
	(void)loop_now_ms();
	advance(argument);
}

static void wait_for(struct arrival *a, enum arrival_state state, short what)
{
	a->state = state;
	if (!list_is_linked(&a->link))
		list_add_tail(&a->home->waiting, &a->link);
	bug_on(event_assign(&a->event, loop_base(loop_self()), a->made.fd, what, on_event, a) < 0);
	if (event_add(&a->event, NULL) < 0)
		fail(a, strerror(ENOMEM));
}

/* ---- The PROXY header ---- */

/*
 * Who is behind a proxy that does not say so may be anybody. And what the proxy calls a loopback
 * address is one of its own machine, which is ours if the proxy has come by the loopback, too.
 */
static void take_addresses(struct arrival *a, const struct proxy_header *header)
{
	struct net_address proxy = peer_of(a->made.fd);

	if (header->kind == PROXY_ITSELF)
		return;
	a->made.has_addresses = true;
	if (header->kind == PROXY_ADDRESSES) {
		a->made.peer = header->source;
		a->made.local = header->destination;
		a->made.peer.is_loopback = header->source.is_loopback && proxy.is_loopback;
		return;
	}
	a->made.peer = proxy;
	a->made.peer.is_loopback = false;
	a->made.local = proxy;
	a->made.local.port = 0;
}

static void header_is_read(struct arrival *a)
{
	mem_free(a->header);
	a->header = NULL;
	if (a->ctx)
		wait_for(a, ARRIVAL_HELLO, EV_READ);
	else
		finish(a);
}

/* Bytes that belong to the header, and to nothing behind it, are taken off the socket. */
static bool take_bytes(struct arrival *a, size_t size)
{
	uint8_t gone[PROXY_LOOK_MAX];

	return recv(a->made.fd, gone, size, 0) == (ssize_t)size;
}

/* 1: something has come, 0: later, -1: it has ended. */
static int has_come(struct arrival *a, ssize_t n)
{
	if (n > 0)
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	end(a);
	return -1;
}

static void skip_header(struct arrival *a)
{
	uint8_t gone[1024];
	size_t size = a->to_skip < sizeof(gone) ? a->to_skip : sizeof(gone);
	ssize_t n = recv(a->made.fd, gone, size, 0);
	int r = has_come(a, n);

	if (r < 0)
		return;
	if (r > 0)
		a->to_skip -= (size_t)n;
	if (a->to_skip == 0)
		header_is_read(a);
	else
		wait_for(a, ARRIVAL_SKIP, EV_READ);
}

/* `n` bytes are there, behind those that were taken. */
static void header_parsed(struct arrival *a, const struct proxy_header *header, size_t n)
{
	size_t lacking = header->size - a->header->size, taken = lacking < n ? lacking : n;

	if (!take_bytes(a, taken)) {
		fail(a, "the socket lost bytes");
		return;
	}
	take_addresses(a, header);
	a->to_skip = lacking - taken;
	if (a->to_skip > 0)
		wait_for(a, ARRIVAL_SKIP, EV_READ);
	else
		header_is_read(a);
}

/* Looks at what is there, and takes what is the header's. */
static void read_header(struct arrival *a)
{
	struct arrival_header *h = a->header;
	struct proxy_header header;
	ssize_t n = recv(a->made.fd, h->bytes + h->size, sizeof(h->bytes) - h->size, MSG_PEEK);
	int r = has_come(a, n);

	if (r < 0)
		return;
	if (r > 0)
		r = proxy_header_parse(slice_make(h->bytes, h->size + (size_t)n), &header);
	if (r < 0 || (r == 0 && n > 0 && !take_bytes(a, (size_t)n))) {
		fail(a, "its first bytes are none");
		return;
	}
	if (r == 1) {
		header_parsed(a, &header, (size_t)n);
		return;
	}
	h->size += n > 0 ? (size_t)n : 0;
	wait_for(a, ARRIVAL_HEADER, EV_READ);
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
	if (list_is_linked(&a->link))
		list_remove(&a->link);
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
		end(a);
		return;
	}
	loop_timer_start_ms(&a->limit, LINGER_MS);
	list_add_head(&a->home->waiting, &a->link);
	wait_for(a, ARRIVAL_LINGER, EV_READ);
}

static void step_done(struct work *work)
{
	struct arrival *a = container_of(work, struct arrival, work);
	struct arrivals *arrivals = a->arrivals;
	struct arrivals_loop *home = a->home;

	home->n_worked--;
	if (a->is_doomed || home->is_cut || a->result == -ECANCELED) {
		end(a);
	} else if (a->result == 0) {
		finish(a);
	} else if (a->result == -EAGAIN) {
		wait_for(a, ARRIVAL_SHAKE, EV_READ);
	} else if (a->result == -EINPROGRESS) {
		wait_for(a, ARRIVAL_SHAKE, EV_WRITE);
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
	int r = has_come(a, recv(a->made.fd, &byte, 1, MSG_PEEK));

	if (r == 0)
		wait_for(a, ARRIVAL_HELLO, EV_READ);
	else if (r > 0)
		queue_step(a);
}

static void discard_input(struct arrival *a)
{
	uint8_t gone[16 * 1024];
	int r = has_come(a, recv(a->made.fd, gone, sizeof(gone), 0));

	if (r >= 0)
		wait_for(a, ARRIVAL_LINGER, EV_READ);
}

static void advance(struct arrival *a)
{
	switch (a->state) {
	case ARRIVAL_HEADER:
		read_header(a);
		return;
	case ARRIVAL_SKIP:
		skip_header(a);
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
		wait_for(a, ARRIVAL_HELLO, EV_READ);
		return;
	}
	a->header = mem_zalloc(sizeof(*a->header));
	wait_for(a, ARRIVAL_HEADER, EV_READ);
}

/* Room for one more; false: all are with the workers, or about to be. */
static bool make_room(struct arrivals_loop *home, unsigned max)
{
	struct arrival *oldest;

	if (home->n < max)
		return true;
	if (list_is_empty(&home->waiting))
		return false;
	oldest = container_of(list_first(&home->waiting), struct arrival, link);
	if (oldest->state != ARRIVAL_LINGER)
		say(oldest, phase(oldest), "too many at the same time");
	end(oldest);
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
		peer = peer_of(fd);
		config->handler->failed(config->context, &peer, "connection refused", reason);
	}
	SSL_CTX_free(ctx);
	(void)close(fd);
	config->handler->gone(config->context);
}

void arrivals_cut(struct arrivals *arrivals)
{
	struct arrivals_loop *home = loop_of(arrivals);

	home->is_cut = true;
	while (!list_is_empty(&home->queued))
		end(container_of(list_first(&home->queued), struct arrival, link));
	while (!list_is_empty(&home->waiting))
		end(container_of(list_first(&home->waiting), struct arrival, link));
}
