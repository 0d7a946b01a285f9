/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena_state.h"
#include "trace.h"

#define REGION_MAX  ((size_t)1 << 34)
#define REGION_MIN  ((size_t)1 << 26)
#define FILL_NEW    0xa5
#define FILL_BEHIND 0x5a

struct arena arena;
static pthread_mutex_t arena_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Addresses only: memory comes with what is used of it. */
static void *reserve(size_t size)
{
	void *memory =
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

void arena_init(void)
{
	arena.page_size = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t size = REGION_MAX; arena.base == NULL && size >= REGION_MIN; size /= 2) {
		arena.base = reserve(size);
		arena.n_pages = size / arena.page_size;
	}
	if (arena.base == NULL)
		trace_fail("the tester itself: no address space for guarded memory");
	/* both grow with what is used of them, as fresh pages do */
	arena.of_page = mmap(NULL, arena.n_pages * sizeof(*arena.of_page), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	arena.pieces = mmap(NULL, arena.n_pages * sizeof(*arena.pieces), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena.of_page == MAP_FAILED || arena.pieces == MAP_FAILED)
		trace_fail("the tester itself: no memory for its tables");
	arena.n_pieces = 1; /* 0: none */
	arena.next_page = 1;
	arena_install_handler();
}

static void protect(const struct arena_piece *piece, int protection)
{
	uint8_t *start = arena.base + piece->page * arena.page_size;

	if (mprotect(start, piece->n_pages * arena.page_size, protection) != 0)
		trace_fail("the tester itself: mprotect failed; too many pieces of memory");
}

/* With the alignment's rest behind it. */
static struct arena_piece *piece_make(enum arena_kind kind, size_t size, size_t alignment)
{
	size_t pages = size / arena.page_size + 1;
	struct arena_piece *piece;
	size_t offset;

	if (pages >= arena.n_pages - arena.next_page)
		return NULL;
	piece = &arena.pieces[arena.n_pieces];
	offset = (pages * arena.page_size - size) & ~(alignment - 1);
	piece->page = arena.next_page;
	piece->n_pages = pages;
	piece->kind = kind;
	piece->size = size;
	piece->data = arena.base + piece->page * arena.page_size + offset;
	piece->call = trace_frame.call;
	for (size_t i = 0; i < pages; i++)
		arena.of_page[piece->page + i] = arena.n_pieces;
	arena.next_page += pages + 1;
	protect(piece, PROT_READ | PROT_WRITE);
	arena.n_pieces++;
	return piece;
}

static uint8_t *behind(const struct arena_piece *piece, size_t *ret_size)
{
	uint8_t *end = (uint8_t *)piece->data + piece->size;

	*ret_size = (size_t)(arena.base + (piece->page + piece->n_pages) * arena.page_size - end);
	return end;
}

static void *allocate(enum arena_kind kind, size_t size, size_t alignment, unsigned owner,
		      unsigned number)
{
	struct arena_piece *piece;
	uint8_t *end;
	size_t rest;

	(void)pthread_mutex_lock(&arena_mutex);
	piece = piece_make(kind, size, alignment);
	if (piece != NULL) {
		piece->owner = owner;
		piece->number = number;
		piece->is_live = true;
		arena.live += kind == ARENA_PLUGIN;
		arena.live_bytes += kind == ARENA_PLUGIN ? size : 0;
	}
	(void)pthread_mutex_unlock(&arena_mutex);
	if (piece == NULL)
		return NULL;
	memset(piece->data, FILL_NEW, size);
	end = behind(piece, &rest);
	memset(end, FILL_BEHIND, rest);
	return piece->data;
}

void *arena_allocate(enum arena_kind kind, size_t size, unsigned owner, unsigned number)
{
	return allocate(kind, size, 16, owner, number);
}

const void *arena_copy(enum arena_kind kind, const void *data, size_t size, unsigned owner,
		       unsigned number)
{
	void *copy = allocate(kind, size, 1, owner, number);

	if (copy == NULL)
		trace_fail("the tester itself: out of guarded memory");
	if (size > 0)
		memcpy(copy, data, size);
	arena_seal(copy);
	return copy;
}

const struct arena_piece *arena_find(const void *data)
{
	const struct arena_piece *piece = arena_piece_at((uintptr_t)data);

	if (piece == NULL) /* an empty one begins where it ends */
		piece = arena_piece_at((uintptr_t)data - 1);
	return piece != NULL && piece->data == data ? piece : NULL;
}

void arena_seal(const void *data)
{
	const struct arena_piece *piece = arena_find(data);

	if (piece != NULL)
		protect(piece, PROT_READ);
}

static void check_behind(const struct arena_piece *piece)
{
	size_t rest;
	const uint8_t *end = behind(piece, &rest);

	for (size_t i = 0; i < rest; i++)
		if (end[i] != FILL_BEHIND)
			trace_fail("it wrote behind an allocation of %zu bytes, made in %s",
				   piece->size, piece->call != NULL ? piece->call : "a thread");
}

void arena_free(const void *data)
{
	const struct arena_piece *found = data != NULL ? arena_find(data) : NULL;
	struct arena_piece *piece;

	if (data == NULL)
		return;
	if (found == NULL)
		trace_fail("it freed something that was never allocated");
	piece = &arena.pieces[found - arena.pieces];
	if (!piece->is_live)
		trace_fail("it freed an allocation of %zu bytes twice", piece->size);
	if (piece->kind == ARENA_PLUGIN)
		check_behind(piece);
	(void)pthread_mutex_lock(&arena_mutex);
	piece->is_live = false;
	arena.live -= piece->kind == ARENA_PLUGIN;
	arena.live_bytes -= piece->kind == ARENA_PLUGIN ? piece->size : 0;
	protect(piece, PROT_NONE);
	(void)madvise(arena.base + piece->page * arena.page_size, piece->n_pages * arena.page_size,
		      MADV_DONTNEED);
	(void)pthread_mutex_unlock(&arena_mutex);
}

size_t arena_live(void)
{
	return arena.live;
}

size_t arena_live_bytes(void)
{
	return arena.live_bytes;
}

/* ---- Read-only ---- */

static bool segment_is(const struct dl_phdr_info *info, const ElfW(Phdr) * header, uintptr_t symbol)
{
	uintptr_t start = info->dlpi_addr + header->p_vaddr;

	return header->p_type == PT_LOAD && symbol >= start && symbol < start + header->p_memsz;
}

/* The writable segment, without what the linker has made read-only already. */
static void add_segments(const struct dl_phdr_info *info)
{
	uintptr_t relro_end = 0, mask = ~(uintptr_t)(arena.page_size - 1);

	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			relro_end = (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
				     info->dlpi_phdr[i].p_memsz) &
				    mask;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + header->p_vaddr) & mask;
		uintptr_t end = info->dlpi_addr + header->p_vaddr + header->p_memsz;

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_W))
			continue;
		start = start < relro_end && relro_end <= end ? relro_end : start;
		end = (end + arena.page_size - 1) & mask;
		if (start >= end || arena.n_segments == ARENA_SEGMENTS)
			continue;
		arena.segments[arena.n_segments++] = (struct arena_segment){start, end};
	}
}

static int visit_object(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (segment_is(info, &info->dlpi_phdr[i], (uintptr_t)context)) {
			add_segments(info);
			return 1;
		}
	return 0;
}

void arena_add_object(const void *symbol)
{
	arena.n_segments = 0;
	(void)dl_iterate_phdr(visit_object, (void *)(uintptr_t)symbol);
}

static void protect_all(int protection)
{
	for (size_t i = 1; i < arena.n_pieces; i++)
		if (arena.pieces[i].is_live && arena.pieces[i].kind == ARENA_PLUGIN)
			protect(&arena.pieces[i], protection);
	for (size_t i = 0; i < arena.n_segments; i++)
		if (mprotect((void *)arena.segments[i].start, // NOLINT: addresses from the linker
			     arena.segments[i].end - arena.segments[i].start, protection) != 0)
			trace_fail("the tester itself: mprotect of static data failed");
}

void arena_lock(void)
{
	protect_all(PROT_READ);
	arena.is_locked = true;
}

void arena_unlock(void)
{
	arena.is_locked = false;
	arena.n_own = 0;
	protect_all(PROT_READ | PROT_WRITE);
}
