/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

/*
 * The socket is level triggered: what one batch leaves is reported again in the next turn.
 * accept4(2) takes a descriptor before it looks for a connection, so EMFILE behind the last
 * connection of a batch says nothing; only where the first accept of a batch fails, which the loop
 * announced, does accepting rest.
 */

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/descriptors.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"

struct listener {
	const struct listener_handler *handler;
	void *context;
	int fd;
	unsigned loop;
	bool is_resting; /* said so, and no connection since */
	bool is_destroyed;
	struct event acceptable;
	struct loop_timer rest;
	struct net_address address;
};

union socket_address {
	struct sockaddr any;
	struct sockaddr_storage storage;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/*
 * What an accepted socket is to have it gets from the listening one (Linux: tcp(7)), which costs
 * nothing each time: no waiting for more to send, and an end for peers that have vanished.
 */
static int set_inherited(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static int listen_at(const struct sockaddr *address, socklen_t size, int backlog)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, r;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || set_inherited(fd) < 0)
		goto fail;
	/* "::" takes IPv4 too, whatever the system's default. */
	if (address->sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		goto fail;
	if (bind(fd, address, size) < 0 || listen(fd, backlog) < 0)
		goto fail;
	return fd;
fail:
	r = -errno;
	(void)close(fd);
	return r;
}

/* All addresses of both families, or of IPv4 where there is no IPv6. */
static int listen_everywhere(uint16_t port, int backlog)
{
	union socket_address all = {.ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
	int fd = listen_at(&all.any, sizeof(all.ipv6), backlog);

	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	all.ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	return listen_at(&all.any, sizeof(all.ipv4), backlog);
}

/* The first of the host's addresses on which it is possible. */
static int listen_on_host(const char *host, uint16_t port, int backlog)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found, *i;
	int fd = -EINVAL;

	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return -EINVAL;
	for (i = found; i && fd < 0; i = i->ai_next) {
		union socket_address address;

		if (i->ai_addrlen > sizeof(address))
			continue;
		memcpy(&address, i->ai_addr, i->ai_addrlen);
		if (address.any.sa_family == AF_INET)
			address.ipv4.sin_port = htons(port);
		else if (address.any.sa_family == AF_INET6)
			address.ipv6.sin6_port = htons(port);
		else
			continue;
		fd = listen_at(&address.any, i->ai_addrlen, backlog);
	}
	freeaddrinfo(found);
	return fd;
}

static void say(struct listener *l, bool resting, int error)
{
	if (l->is_resting == resting)
		return;
	l->is_resting = resting;
	if (l->handler->resting)
		l->handler->resting(l->context, resting, error);
}

/*
 * What concerns only the connection that was to be accepted (accept(2) passes on what the network
 * had to say).
 */
static bool is_passing(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM ||
	       error == ENETDOWN || error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET ||
	       error == EHOSTUNREACH || error == EOPNOTSUPP || error == ENETUNREACH ||
	       error == ETIMEDOUT;
}

/* Behind the descriptor that has been given out. */
static bool has_room(const struct listener *l, int fd)
{
	return l->handler->takes_all || descriptors_have_room(fd);
}

static void rest(struct listener *l, int error)
{
	(void)event_del(&l->acceptable);
	loop_timer_start_ms(&l->rest, LISTENER_REST_MS);
	say(l, true, error);
}

static void on_acceptable(int fd, short what, void *argument)
{
	struct listener *l = argument;
	unsigned n_accepted = 0;

	(void)what;
	(void)loop_now_ms();
	for (unsigned i = 0; i < LISTENER_BATCH && !l->is_destroyed; i++) {
		union socket_address peer = {.storage = {.ss_family = AF_UNSPEC}};
		socklen_t size = sizeof(peer);
		int accepted = accept4(fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (accepted >= 0) {
			bool was_last = !has_room(l, accepted);

			n_accepted++;
			l->handler->accepted(l->context, accepted, &peer.storage);
			if (l->is_destroyed)
				return;
			if (was_last) {
				rest(l, EMFILE);
				return;
			}
			say(l, false, 0);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (!is_passing(errno)) {
			if (n_accepted == 0)
				rest(l, errno);
			return;
		}
	}
}

/* Whether there would be a descriptor, and not one of the last. */
static bool may_accept(const struct listener *l)
{
	int next = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);

	if (next < 0)
		return false;
	(void)close(next);
	return has_room(l, next - 1);
}

static void go_on(struct loop_timer *timer)
{
	struct listener *l = container_of(timer, struct listener, rest);

	if (!may_accept(l))
		rest(l, EMFILE);
	else if (event_add(&l->acceptable, NULL) < 0)
		rest(l, ENOMEM);
}

int listener_create(struct slice address, int backlog, const struct listener_handler *handler,
		    void *context, struct listener **ret_listener)
{
	union socket_address bound = {.storage = {.ss_family = AF_UNSPEC}};
	socklen_t size = sizeof(bound);
	struct listener *l;
	char host[256];
	uint16_t port;
	int fd;

	if (net_address_parse(address, host, &port) < 0)
		return -EINVAL;
	fd = host[0] ? listen_on_host(host, port, backlog) : listen_everywhere(port, backlog);
	if (fd < 0)
		return fd;
	l = mem_zalloc(sizeof(*l));
	l->handler = handler;
	l->context = context;
	l->fd = fd;
	l->loop = loop_index(loop_self());
	if (getsockname(fd, &bound.any, &size) == 0)
		l->address = net_address_of(&bound.any, size);
	loop_timer_init(&l->rest, go_on);
	bug_on(event_assign(&l->acceptable, loop_base(loop_self()), fd, EV_READ | EV_PERSIST,
			    on_acceptable, l) < 0);
	if (event_add(&l->acceptable, NULL) < 0) {
		(void)close(fd);
		mem_free(l);
		return -ENOMEM;
	}
	*ret_listener = l;
	return 0;
}

void listener_destroy(struct listener *l)
{
	if (!l)
		return;
	OWN(l->loop);
	bug_on(l->is_destroyed);
	l->is_destroyed = true;
	(void)event_del(&l->acceptable);
	loop_timer_stop(&l->rest);
	(void)close(l->fd);
	loop_retire(l, mem_free);
}

void listener_resume(struct listener *l)
{
	OWN(l->loop);
	if (!loop_timer_is_armed(&l->rest))
		return;
	loop_timer_stop(&l->rest);
	go_on(&l->rest);
}

bool listener_is_resting(const struct listener *l)
{
	return l->is_resting;
}

const char *listener_protocol(const struct listener *l)
{
	return l->handler->protocol;
}

uint16_t listener_port(const struct listener *l)
{
	return l->address.port;
}

const struct net_address *listener_address(const struct listener *l)
{
	return &l->address;
}
