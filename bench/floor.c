/* SPDX-License-Identifier: MIT */
/*
 * A broker that does nothing but answer the protocol: what sockets and framing alone cost, as a
 * measure for a real one. "floor PORT" (0: any) listens on 127.0.0.1 and prints the port.
 *
 * One thread, one epoll. A published message is found by its frames' sizes and goes on at once, its
 * content as it came, to the next consumer of each of its queues; deliveries and confirms leave
 * when all that one read brought has been seen. Without a consumer it is counted and forgotten.
 * There is no storage, no prefetch, no check of anything, acknowledgements are passed over, and a
 * socket that is full is waited for. A client must use the same channel number for publishing and
 * consuming, as shunt-bench does; one that sends nonsense is cut off.
 */
#include "floor_routes.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_SIZE ((size_t)256 << 10)
#define INPUT_SIZE                                                                                 \
	(READ_SIZE + ((size_t)4 << 20)) /* a message cut off by a read fits before it              \
					 */
#define ARENA_SIZE ((size_t)128 << 10)
#define PIECES	   256
#define COPY_MAX   ((size_t)2 << 10) /* content above is not copied */
#define FRAME_HEAD 7
#define FRAME_MAX  131072

#define METHOD(class, method) ((uint32_t)(class) << 16 | (uint32_t)(method))

struct peer {
	int fd;
	bool is_closed, has_begun, confirms;
	uint64_t published, confirmed;
	uint8_t *rest; /* the beginning of a message whose end has not come */
	size_t rest_size;
	uint8_t *arena; /* output; pieces point into it or into the input */
	size_t arena_used;
	struct iovec *pieces;
	unsigned piece_count;
	bool is_waiting; /* in `waiting` */
	struct route route;
};

static struct peer **waiting; /* those with output */
static unsigned waiting_count;
static uint8_t input[INPUT_SIZE];

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* --- Output */

static void send_pieces(struct peer *peer, struct iovec *piece, unsigned left)
{
	while (left > 0 && !peer->is_closed) {
		struct msghdr message = {.msg_iov = piece, .msg_iovlen = left};
		struct pollfd pollfd = {.fd = peer->fd, .events = POLLOUT};
		ssize_t n = sendmsg(peer->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			poll(&pollfd, 1, -1);
		else if (n < 0 && errno != EINTR)
			peer->is_closed = true;
		for (; left > 0 && n >= (ssize_t)piece->iov_len; left--)
			n -= (ssize_t)(piece++)->iov_len;
		if (n > 0) {
			piece->iov_base = (uint8_t *)piece->iov_base + n;
			piece->iov_len -= (size_t)n;
		}
	}
}

static void flush(struct peer *peer)
{
	send_pieces(peer, peer->pieces, peer->piece_count);
	peer->piece_count = 0;
	peer->arena_used = 0;
}

static void flush_all(void)
{
	for (unsigned i = 0; i < waiting_count; i++) {
		flush(waiting[i]);
		waiting[i]->is_waiting = false;
	}
	waiting_count = 0;
}

/* Room for `size` bytes more, and for a piece that is not copied. */
static uint8_t *room(struct peer *peer, size_t size)
{
	if (!peer->arena) {
		peer->arena = malloc(ARENA_SIZE);
		peer->pieces = malloc(PIECES * sizeof(*peer->pieces));
		if (!peer->arena || !peer->pieces)
			floor_stop("malloc");
	}
	if (peer->arena_used + size > ARENA_SIZE || peer->piece_count + 2 > PIECES)
		flush(peer);
	if (!peer->is_waiting) {
		peer->is_waiting = true;
		waiting = floor_grow(waiting, waiting_count, sizeof(*waiting));
		waiting[waiting_count++] = peer;
	}
	return peer->arena + peer->arena_used;
}

static void add_piece(struct peer *peer, const uint8_t *bytes, size_t size)
{
	struct iovec *last = &peer->pieces[peer->piece_count];

	if (peer->piece_count > 0 && (uint8_t *)last[-1].iov_base + last[-1].iov_len == bytes) {
		last[-1].iov_len += size;
		return;
	}
	*last = (struct iovec){(void *)(uintptr_t)bytes, size};
	peer->piece_count++;
}

static void commit(struct peer *peer, uint8_t *end)
{
	uint8_t *begin = peer->arena + peer->arena_used;

	add_piece(peer, begin, (size_t)(end - begin));
	peer->arena_used = (size_t)(end - peer->arena);
}

/* A method frame is begun, its arguments follow, then end_method(). */
static uint8_t *begin_method(uint8_t *p, const uint8_t *channel, uint32_t id)
{
	*p++ = 1;
	*p++ = channel[0];
	*p++ = channel[1];
	p += 4; /* the size */
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(id >> shift);
	return p;
}

static uint8_t *end_method(uint8_t *begin, uint8_t *p)
{
	uint32_t size = (uint32_t)(p - begin - FRAME_HEAD);

	for (int i = 0; i < 4; i++)
		begin[3 + i] = (uint8_t)(size >> (24 - 8 * i));
	*p++ = 0xce;
	return p;
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t size)
{
	memcpy(p, bytes, size);
	return p + size;
}

static uint8_t *put64(uint8_t *p, uint64_t value)
{
	value = __builtin_bswap64(value);
	return put(p, &value, sizeof(value));
}

/* Behind what waits, or at once: so a connection that only talks has no buffers. */
static void answer(struct peer *peer, const uint8_t *channel, uint32_t id, const void *arguments,
		   size_t size)
{
	static uint8_t bytes[1024];
	uint8_t *begin = peer->is_waiting ? room(peer, sizeof(bytes)) : bytes;
	uint8_t *end = end_method(begin, put(begin_method(begin, channel, id), arguments, size));
	struct iovec piece = {bytes, (size_t)(end - begin)};

	if (peer->is_waiting)
		commit(peer, end);
	else
		send_pieces(peer, &piece, 1);
}

/* --- Messages */

static void deliver(struct consumer *consumer, const uint8_t *channel, const uint8_t *exchange,
		    size_t names_size, const uint8_t *content, size_t size)
{
	struct peer *peer = consumer->owner;
	size_t copied = size <= COPY_MAX ? size : 0;
	uint8_t *begin = room(peer, 1024 + copied);
	uint8_t *p = begin_method(begin, channel, METHOD(60, 60));

	p = put(p, consumer->tag.bytes, (size_t)consumer->tag.bytes[0] + 1);
	p = put64(p, ++consumer->delivered);
	*p++ = 0; /* redelivered */
	p = put(p, exchange, names_size);
	p = end_method(begin, p);
	commit(peer, put(p, content, copied));
	if (copied == 0)
		add_piece(peer, content, size);
}

static void publish(struct peer *peer, const uint8_t *method, const uint8_t *content, size_t size)
{
	const uint8_t *names = method + FRAME_HEAD + 6;
	size_t names_size = (size_t)names[0] + names[names[0] + 1] + 2;

	peer->published++;
	routes_find(&peer->route, names, names_size);
	for (unsigned i = 0; i < peer->route.count; i++) {
		struct queue *queue = routes_queue_at(peer->route.queues[i]);

		if (queue->consumer_count == 0) {
			queue->kept++;
			continue;
		}
		if (queue->consumer_next >= queue->consumer_count)
			queue->consumer_next = 0;
		deliver(&queue->consumers[queue->consumer_next++], method + 1, names, names_size,
			content, size);
	}
}

static void confirm(struct peer *peer)
{
	static const uint8_t channel[2] = {0, 1};
	uint8_t arguments[9];

	if (!peer->confirms || peer->confirmed == peer->published)
		return;
	peer->confirmed = peer->published;
	*put64(arguments, peer->confirmed) = 1;
	answer(peer, channel, METHOD(60, 80), arguments, sizeof(arguments));
}

/* --- Methods */

static void take_queue_method(struct peer *peer, const uint8_t *frame, uint32_t id)
{
	const uint8_t *name = frame + FRAME_HEAD + 6;
	const uint8_t *exchange = name + *name + 1;
	const uint8_t *key = exchange + *exchange + 1;
	uint8_t ok[264] = {0};

	if (id == METHOD(50, 10)) {
		uint32_t kept = __builtin_bswap32(routes_queue(name)->kept);

		memcpy(put(ok, name, (size_t)*name + 1), &kept, sizeof(kept));
		answer(peer, frame + 1, METHOD(50, 11), ok, (size_t)*name + 9);
	} else if (id == METHOD(50, 20)) {
		routes_bind(name, exchange, key);
		if ((key[*key + 1] & 1) == 0)
			answer(peer, frame + 1, METHOD(50, 21), "", 0);
	} else if (id == METHOD(50, 40)) {
		routes_delete_queue(name);
		answer(peer, frame + 1, METHOD(50, 41), ok, 4);
	}
}

static void take_exchange_method(struct peer *peer, const uint8_t *frame, uint32_t id)
{
	const uint8_t *name = frame + FRAME_HEAD + 6;
	const uint8_t *type = name + *name + 1;

	if (id == METHOD(40, 10))
		routes_declare_exchange(name, type);
	else
		routes_delete_exchange(name);
	answer(peer, frame + 1, id + 1, "", 0);
}

static void take_basic_method(struct peer *peer, const uint8_t *frame, uint32_t id)
{
	const uint8_t *name = frame + FRAME_HEAD + 6;
	const uint8_t *tag = name + *name + 1;

	if (id == METHOD(60, 10)) {
		answer(peer, frame + 1, METHOD(60, 11), "", 0);
	} else if (id == METHOD(60, 20)) {
		routes_consume(peer, name, tag);
		answer(peer, frame + 1, METHOD(60, 21), tag, (size_t)*tag + 1);
	} else if (id == METHOD(60, 30)) {
		tag = frame + FRAME_HEAD + 4;
		routes_cancel(peer, tag);
		answer(peer, frame + 1, METHOD(60, 31), tag, (size_t)*tag + 1);
	}
}

static void take_method(struct peer *peer, const uint8_t *frame)
{
	static const uint8_t tune[] = {0x07, 0xff, FRAME_MAX >> 24, FRAME_MAX >> 16 & 0xff, 0, 0,
				       0,    0};
	static const uint8_t zeros[4];
	uint32_t id = get32(frame + FRAME_HEAD);

	switch (id >> 16) {
	case 40:
		take_exchange_method(peer, frame, id);
		break;
	case 50:
		take_queue_method(peer, frame, id);
		break;
	case 60:
		take_basic_method(peer, frame, id);
		break;
	default:
		peer->confirms |= id == METHOD(85, 10);
		if (id == METHOD(10, 11))
			answer(peer, frame + 1, METHOD(10, 30), tune, sizeof(tune));
		else if (id == METHOD(10, 40))
			answer(peer, frame + 1, METHOD(10, 41), zeros, 1);
		else if (id == METHOD(20, 10))
			answer(peer, frame + 1, METHOD(20, 11), zeros, 4);
		else if (id == METHOD(10, 50) || id == METHOD(20, 40) || id == METHOD(85, 10))
			answer(peer, frame + 1, id + 1, "", 0);
		break;
	}
}

/* --- Input */

/* Of the frame at p; 0: not all there. */
static size_t frame_size(struct peer *peer, const uint8_t *p, const uint8_t *end)
{
	size_t size;

	if (end - p < FRAME_HEAD + 1)
		return 0;
	size = (size_t)get32(p + 3) + FRAME_HEAD + 1;
	if (size > FRAME_MAX) {
		peer->is_closed = true;
		return 0;
	}
	return size <= (size_t)(end - p) ? size : 0;
}

/* The header and bodies at p; 0: not all there. */
static size_t content_size(struct peer *peer, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *begin = p;
	size_t size = frame_size(peer, p, end);
	uint64_t left;

	if (size == 0)
		return 0;
	left = get32(p + FRAME_HEAD + 8);
	for (p += size; left > 0; p += size) {
		size = frame_size(peer, p, end);
		if (size == 0)
			return 0;
		left -= size - FRAME_HEAD - 1;
	}
	return (size_t)(p - begin);
}

/* A frame, or a publish with its content; 0: not all there. */
static size_t take_one(struct peer *peer, const uint8_t *p, const uint8_t *end)
{
	size_t size = frame_size(peer, p, end);
	uint32_t id;

	if (size == 0 || p[0] != 1)
		return size;
	id = get32(p + FRAME_HEAD);
	if (id == METHOD(60, 40)) {
		size_t content = content_size(peer, p + size, end);

		if (content == 0)
			return 0;
		publish(peer, p, p + size, content);
		return size + content;
	}
	if (id != METHOD(60, 80))
		take_method(peer, p);
	return size;
}

static const uint8_t *take_header(struct peer *peer, const uint8_t *p)
{
	/* 0-9; server properties, mechanisms and locales */
	static const char start[] = "\0\x09\0\0\0\x12\x07product"
				    "S\0\0\0\x05"
				    "floor\0\0\0\x05PLAIN\0\0\0\x05"
				    "en_US";

	peer->has_begun = true;
	answer(peer, (const uint8_t *)"\0", METHOD(10, 10), start, sizeof(start) - 1);
	return p + 8;
}

static void keep_rest(struct peer *peer, const uint8_t *p, size_t size)
{
	peer->rest_size = size;
	if (size == 0)
		return;
	peer->rest = realloc(peer->rest, size);
	if (!peer->rest)
		floor_stop("realloc");
	memcpy(peer->rest, p, size);
}

static void read_peer(struct peer *peer)
{
	const uint8_t *p = input, *end;
	size_t used;
	ssize_t n;

	if (peer->rest_size > 0)
		memcpy(input, peer->rest, peer->rest_size);
	n = recv(peer->fd, input + peer->rest_size, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	end = input + peer->rest_size + (n > 0 ? n : 0);
	if (n <= 0 || (!peer->has_begun && end - p < 8)) {
		peer->is_closed = true;
		return;
	}
	if (!peer->has_begun)
		p = take_header(peer, p);
	while (!peer->is_closed && (used = take_one(peer, p, end)) > 0)
		p += used;
	confirm(peer);
	/* before the next read overwrites what the output points to */
	flush_all();
	if ((size_t)(end - p) > INPUT_SIZE - READ_SIZE)
		peer->is_closed = true;
	else
		keep_rest(peer, p, (size_t)(end - p));
}

static void free_peer(struct peer *peer)
{
	routes_cancel(peer, NULL);
	close(peer->fd);
	free(peer->rest);
	free(peer->arena);
	free(peer->pieces);
	free(peer->route.queues);
	free(peer);
}

static void accept_all(int listener, int epoll)
{
	const int on = 1;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct peer *peer = calloc(1, sizeof(*peer));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

		if (!peer)
			floor_stop("calloc");
		peer->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			floor_stop("epoll_ctl");
	}
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		floor_stop("listening");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[64], event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2) {
		fputs("Usage: floor PORT\n", stderr);
		return 64;
	}
	int listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		floor_stop("epoll");
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct peer *peer = events[i].data.ptr;

			if (!peer)
				accept_all(listener, epoll);
			else
				read_peer(peer);
			/* a consumer that died under a write is seen here, by its socket's end */
			if (peer && peer->is_closed)
				free_peer(peer);
		}
	}
}
