/* SPDX-License-Identifier: MIT */
#include "net/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fixture.h"
#include "loop/loop.h"

#include "../unit.h"

#define KIB ((size_t)1024)

static void everything_arrives(void)
{
	struct end end;
	uint8_t *bytes = malloc(700 * KIB);

	loop_set();
	end_open(&end);
	fill_pattern(bytes, 700 * KIB, 0);
	peer_send_all(&end, bytes, 700 * KIB);
	turn(5);
	CU_ASSERT_EQUAL(end.n_got, 700 * KIB);
	CU_ASSERT_EQUAL(count_wrong(end.got, end.n_got, 0), 0);
	CU_ASSERT_EQUAL(transport_bytes_read(end.t), 700 * KIB);
	CU_ASSERT_TRUE(transport_last_read_ms(end.t) > 0 &&
		       transport_last_read_ms(end.t) <= loop_now_ms());
	end_close(&end);
	free(bytes);
	loop_clear();
}

/*
 * ---- frames: four bytes of length, then as many bytes of the pattern, counted on from frame to
 * frame ----
 */

static bool says_want; /* the consumer calls transport_want */
static unsigned pause_every;
static unsigned n_frames;

static size_t frame_size(const uint8_t *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static size_t consume_frames(struct end *end, struct slice bytes)
{
	size_t used = 0;

	while (!transport_is_paused(end->t)) {
		size_t left = bytes.size - used, size = 4;

		if (left >= 4)
			size += frame_size(bytes.data + used);
		if (left < size) {
			if (says_want)
				transport_want(end->t, size);
			break;
		}
		end_take(end, slice_make(bytes.data + used + 4, size - 4));
		used += size;
		n_frames++;
		if (pause_every > 0 && n_frames % pause_every == 0)
			CALL(transport_pause_reading(end->t));
	}
	return used;
}

static uint8_t *make_frames(unsigned n, size_t max, size_t *ret_size, size_t *ret_content)
{
	uint8_t *bytes = malloc(n * (max + 4));
	size_t size = 0, content = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t frame = (size_t)rand() % (max + 1);

		bytes[size] = (uint8_t)(frame >> 24);
		bytes[size + 1] = (uint8_t)(frame >> 16);
		bytes[size + 2] = (uint8_t)(frame >> 8);
		bytes[size + 3] = (uint8_t)frame;
		fill_pattern(bytes + size + 4, frame, content);
		size += 4 + frame;
		content += frame;
	}
	*ret_size = size;
	*ret_content = content;
	return bytes;
}

/* In pieces of random size up to max_piece, a turn after each. */
static void send_pieces(struct end *end, const uint8_t *bytes, size_t size, size_t max_piece)
{
	uint64_t limit = clock_monotonic_ms() + 30000;

	while (size > 0 && clock_monotonic_ms() < limit) {
		size_t piece = 1 + (size_t)rand() % max_piece;

		if (piece > size)
			piece = size;
		piece = peer_send(end, bytes, piece);
		bytes += piece;
		size -= piece;
		turn(1);
		if (transport_is_paused(end->t) && rand() % 2)
			CALL(transport_resume_reading(end->t));
	}
}

static void run_frames(unsigned n, size_t max, size_t max_piece)
{
	size_t size, content;
	uint8_t *bytes = make_frames(n, max, &size, &content);
	struct end end;

	loop_set();
	end_open(&end);
	end.consume = consume_frames;
	n_frames = 0;
	send_pieces(&end, bytes, size, max_piece);
	for (unsigned i = 0; i < 100000 && n_frames < n; i++) {
		if (transport_is_paused(end.t))
			CALL(transport_resume_reading(end.t));
		turn(1);
	}
	CU_ASSERT_EQUAL(n_frames, n);
	CU_ASSERT_EQUAL(end.n_got, content);
	CU_ASSERT_EQUAL(count_wrong(end.got, end.n_got, 0), 0);
	end_close(&end);
	free(bytes);
	loop_clear();
}

static void frames_byte_by_byte(void)
{
	pause_every = 0;
	says_want = false;
	run_frames(100, 20, 1);
	says_want = true;
	run_frames(100, 20, 1);
}

static void frames_in_any_pieces(void)
{
	pause_every = 0;
	for (unsigned i = 0; i < 2; i++) {
		says_want = i == 1;
		run_frames(500, 300, 1000);
		run_frames(200, 20 * KIB, 50 * KIB);
		run_frames(40, 400 * KIB, 300 * KIB);
		run_frames(100, 9 * KIB, 100);
	}
}

static void frames_with_pauses(void)
{
	for (unsigned i = 0; i < 2; i++) {
		says_want = i == 1;
		pause_every = 1;
		run_frames(500, 300, 1000);
		run_frames(100, 20 * KIB, 50 * KIB);
		pause_every = 7;
		run_frames(500, 3000, 30000);
	}
	pause_every = 0;
}

/*
 * A frame of 8 MiB in pieces of 1000 bytes: the handler is called for the length and for the whole.
 */
static void large_frame_is_gathered_in_place(void)
{
	size_t size = 8 * KIB * KIB;
	uint8_t *bytes = malloc(size + 4);
	struct end end;

	says_want = true;
	loop_set();
	end_open(&end);
	end.consume = consume_frames;
	n_frames = 0;
	bytes[0] = 0;
	bytes[1] = (uint8_t)(size >> 16);
	bytes[2] = 0;
	bytes[3] = 0;
	fill_pattern(bytes + 4, size, 0);
	send_pieces(&end, bytes, size + 4, 1000);
	turn(2);
	CU_ASSERT_EQUAL(n_frames, 1);
	CU_ASSERT_EQUAL(count_wrong(end.got, end.n_got, 0), 0);
	CU_ASSERT_TRUE(end.n_data <= 3);
	end_close(&end);
	free(bytes);
	loop_clear();
}

static size_t consume_nothing(struct end *end, struct slice bytes)
{
	(void)bytes;
	transport_want(end->t, SIZE_MAX);
	return 0;
}

static void claimed_size_takes_no_memory(void)
{
	uint8_t bytes[100] = {0};
	struct end end;

	loop_set();
	end_open(&end);
	end.consume = consume_nothing;
	for (unsigned i = 0; i < 1000; i++)
		peer_send_all(&end, bytes, sizeof(bytes));
	turn(2);
	CU_ASSERT_EQUAL(end.n_data, 1);
	CU_ASSERT_EQUAL(transport_bytes_read(end.t), 100000);
	CU_ASSERT_FALSE(end.is_closed);
	end_close(&end);
	loop_clear();
}

static void no_memory_for_the_rest(void)
{
	uint8_t bytes[100] = {0};
	struct end end;

	loop_set();
	end_open(&end);
	end.consume = consume_nothing;
	CU_ASSERT_EQUAL(peer_send(&end, bytes, sizeof(bytes)), sizeof(bytes));
	mem_fault_after(1);
	turn_until(&end.is_closed);
	mem_fault_after(-1);
	CU_ASSERT_EQUAL(end.error, ENOMEM);
	CU_ASSERT_EQUAL(end.n_closed, 1);
	end_close(&end);
	loop_clear();
}

/* ---- fairness and pauses ---- */

static void one_chunk_in_a_turn(void)
{
	int size = 2 * 1024 * 1024;
	uint8_t *bytes = calloc(1, 1024 * KIB);
	struct end end;

	loop_set();
	end_open(&end);
	(void)setsockopt(end.peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)peer_send(&end, bytes, 1024 * KIB);
	turn(1);
	CU_ASSERT_EQUAL(end.n_data, 1);
	CU_ASSERT_TRUE(end.n_got <= TRANSPORT_CHUNK_SIZE);
	turn(10);
	CU_ASSERT_TRUE(end.n_got > 0);
	end_close(&end);
	free(bytes);
	loop_clear();
}

static void paused_reads_nothing(void)
{
	uint8_t bytes[1000] = {0};
	struct end end;

	loop_set();
	end_open(&end);
	CALL(transport_pause_reading(end.t));
	CALL(transport_pause_reading(end.t));
	CU_ASSERT_TRUE(transport_is_paused(end.t));
	CU_ASSERT_EQUAL(peer_send(&end, bytes, sizeof(bytes)), sizeof(bytes));
	(void)shutdown(end.peer, SHUT_WR);
	turn(5);
	CU_ASSERT_EQUAL(end.n_data, 0);
	CU_ASSERT_EQUAL(transport_bytes_read(end.t), 0);
	CU_ASSERT_FALSE(end.is_closed);
	CALL(transport_resume_reading(end.t));
	CU_ASSERT_EQUAL(end.n_data, 0);
	turn_until(&end.is_closed);
	CU_ASSERT_EQUAL(end.n_got, 1000);
	CU_ASSERT_EQUAL(end.error, 0);
	end_close(&end);
	loop_clear();
}

static size_t consume_one(struct end *end, struct slice bytes)
{
	end_take(end, slice_make(bytes.data, 1));
	CALL(transport_pause_reading(end->t));
	return 1;
}

/* Kept bytes are handed over although nothing more comes, and never in the call. */
static void resume_hands_over_what_is_kept(void)
{
	struct end end;

	loop_set();
	end_open(&end);
	end.consume = consume_one;
	CU_ASSERT_EQUAL(peer_send(&end, "abc", 3), 3);
	for (unsigned i = 1; i <= 3; i++) {
		turn(3);
		CU_ASSERT_EQUAL(end.n_got, i);
		CALL(transport_resume_reading(end.t));
		CU_ASSERT_EQUAL(end.n_got, i);
	}
	turn(3);
	CU_ASSERT_EQUAL(memcmp(end.got, "abc", 3), 0);
	CU_ASSERT_EQUAL(end.n_data, 3);
	CU_ASSERT_FALSE(transport_is_paused(end.t));
	CU_ASSERT_EQUAL(peer_send(&end, "d", 1), 1);
	turn(3);
	CU_ASSERT_EQUAL(end.n_got, 4);
	end_close(&end);
	loop_clear();
}

static void pause_right_after_resume(void)
{
	struct end end;

	loop_set();
	end_open(&end);
	end.consume = consume_one;
	CU_ASSERT_EQUAL(peer_send(&end, "abc", 3), 3);
	turn(2);
	CALL(transport_resume_reading(end.t));
	CALL(transport_pause_reading(end.t));
	turn(3);
	CU_ASSERT_EQUAL(end.n_got, 1);
	CALL(transport_resume_reading(end.t));
	turn(3);
	CU_ASSERT_EQUAL(end.n_got, 2);
	end_close(&end);
	loop_clear();
}

static size_t destroy_in_data(struct end *end, struct slice bytes)
{
	uint8_t last;

	if (end->n_data == 1)
		return 1; /* the rest comes from the kept buffer */
	CALL(transport_destroy(end->t));
	end->t = NULL;
	last = bytes.data[bytes.size - 1]; /* still there */
	CU_ASSERT_EQUAL(last, 'x');
	return 0;
}

static void destroy_while_data_is_handed_over(void)
{
	uint8_t *bytes = malloc(20 * KIB);
	struct end end;

	memset(bytes, 'x', 20 * KIB);
	loop_set();
	for (size_t first = 2; first <= 20 * KIB; first *= 100) {
		end_open(&end);
		end.consume = destroy_in_data;
		CU_ASSERT_EQUAL(peer_send(&end, bytes, first), first);
		turn(1);
		CU_ASSERT_EQUAL(end.n_data, 1);
		CU_ASSERT_EQUAL(peer_send(&end, bytes, 10), 10);
		turn(2);
		CU_ASSERT_EQUAL(end.n_data, 2);
		CU_ASSERT_EQUAL(end.n_closed, 0);
		end_close(&end);
	}
	free(bytes);
	loop_clear();
}

UNIT_MAIN("net/transport input", UNIT_TEST(everything_arrives), UNIT_TEST(frames_byte_by_byte),
	  UNIT_TEST(frames_in_any_pieces), UNIT_TEST(frames_with_pauses),
	  UNIT_TEST(large_frame_is_gathered_in_place), UNIT_TEST(claimed_size_takes_no_memory),
	  UNIT_TEST(no_memory_for_the_rest), UNIT_TEST(one_chunk_in_a_turn),
	  UNIT_TEST(paused_reads_nothing), UNIT_TEST(resume_hands_over_what_is_kept),
	  UNIT_TEST(pause_right_after_resume), UNIT_TEST(destroy_while_data_is_handed_over))
