/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/loop.h"

#include "../unit.h"

#define LIMIT_MS 30000
#define TICK_MS	 10

bool in_call;

void loop_set(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
}

void loop_clear(void)
{
	loop_pool_destroy();
}

void turn(unsigned n)
{
	while (n-- > 0)
		loop_run_once(false);
}

static void tick(struct loop_timer *timer)
{
	loop_timer_start_ms(timer, TICK_MS);
}

void turn_until(const bool *done)
{
	uint64_t limit = clock_monotonic_ms() + LIMIT_MS;
	struct loop_timer timer;

	loop_timer_init(&timer, tick);
	loop_timer_start_ms(&timer, TICK_MS);
	while (!*done && clock_monotonic_ms() < limit)
		loop_run_once(true);
	loop_timer_stop(&timer);
	CU_ASSERT_TRUE_FATAL(*done);
}

void end_take(struct end *end, struct slice bytes)
{
	if (bytes.size == 0)
		return;
	if (bytes.size > end->got_capacity - end->n_got) {
		end->got_capacity = (end->n_got + bytes.size) * 2;
		end->got = realloc(end->got, end->got_capacity);
		CU_ASSERT_PTR_NOT_NULL_FATAL(end->got);
	}
	memcpy(end->got + end->n_got, bytes.data, bytes.size);
	end->n_got += bytes.size;
}

static size_t on_data(struct transport *t, struct slice bytes)
{
	struct end *end = transport_context(t);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_FALSE(end->is_closed);
	CU_ASSERT_TRUE(bytes.size > 0);
	end->n_data++;
	if (bytes.size > end->largest)
		end->largest = bytes.size;
	if (end->consume)
		return end->consume(end, bytes);
	end_take(end, bytes);
	return bytes.size;
}

static void on_closed(struct transport *t, int error)
{
	struct end *end = transport_context(t);

	CU_ASSERT_FALSE(in_call);
	end->n_closed++;
	end->error = error;
	end->is_closed = true;
	if (end->on_closed)
		end->on_closed(end);
}

static void on_drained(struct transport *t)
{
	struct end *end = transport_context(t);

	CU_ASSERT_FALSE(in_call);
	end->n_drained++;
	end->is_drained = true;
	if (end->on_drained)
		end->on_drained(end);
}

const struct transport_handler end_handler = {
	.data = on_data, .closed = on_closed, .drained = on_drained};

void end_open(struct end *end)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	*end = (struct end){.peer = fds[1]};
	end->t = transport_create(fds[0], &end_handler, end);
}

void end_open_tcp(struct end *end)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_TRUE_FATAL(listening >= 0 && peer >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(listening, (struct sockaddr *)&address, size), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listening, 1), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(listening, (struct sockaddr *)&address, &size), 0);
	CU_ASSERT_EQUAL_FATAL(connect(peer, (struct sockaddr *)&address, size), 0);
	CU_ASSERT_EQUAL_FATAL(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	*end = (struct end){.peer = peer};
	end->t = transport_create(accept4(listening, NULL, NULL, SOCK_NONBLOCK), &end_handler, end);
	(void)close(listening);
}

void end_close(struct end *end)
{
	transport_destroy(end->t);
	end->t = NULL;
	if (end->peer >= 0)
		(void)close(end->peer);
	end->peer = -1;
	free(end->got);
	end->got = NULL;
	turn(2);
}

size_t peer_send(struct end *end, const void *bytes, size_t size)
{
	ssize_t n = send(end->peer, bytes, size, MSG_NOSIGNAL);

	return n > 0 ? (size_t)n : 0;
}

void peer_send_all(struct end *end, const void *bytes, size_t size)
{
	uint64_t limit = clock_monotonic_ms() + LIMIT_MS;
	const uint8_t *p = bytes;

	while (size > 0 && clock_monotonic_ms() < limit) {
		size_t n = peer_send(end, p, size);

		p += n;
		size -= n;
		turn(1);
	}
	CU_ASSERT_EQUAL_FATAL(size, 0);
}

ssize_t peer_receive(struct end *end, void *bytes, size_t size)
{
	return recv(end->peer, bytes, size, 0);
}

static uint8_t pattern_at(uint64_t position)
{
	return (uint8_t)((position * UINT64_C(0x9E3779B97F4A7C15)) >> 56);
}

void fill_pattern(uint8_t *bytes, size_t size, uint64_t position)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern_at(position + i);
}

size_t count_wrong(const uint8_t *bytes, size_t size, uint64_t position)
{
	size_t n_wrong = 0;

	for (size_t i = 0; i < size; i++)
		n_wrong += bytes[i] != pattern_at(position + i);
	return n_wrong;
}
