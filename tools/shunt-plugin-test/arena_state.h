/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_ARENA_STATE_H
#define TOOLS_SHUNT_PLUGIN_TEST_ARENA_STATE_H

/* What arena.c keeps and arena_signal.c reads. One a process, for a signal handler has no argument.
 */

#include <stdint.h>

#include "arena.h"

#define ARENA_SEGMENTS 4
#define ARENA_OWN      4096

struct arena_segment {
	uintptr_t start, end;
};

/* A place that a loop has written in route(). */
struct arena_own {
	uintptr_t address;
	unsigned loop;
};

struct arena {
	uint8_t *base;
	size_t page_size, n_pages, next_page;
	uint32_t *of_page; /* the piece that has it; 0: none */
	struct arena_piece *pieces;
	uint32_t n_pieces;
	size_t live, live_bytes;
	struct arena_segment segments[ARENA_SEGMENTS];
	size_t n_segments;
	volatile bool is_locked;
	struct arena_own own[ARENA_OWN];
	volatile size_t n_own;
};
extern struct arena arena;

void arena_install_handler(void);

/* The piece to whose pages the address belongs, live or not; NULL: none. */
const struct arena_piece *arena_piece_at(uintptr_t address);

#endif
