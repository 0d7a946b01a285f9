/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "trace.h"

void host_enter(const struct shunt_host *host, const char *function)
{
	const struct world *w = world_of(host);

	if (w == NULL || w->host.size != sizeof(struct shunt_host))
		trace_fail("it called shunt_host.%s with a host that it was not given", function);
	if (w->is_stopped)
		trace_fail("it called shunt_host.%s after stop()", function);
}

void host_outside_route(const struct shunt_host *host, const char *function)
{
	host_enter(host, function);
	if (trace_frame.in_route)
		trace_fail("route() called shunt_host.%s, which is not for route()", function);
}

/* ---- Memory ---- */

void host_fail_at(struct world *w, long n, bool onward)
{
	atomic_store(&w->failed, false);
	atomic_store(&w->fail_in, n);
	w->fail_onward = onward;
}

bool host_must_fail(struct world *w)
{
	long left = atomic_load(&w->fail_in);

	if (left < 0)
		return false;
	if (left > 1) {
		atomic_store(&w->fail_in, left - 1);
		return false;
	}
	if (!w->fail_onward)
		atomic_store(&w->fail_in, -1);
	atomic_store(&w->failed, true);
	return true;
}

static bool is_plain(const struct world *w)
{
	return w->is_plain || w->has_plain_memory;
}

static _Atomic long *live_of(struct world *w)
{
	return w->has_plain_memory ? &w->live_of_machines : &w->live;
}

/* At the beginning of what a machine may call in route(), too. */
static void enter(const struct shunt_host *host, const char *function)
{
	if (world_of(host)->has_plain_memory)
		host_enter(host, function);
	else
		host_outside_route(host, function);
}

static void *fresh(struct world *w, size_t size)
{
	void *memory = is_plain(w) ? malloc(size > 0 ? size : 1)
				   : arena_allocate(ARENA_PLUGIN, size, 0, 0);

	if (memory != NULL) {
		atomic_fetch_add(live_of(w), 1);
		atomic_fetch_add(&w->allocations, 1);
	}
	return memory;
}

static void *host_allocate(const struct shunt_host *host, size_t size)
{
	enter(host, "allocate");
	return host_must_fail(world_of(host)) ? NULL : fresh(world_of(host), size);
}

static void release(struct world *w, void *memory)
{
	if (memory == NULL)
		return;
	atomic_fetch_sub(live_of(w), 1);
	if (is_plain(w))
		free(memory);
	else
		arena_free(memory);
}

/* Always to another place: what still points to the old one is found. */
static void *move(struct world *w, void *memory, size_t size)
{
	const struct arena_piece *piece = arena_find(memory);
	void *moved;

	if (piece == NULL || !piece->is_live)
		trace_fail("it called shunt_host.reallocate with what is no allocation (any more)");
	moved = fresh(w, size);
	if (moved == NULL)
		return NULL;
	memcpy(moved, memory, piece->size < size ? piece->size : size);
	release(w, memory);
	return moved;
}

static void *host_reallocate(const struct shunt_host *host, void *memory, size_t size)
{
	struct world *w = world_of(host);

	enter(host, "reallocate");
	if (host_must_fail(w))
		return NULL;
	if (memory == NULL)
		return fresh(w, size);
	if (!is_plain(w))
		return move(w, memory, size);
	atomic_fetch_add(&w->allocations, 1);
	return realloc(memory, size > 0 ? size : 1);
}

static void host_free(const struct shunt_host *host, void *memory)
{
	enter(host, "free");
	release(world_of(host), memory);
}

void host_init_memory(struct shunt_host *host)
{
	host->allocate = host_allocate;
	host->reallocate = host_reallocate;
	host->free = host_free;
}

void host_init(struct world *w, uint64_t seed)
{
	struct rng rng = rng_fork(seed, 77);

	memset(w, 0, sizeof(*w));
	w->host.size = sizeof(w->host);
	w->host.abi_major = SHUNT_ABI_MAJOR;
	w->host.abi_minor = SHUNT_ABI_MINOR;
	w->host.broker_version = PACKAGE_VERSION;
	w->hash_seed = rng_next(&rng);
	w->hash_mask = UINT64_MAX;
	w->next_ticket = rng_next(&rng) >> 1;
	atomic_store(&w->random, rng_next(&rng));
	atomic_store(&w->fail_in, -1);
	(void)pthread_mutex_init(&w->lock, NULL);
	w->posts_end = &w->posts;
	w->publications_end = &w->publications;
	host_init_memory(&w->host);
	host_init_route(&w->host);
	host_init_register(&w->host);
	host_init_later(&w->host);
	host_init_drafts(&w->host);
}
