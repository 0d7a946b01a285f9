/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arena_state.h"
#include "trace.h"

/*
 * What was touched, in words. The handler runs in the midst of anything, but the process ends in
 * it, so what is not safe in handlers (snprintf) can do no harm worth a thought: a deadlock would
 * be found as a call that does not end.
 */

#define OWN_PAGES 64 /* that one route() may write */

static _Thread_local uintptr_t own_pages[OWN_PAGES];
static _Thread_local size_t n_own_pages;
static atomic_flag own_lock = ATOMIC_FLAG_INIT;

const struct arena_piece *arena_piece_at(uintptr_t address)
{
	size_t page = (address - (uintptr_t)arena.base) / arena.page_size;

	if (address < (uintptr_t)arena.base || page >= arena.n_pages || arena.of_page[page] == 0)
		return NULL;
	return &arena.pieces[arena.of_page[page]];
}

static bool is_static_data(uintptr_t address)
{
	for (size_t i = 0; i < arena.n_segments; i++)
		if (address >= arena.segments[i].start && address < arena.segments[i].end)
			return true;
	return false;
}

/* ---- A loop's own memory ---- */

/* False if another loop has written the same place. */
static bool own_remember(uintptr_t address)
{
	bool good = true;
	size_t i = 0;

	while (atomic_flag_test_and_set_explicit(&own_lock, memory_order_acquire))
		;
	while (i < arena.n_own && arena.own[i].address != address)
		i++;
	if (i < arena.n_own)
		good = arena.own[i].loop == trace_frame.loop;
	else if (i < ARENA_OWN)
		arena.own[arena.n_own++] = (struct arena_own){address, trace_frame.loop};
	atomic_flag_clear_explicit(&own_lock, memory_order_release);
	return good;
}

/* Whether the write may go on. */
static bool own_allow(uintptr_t address)
{
	uintptr_t page = address & ~(uintptr_t)(arena.page_size - 1);

	if (!trace_frame.in_route || !trace_frame.asked_loop || n_own_pages == OWN_PAGES)
		return false;
	if (!own_remember(address))
		trace_fail("route() on loop %u wrote where route() on another loop wrote, too: two "
			   "may do it at once",
			   trace_frame.loop);
	if (mprotect((void *)page, arena.page_size, PROT_READ | PROT_WRITE) != 0)
		return false;
	own_pages[n_own_pages++] = page;
	return true;
}

void arena_route_ended(void)
{
	for (size_t i = 0; arena.is_locked && i < n_own_pages; i++)
		(void)mprotect((void *)own_pages[i], arena.page_size, PROT_READ);
	n_own_pages = 0;
}

/* ---- Words ---- */

static const char *const kind_names[] = {
	[ARENA_PLUGIN] = "memory",     [ARENA_EXCHANGE] = "a struct shunt_exchange",
	[ARENA_BINDING] = "a binding", [ARENA_MESSAGE] = "a message",
	[ARENA_DRAFT] = "a draft",     [ARENA_OTHER] = "an argument",
};

static const char *const ends[] = {
	[ARENA_PLUGIN] = "it was freed",
	[ARENA_EXCHANGE] = "the instance was destroyed",
	[ARENA_BINDING] = "it was unbound, or its bind() had failed",
	[ARENA_MESSAGE] = "the call for which it was passed",
	[ARENA_DRAFT] = "it was published or freed, or its hook returned",
	[ARENA_OTHER] = "the call for which it was passed",
};

static void say_of_piece(const struct arena_piece *piece, const char *call, uintptr_t address)
{
	if (!piece->is_live)
		trace_fail("%s used %s after %s", call, kind_names[piece->kind], ends[piece->kind]);
	if (piece->kind != ARENA_PLUGIN)
		trace_fail("%s wrote to %s, which is not its to change", call,
			   kind_names[piece->kind]);
	if (arena.is_locked)
		trace_fail("%s changed the state: it wrote at byte %zu of an allocation of %zu "
			   "bytes, made in %s",
			   call, (size_t)(address - (uintptr_t)piece->data), piece->size,
			   piece->call != NULL ? piece->call : "a thread");
}

static void say_of_address(const char *call, uintptr_t address)
{
	const struct arena_piece *piece = arena_piece_at(address);

	if (piece != NULL)
		say_of_piece(piece, call, address);
	else if (arena.is_locked && is_static_data(address))
		trace_fail("%s changed the state: it wrote to static data of the plugin", call);
	piece = arena_piece_at(address - arena.page_size);
	if (piece != NULL)
		trace_fail("%s went behind the end of %s%s", call, kind_names[piece->kind],
			   piece->kind == ARENA_PLUGIN ? " that it allocated" : "");
}

static void handle(int number, siginfo_t *info, void *context)
{
	const struct arena_piece *piece = arena_piece_at((uintptr_t)info->si_addr);
	const char *call = trace_frame.call != NULL ? trace_frame.call : "a thread of the plugin";

	(void)context;
	if (number == SIGSEGV && arena.is_locked &&
	    ((piece != NULL && piece->is_live && piece->kind == ARENA_PLUGIN) ||
	     is_static_data((uintptr_t)info->si_addr)) &&
	    own_allow((uintptr_t)info->si_addr))
		return;
	if (number == SIGSEGV || number == SIGBUS)
		say_of_address(call, (uintptr_t)info->si_addr);
	trace_fail("%s crashed: %s", call, strsignal(number));
}

void arena_install_handler(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	/* a stack of its own, for one that is full; other threads go without */
	static uint8_t stack_memory[1 << 16];
	const stack_t stack = {.ss_sp = stack_memory, .ss_size = sizeof(stack_memory)};
	struct sigaction action = {.sa_sigaction = handle,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	(void)sigemptyset(&action.sa_mask);
	(void)sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}
