/* SPDX-License-Identifier: MIT */
#include "net/transport.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "writing.h"

#include "../unit.h"

static void peer_ends(void)
{
	struct end end;

	set(&end);
	CU_ASSERT_EQUAL(peer_send(&end, "abc", 3), 3);
	(void)close(end.peer);
	end.peer = -1;
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, 0);
	CU_ASSERT_EQUAL(end.n_got, 3);
	write_copied(&end, 100); /* goes nowhere */
	write_shared(&end, 10 * KIB);
	turn(3);
	CU_ASSERT_EQUAL(n_released, 1);
	CU_ASSERT_EQUAL(transport_queued(end.t), 0);
	CU_ASSERT_EQUAL(end.n_closed, 1);
	clear(&end);
}

static void destroy_when_closed(void)
{
	struct end end;

	set(&end);
	end.on_closed = destroy_when_called;
	write_copied(&end, 100);
	(void)close(end.peer);
	end.peer = -1;
	turn_until(&end.is_closed);
	turn(1);
	CU_ASSERT_EQUAL(n_released, 1);
	CU_ASSERT_EQUAL(end.n_closed, 1);
	clear(&end);
}

static void reset_by_peer(struct end *end)
{
	struct linger abort_it = {.l_onoff = 1, .l_linger = 0};

	CU_ASSERT_EQUAL(setsockopt(end->peer, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)),
			0);
	(void)close(end->peer);
	end->peer = -1;
}

static void peer_resets(void)
{
	struct end end;

	set_tcp(&end);
	reset_by_peer(&end);
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, ECONNRESET);
	turn(2);
	CU_ASSERT_EQUAL(end.n_closed, 1);
	clear(&end);
}

/* Nothing is being read, so only writing can find out. */
static void peer_resets_while_paused(void)
{
	struct end end;

	set_tcp(&end);
	transport_pause_reading(end.t);
	reset_by_peer(&end);
	for (unsigned i = 0; i < 10 && !end.is_closed; i++) {
		write_copied(&end, 100);
		turn(1);
	}
	CU_ASSERT_TRUE(end.is_closed);
	CU_ASSERT_TRUE(end.error == ECONNRESET || end.error == EPIPE);
	clear(&end);
}

static bool has_written;

static size_t write_and_pause(struct end *end, struct slice bytes)
{
	end_take(end, bytes);
	write_copied(end, 100);
	if (!has_written)
		CALL(transport_pause_reading(end->t));
	has_written = true;
	return bytes.size;
}

/*
 * A publisher that goes without reading its confirms: what it sent counts, although nothing can be
 * written to it.
 */
static void failed_write_does_not_lose_input(void)
{
	static uint8_t bytes[600 * 1024];
	struct end end;
	size_t sent;

	set(&end);
	has_written = true;
	end.consume = write_and_pause;
	sent = peer_send(&end, bytes, sizeof(bytes));
	CU_ASSERT_TRUE(sent > 0);
	(void)close(end.peer);
	end.peer = -1;
	write_copied(&end, 100);
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.n_got, sent);
	CU_ASSERT_EQUAL(end.n_closed, 1);
	clear(&end);
}

/* The same, but the handler pauses when writing has failed already: then it is over. */
static void failed_write_ends_a_paused_one(void)
{
	struct end end;

	set(&end);
	has_written = false;
	end.consume = write_and_pause;
	CU_ASSERT_EQUAL(peer_send(&end, "abc", 3), 3);
	(void)close(end.peer);
	end.peer = -1;
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.n_got, 3);
	CU_ASSERT_EQUAL(end.error, EPIPE);
	CU_ASSERT_EQUAL(end.n_closed, 1);
	clear(&end);
}

static void close_after_flush_waits_for_both(void)
{
	uint8_t byte;
	struct end end;

	set(&end);
	fill_up(&end);
	CALL(transport_close_after_flush(end.t, 20000));
	CALL(transport_close_after_flush(end.t, 20000));
	CU_ASSERT_EQUAL(peer_send(&end, "ignored", 7), 7);
	turn(5);
	CU_ASSERT_FALSE(end.is_closed);
	for (unsigned i = 0; i < 100000 && received < written; i++) {
		CU_ASSERT_EQUAL(receive(&end, 100 * KIB), 0);
		turn(1);
	}
	CU_ASSERT_EQUAL(received, written);
	turn(2);
	CU_ASSERT_EQUAL(peer_receive(&end, &byte, 1), 0); /* the end */
	CU_ASSERT_FALSE(end.is_closed);
	(void)shutdown(end.peer, SHUT_WR);
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, 0);
	CU_ASSERT_EQUAL(end.n_data, 0);
	CU_ASSERT_EQUAL(end.n_drained, 0);
	clear(&end);
}

/* The peer has ended already, and still takes what is queued. */
static void close_after_flush_of_a_half_closed_peer(void)
{
	struct end end;

	set(&end);
	fill_up(&end);
	CALL(transport_close_after_flush(end.t, 20000));
	(void)shutdown(end.peer, SHUT_WR);
	turn(5);
	CU_ASSERT_FALSE(end.is_closed);
	for (unsigned i = 0; i < 100000 && !end.is_closed; i++) {
		CU_ASSERT_EQUAL(receive(&end, 100 * KIB), 0);
		turn(1);
	}
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, written);
	CU_ASSERT_EQUAL(end.error, 0);
	clear(&end);
}

static void linger_has_a_limit(void)
{
	struct end end;

	set(&end);
	write_copied(&end, 100);
	CALL(transport_close_after_flush(end.t, 30));
	turn(2);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 100);
	CU_ASSERT_FALSE(end.is_closed);
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, ETIMEDOUT);
	clear(&end);
}

static void flush_has_a_limit_too(void)
{
	struct end end;

	set(&end);
	fill_up(&end);
	write_shared(&end, 10 * KIB);
	CALL(transport_close_after_flush(end.t, 30));
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, ETIMEDOUT);
	CU_ASSERT_EQUAL(n_released, 1);
	clear(&end);
}

static void no_linger(void)
{
	struct end end;

	set(&end);
	write_copied(&end, 100);
	CALL(transport_close_after_flush(end.t, 0));
	CU_ASSERT_FALSE(end.is_closed);
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, 0);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 100);
	clear(&end);
}

static void no_linger_for_a_peer_that_does_not_read(void)
{
	struct end end;

	set(&end);
	fill_up(&end);
	CALL(transport_close_after_flush(end.t, 0));
	CU_ASSERT_FALSE(end.is_closed);
	turn(1);
	CU_ASSERT_TRUE(end.is_closed);
	CU_ASSERT_EQUAL(end.error, ETIMEDOUT);
	clear(&end);
}

static size_t write_next_turn(struct end *end, struct slice bytes)
{
	end_take(end, slice_make(bytes.data, 1));
	write_copied(end, 100);
	return 1;
}

/*
 * Closing a connection on which writing has failed, while what the peer sent is still being read.

 */
static void close_after_flush_of_a_failed_write(void)
{
	static uint8_t bytes[1000];
	struct end end;

	set(&end);
	end.consume = write_next_turn;
	CU_ASSERT_EQUAL(peer_send(&end, bytes, sizeof(bytes)), sizeof(bytes));
	(void)close(end.peer);
	end.peer = -1;
	turn(1);
	CU_ASSERT_EQUAL(end.n_data, 1);
	CU_ASSERT_FALSE(end.is_closed);
	CALL(transport_close_after_flush(end.t, 20000));
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, EPIPE);
	CU_ASSERT_EQUAL(end.n_data, 1);
	clear(&end);
}

static size_t close_in_data(struct end *end, struct slice bytes)
{
	write_copied(end, 8);
	CALL(transport_close_after_flush(end->t, 20000));
	return bytes.size - 1;
}

/* As the answer to a wrong protocol header. */
static void close_after_flush_in_data(void)
{
	struct end end;

	set(&end);
	end.consume = close_in_data;
	CU_ASSERT_EQUAL(peer_send(&end, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	turn(2);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 8);
	CU_ASSERT_EQUAL(peer_send(&end, "more", 4), 4);
	turn(2);
	(void)close(end.peer);
	end.peer = -1;
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.n_data, 1);
	clear(&end);
}

static void close_after_flush_of_a_paused_one(void)
{
	struct end end;

	set(&end);
	CU_ASSERT_EQUAL(peer_send(&end, "abc", 3), 3);
	CALL(transport_pause_reading(end.t));
	CALL(transport_close_after_flush(end.t, 20000));
	(void)close(end.peer);
	end.peer = -1;
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.n_data, 0);
	clear(&end);
}

/* What is sent over the loopback may arrive a little later, on a machine that is busy. */
static void wait_for_end(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

	CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, 30000), 1);
}

static unsigned segments_received(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	CU_ASSERT_EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info.tcpi_segs_in;
}

/* The last bytes and the end are one packet, and the peer wakes up once for both. */
static void the_end_leaves_with_the_last_bytes(void)
{
	struct end end;
	uint8_t byte;
	unsigned before;

	set_tcp(&end);
	before = segments_received(end.peer);
	write_copied(&end, 100);
	CALL(transport_close_after_flush(end.t, 20000));
	turn(2);
	wait_for_end(end.peer);
	CU_ASSERT_EQUAL(segments_received(end.peer), before + 1);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(peer_receive(&end, &byte, 1), 1);
	CU_ASSERT_EQUAL(peer_receive(&end, &byte, 1), 0);
	clear(&end);
}

/* The peer has all the bytes, and no end before it has ended itself. */
static void close_after_peer(void)
{
	struct end end;
	uint8_t byte;

	set(&end);
	fill_up(&end);
	CALL(transport_close_after_peer(end.t, 20000));
	for (unsigned i = 0; i < 100000 && received < written; i++) {
		CU_ASSERT_EQUAL(receive(&end, 100 * KIB), 0);
		turn(1);
	}
	CU_ASSERT_EQUAL(received, written);
	turn(3);
	errno = 0;
	CU_ASSERT_EQUAL(recv(end.peer, &byte, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_FALSE(end.is_closed);
	(void)shutdown(end.peer, SHUT_WR);
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, 0);
	CU_ASSERT_EQUAL(peer_receive(&end, &byte, 1), 0);
	clear(&end);
}

/* The peer ended before that was asked for. */
static void close_after_peer_that_has_ended(void)
{
	struct end end;
	uint8_t byte;

	set(&end);
	CALL(transport_pause_reading(end.t));
	write_copied(&end, 100);
	(void)shutdown(end.peer, SHUT_WR);
	turn(2);
	CALL(transport_close_after_peer(end.t, 20000));
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, 0);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 100);
	CU_ASSERT_EQUAL(peer_receive(&end, &byte, 1), 0);
	clear(&end);
}

static void close_after_peer_has_a_limit(void)
{
	struct end end;
	uint8_t byte;

	set(&end);
	write_copied(&end, 100);
	CALL(transport_close_after_peer(end.t, 30));
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.error, ETIMEDOUT);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 100);
	CU_ASSERT_EQUAL(peer_receive(&end, &byte, 1), 0);
	clear(&end);
}

static void addresses(void)
{
	char text[NET_ADDRESS_TEXT_MAX];
	struct end end;

	set_tcp(&end);
	CU_ASSERT_STRING_EQUAL(transport_peer(end.t)->host, "127.0.0.1");
	CU_ASSERT_STRING_EQUAL(transport_local(end.t).host, "127.0.0.1");
	CU_ASSERT_TRUE(transport_peer(end.t)->is_loopback);
	CU_ASSERT_NOT_EQUAL(transport_peer(end.t)->port, 0);
	CU_ASSERT_NOT_EQUAL(transport_peer(end.t)->port, transport_local(end.t).port);
	clear(&end);
	set(&end);
	net_address_print(transport_peer(end.t), text);
	CU_ASSERT_STRING_EQUAL(text, "unix");
	clear(&end);
}

UNIT_MAIN("net/transport close", UNIT_TEST(peer_ends), UNIT_TEST(destroy_when_closed),
	  UNIT_TEST(peer_resets), UNIT_TEST(peer_resets_while_paused),
	  UNIT_TEST(failed_write_does_not_lose_input), UNIT_TEST(failed_write_ends_a_paused_one),
	  UNIT_TEST(close_after_flush_waits_for_both),
	  UNIT_TEST(close_after_flush_of_a_half_closed_peer), UNIT_TEST(linger_has_a_limit),
	  UNIT_TEST(flush_has_a_limit_too), UNIT_TEST(no_linger),
	  UNIT_TEST(no_linger_for_a_peer_that_does_not_read),
	  UNIT_TEST(close_after_flush_of_a_failed_write), UNIT_TEST(close_after_flush_in_data),
	  UNIT_TEST(close_after_flush_of_a_paused_one),
	  UNIT_TEST(the_end_leaves_with_the_last_bytes), UNIT_TEST(close_after_peer),
	  UNIT_TEST(close_after_peer_that_has_ended), UNIT_TEST(close_after_peer_has_a_limit),
	  UNIT_TEST(addresses))
