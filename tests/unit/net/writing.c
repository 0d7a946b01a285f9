/* SPDX-License-Identifier: MIT */
#include "writing.h"

#include <stdlib.h>

#include "../unit.h"

uint64_t written, received;
unsigned n_released;

static void release(void *owner)
{
	n_released++;
	free(owner);
}

void write_reserved(struct end *end, size_t size)
{
	uint8_t *p = transport_reserve(end->t, size);

	fill_pattern(p, size, written);
	transport_commit(end->t, size);
	written += size;
}

void write_copied(struct end *end, size_t size)
{
	uint8_t *p = malloc(size);

	fill_pattern(p, size, written);
	CALL(transport_write(end->t, slice_make(p, size)));
	free(p);
	written += size;
}

void write_shared(struct end *end, size_t size)
{
	uint8_t *p = malloc(size);

	fill_pattern(p, size, written);
	CALL(transport_write_shared(end->t, slice_make(p, size), release, p));
	written += size;
}

size_t receive(struct end *end, size_t max)
{
	uint8_t buffer[8192];
	size_t n_wrong = 0;

	while (max > 0) {
		ssize_t n = peer_receive(end, buffer, max < sizeof(buffer) ? max : sizeof(buffer));

		if (n <= 0)
			break;
		n_wrong += count_wrong(buffer, (size_t)n, received);
		received += (uint64_t)n;
		max -= (size_t)n;
	}
	return n_wrong;
}

static void forget(void)
{
	written = 0;
	received = 0;
	n_released = 0;
}

void set(struct end *end)
{
	loop_set();
	end_open(end);
	forget();
}

void set_tcp(struct end *end)
{
	loop_set();
	end_open_tcp(end);
	forget();
}

void clear(struct end *end)
{
	end_close(end);
	loop_clear();
}

void fill_up(struct end *end)
{
	write_copied(end, 2 * KIB * KIB);
	turn(2);
	CU_ASSERT_TRUE_FATAL(transport_queued(end->t) > 0);
}

void destroy_when_called(struct end *end)
{
	CALL(transport_destroy(end->t));
	/* A caller further up may still write in this turn. */
	write_reserved(end, 10);
	write_copied(end, 10);
	write_shared(end, 10 * KIB);
	end->t = NULL;
}
