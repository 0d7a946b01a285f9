/* SPDX-License-Identifier: MIT */
#include "net/arrival_state.h"

/*
 * The PROXY header is read without a byte of what follows: what is there is looked at, and as much
 * taken off the socket as is the header's. Nothing that was looked at stays there for long, or the
 * loop would be told of it again and again.
 */

#include <event2/event.h>
#include <sys/socket.h>

#include "base/mem.h"

/*
 * Who is behind a proxy that does not say so may be anybody. And what the proxy calls a loopback
 * address is one of its own machine, which is ours if the proxy has come by the loopback, too.
 */
static void take_addresses(struct arrival *a, const struct proxy_header *header)
{
	struct net_address proxy = arrival_socket_peer(a->made.fd);

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
	a->made.local = arrival_socket_local(a->made.fd);
}

static void header_is_read(struct arrival *a)
{
	mem_free(a->header);
	a->header = NULL;
	if (a->ctx)
		arrival_wait_for(a, ARRIVAL_HELLO, EV_READ);
	else
		arrival_finish(a);
}

/* Bytes that belong to the header, and to nothing behind it, are taken off the socket. */
static bool take_bytes(struct arrival *a, size_t size)
{
	uint8_t gone[PROXY_LOOK_MAX];

	return recv(a->made.fd, gone, size, 0) == (ssize_t)size;
}

void arrival_skip_header(struct arrival *a)
{
	uint8_t gone[1024];
	size_t size = a->to_skip < sizeof(gone) ? a->to_skip : sizeof(gone);
	ssize_t n = recv(a->made.fd, gone, size, 0);
	int r = arrival_has_come(a, n);

	if (r < 0)
		return;
	if (r > 0)
		a->to_skip -= (size_t)n;
	if (a->to_skip == 0)
		header_is_read(a);
	else
		arrival_wait_for(a, ARRIVAL_SKIP, EV_READ);
}

/* `n` bytes are there, behind those that were taken. */
static void header_parsed(struct arrival *a, const struct proxy_header *header, size_t n)
{
	size_t lacking = header->size - a->header->size, taken = lacking < n ? lacking : n;

	if (!take_bytes(a, taken)) {
		arrival_fail(a, "the socket lost bytes");
		return;
	}
	take_addresses(a, header);
	a->to_skip = lacking - taken;
	if (a->to_skip > 0)
		arrival_wait_for(a, ARRIVAL_SKIP, EV_READ);
	else
		header_is_read(a);
}

/* Looks at what is there, and takes what is the header's. */
void arrival_read_header(struct arrival *a)
{
	struct arrival_header *h = a->header;
	struct proxy_header header;
	ssize_t n = recv(a->made.fd, h->bytes + h->size, sizeof(h->bytes) - h->size, MSG_PEEK);
	int r = arrival_has_come(a, n);

	if (r < 0)
		return;
	if (r > 0)
		r = proxy_header_parse(slice_make(h->bytes, h->size + (size_t)n), &header);
	if (r < 0 || (r == 0 && n > 0 && !take_bytes(a, (size_t)n))) {
		arrival_fail(a, "its first bytes are not a valid one");
		return;
	}
	if (r == 1) {
		header_parsed(a, &header, (size_t)n);
		return;
	}
	h->size += n > 0 ? (size_t)n : 0;
	arrival_wait_for(a, ARRIVAL_HEADER, EV_READ);
}
