/* SPDX-License-Identifier: MIT */
#include "net/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "loop/loop.h"

#include "../unit.h"

/*
 * A layer as awkward as TLS may be: it reads all there is, gives it out in small portions (changed
 * by an exclusive or), and now and then wants the other direction first.
 */
#define MASK	0x5a
#define PORTION 100

struct layer {
	uint8_t buffer[64 * 1024];
	size_t start;
	size_t end;
	unsigned n_reads;
	unsigned n_writes;
	unsigned n_released;
	bool is_shut;
};

static bool layer_has_pending(void *context)
{
	const struct layer *layer = context;

	return layer->start < layer->end;
}

static ssize_t layer_read(void *context, int fd, void *buffer, size_t size)
{
	struct layer *layer = context;
	uint8_t *to = buffer;
	size_t n;

	if (++layer->n_reads % 5 == 0)
		return -EINPROGRESS;
	if (!layer_has_pending(layer)) {
		ssize_t r = recv(fd, layer->buffer, sizeof(layer->buffer), 0);

		if (r <= 0)
			return r < 0 ? -errno : 0;
		layer->start = 0;
		layer->end = (size_t)r;
	}
	n = layer->end - layer->start;
	n = n < PORTION ? n : PORTION;
	n = n < size ? n : size;
	for (size_t i = 0; i < n; i++)
		to[i] = layer->buffer[layer->start + i] ^ MASK;
	layer->start += n;
	return (ssize_t)n;
}

static ssize_t layer_writev(void *context, int fd, const struct iovec *iov, int n_iov, bool is_last)
{
	struct layer *layer = context;
	uint8_t masked[PORTION];
	const uint8_t *from = iov[0].iov_base;
	size_t n = iov[0].iov_len < PORTION ? iov[0].iov_len : PORTION;
	ssize_t r;

	CU_ASSERT_TRUE(n_iov > 0);
	(void)is_last;
	if (++layer->n_writes % 7 == 0)
		return -EINPROGRESS;
	for (size_t i = 0; i < n; i++)
		masked[i] = from[i] ^ MASK;
	r = send(fd, masked, n, MSG_NOSIGNAL);
	return r < 0 ? -errno : r;
}

static int layer_shutdown(void *context, int fd)
{
	((struct layer *)context)->is_shut = true;
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

static void layer_release(void *context)
{
	((struct layer *)context)->n_released++;
}

static const struct transport_layer awkward = {
	.read = layer_read,
	.writev = layer_writev,
	.shutdown = layer_shutdown,
	.has_pending = layer_has_pending,
	.release = layer_release,
};

static void open_layered(struct end *end, struct layer *layer)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	*end = (struct end){.peer = fds[1]};
	end->t = transport_create_layered(fds[0], &awkward, layer, &end_handler, end);
}

static void mask(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] ^= MASK;
}

static void pending_bytes_come_without_the_socket(void)
{
	static struct layer layer;
	uint8_t bytes[20000];
	struct end end;

	memset(&layer, 0, sizeof(layer));
	loop_set();
	open_layered(&end, &layer);
	fill_pattern(bytes, sizeof(bytes), 0);
	mask(bytes, sizeof(bytes));
	peer_send_all(&end, bytes, sizeof(bytes));
	turn(1000);
	CU_ASSERT_EQUAL(end.n_got, sizeof(bytes));
	CU_ASSERT_EQUAL(count_wrong(end.got, end.n_got, 0), 0);
	CU_ASSERT_TRUE(end.largest <= PORTION);
	end_close(&end);
	CU_ASSERT_EQUAL(layer.n_released, 1);
	loop_clear();
}

static size_t pause_each(struct end *end, struct slice bytes)
{
	end_take(end, bytes);
	CALL(transport_pause_reading(end->t));
	return bytes.size;
}

static void pending_bytes_wait_for_the_pause(void)
{
	static struct layer layer;
	uint8_t bytes[5 * PORTION];
	struct end end;

	memset(&layer, 0, sizeof(layer));
	loop_set();
	open_layered(&end, &layer);
	end.consume = pause_each;
	fill_pattern(bytes, sizeof(bytes), 0);
	mask(bytes, sizeof(bytes));
	CU_ASSERT_EQUAL(peer_send(&end, bytes, sizeof(bytes)), sizeof(bytes));
	for (size_t i = 1; i <= 5; i++) {
		turn(10);
		CU_ASSERT_EQUAL(end.n_got, i * PORTION);
		CALL(transport_resume_reading(end.t));
	}
	CU_ASSERT_EQUAL(count_wrong(end.got, end.n_got, 0), 0);
	end_close(&end);
	loop_clear();
}

/* The other direction is ready sooner or later, as the peer sends a byte now and then. */
static void both_directions(void)
{
	static struct layer layer;
	static uint8_t bytes[30000], back[30000];
	size_t n_back = 0, n_sent = 0;
	struct end end;

	memset(&layer, 0, sizeof(layer));
	loop_set();
	open_layered(&end, &layer);
	fill_pattern(bytes, sizeof(bytes), 0);
	CALL(transport_write(end.t, slice_make(bytes, sizeof(bytes))));
	mask(bytes, sizeof(bytes));
	for (unsigned i = 0; i < 20000 && (n_back < sizeof(back) || n_sent < sizeof(bytes)); i++) {
		ssize_t n = peer_receive(&end, back + n_back, sizeof(back) - n_back);

		if (n > 0)
			n_back += (size_t)n;
		n_sent += peer_send(&end, bytes + n_sent,
				    n_sent + 9 < sizeof(bytes) ? 9 : sizeof(bytes) - n_sent);
		turn(1);
	}
	turn(10000);
	mask(back, n_back);
	CU_ASSERT_EQUAL(n_back, sizeof(back));
	CU_ASSERT_EQUAL(count_wrong(back, n_back, 0), 0);
	CU_ASSERT_EQUAL(end.n_got, sizeof(bytes));
	CU_ASSERT_EQUAL(count_wrong(end.got, end.n_got, 0), 0);
	CALL(transport_close_after_flush(end.t, 20000));
	turn(2);
	CU_ASSERT_TRUE(layer.is_shut);
	(void)close(end.peer);
	end.peer = -1;
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, 0);
	end_close(&end);
	loop_clear();
}

UNIT_MAIN("net/transport layer", UNIT_TEST(pending_bytes_come_without_the_socket),
	  UNIT_TEST(pending_bytes_wait_for_the_pause), UNIT_TEST(both_directions))
