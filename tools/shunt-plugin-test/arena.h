/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_ARENA_H
#define TOOLS_SHUNT_PLUGIN_TEST_ARENA_H

/*
 * Memory of which every piece has pages of its own, which are never used again: what lies behind a
 * piece, and a piece that was freed, cannot be touched; all pieces of the plugin, and its static
 * data, can be made read-only. A signal handler says in words what was touched, and ends the
 * process. Any thread.
 */

#include <stdbool.h>
#include <stddef.h>

enum arena_kind {
	ARENA_PLUGIN, /* what the plugin allocated */
	ARENA_EXCHANGE,
	ARENA_BINDING,
	ARENA_MESSAGE,
	ARENA_DRAFT,
	ARENA_OTHER, /* what a login, a call or the like is made of */
};

struct arena_piece {
	void *data;
	size_t size;
	size_t page, n_pages;
	enum arena_kind kind;
	bool is_live;
	unsigned owner, number; /* the caller's: which instance, which binding */
	const char *call;	/* of the plugin, in which it was made */
};

/* Once, in the process of a check; installs the handler. */
void arena_init(void);

/* Aligned for anything: up to 15 bytes behind it are not guarded, but looked at when it is freed.
 */
void *arena_allocate(enum arena_kind kind, size_t size, unsigned owner, unsigned number);
/* A copy whose last byte is the last one that can be read. Read-only. Never NULL. */
const void *arena_copy(enum arena_kind kind, const void *data, size_t size, unsigned owner,
		       unsigned number);
/* Read-only from now on. */
void arena_seal(const void *data);
/* NULL is nothing. Whatever is freed must not be touched any more. */
void arena_free(const void *data);
/* The piece that begins there, live or not; NULL: none. */
const struct arena_piece *arena_find(const void *data);

/* Pieces of ARENA_PLUGIN that are live, and their bytes. */
size_t arena_live(void);
size_t arena_live_bytes(void);

/* Static data of the plugin, to be read-only with its pieces: of the shared object that holds the
 * symbol. */
void arena_add_object(const void *symbol);

/*
 * All that is the plugin's is read-only until arena_unlock(). A write is a fault, but for one in
 * route() after loop_index(): that is taken for memory of the loop's own, which no other loop may
 * write. After each route() arena_route_ended() makes it read-only again.
 */
void arena_lock(void);
void arena_unlock(void);
void arena_route_ended(void);

#endif
