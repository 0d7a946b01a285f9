/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "base/slab_state.h"

/*
 * Heaps and threads: who has which, and how an object that was freed on another thread comes back.
 *
 * The thread that frees it puts it in a parcel, and pushes a chain of parcels onto the owner's
 * inbox by one compare-and-swap: at the end of its turn, when there are SLAB_PARCELS_AT_ONCE, or at
 * once if it does not work in turns. The owner takes all by one exchange, when it needs objects,
 * and in its upkeep. Nothing is ever popped singly, so an address that comes again does no harm.
 *
 * An owner whose upkeep has found nothing to do is at rest until it uses its heap or something
 * comes back. It says so, then looks into its inbox; who pushes does so, then looks whether the
 * owner is at rest. All four are sequentially consistent, so one of them sees the other.
 */

/* Objects that an upkeep takes in at most: some ten ns each. */
#define UPKEEP_OBJECTS 16384u
/* Units that it releases at most: a whole region. */
#define UPKEEP_UNITS   64u
#define UPKEEP_SOON_MS 10u

static _Atomic(struct slab_heap *) all_heaps; /* the newest is first */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* only for its destructor */
static int key_error;

/* ---- Objects of other threads ---- */

static void push(struct slab_heap *heap, struct slab_parcel *newest, struct slab_parcel *oldest)
{
	struct slab_parcel *top = atomic_load_explicit(&heap->inbox, memory_order_relaxed);

	do {
		oldest->next = top;
	} while (!atomic_compare_exchange_weak(&heap->inbox, &top, newest));
	if (UNLIKELY(atomic_load(&heap->is_at_rest)) && atomic_exchange(&heap->is_at_rest, false))
		heap->wake(heap->wake_arg);
}

static void push_outgoing(struct slab_heap *self, uint32_t at)
{
	struct slab_outgoing *outgoing = &self->outgoing[at];

	push(outgoing->heap, outgoing->newest, outgoing->oldest);
	outgoing->n_parcels = 0;
	outgoing->room = 0;
	self->outgoing_filled &= ~(UINT32_C(1) << at);
}

static void push_all(struct slab_heap *self)
{
	while (self->outgoing_filled != 0)
		push_outgoing(self, (uint32_t)__builtin_ctz(self->outgoing_filled));
}

/* The object becomes the newest parcel. */
static void begin_parcel(struct slab_heap *self, uint32_t at, struct slab *slab, void *object)
{
	struct slab_outgoing *outgoing = &self->outgoing[at];
	struct slab_parcel *parcel = object;

	if (outgoing->n_parcels > 0 &&
	    (outgoing->heap != slab->heap || outgoing->n_parcels == SLAB_PARCELS_AT_ONCE))
		push_outgoing(self, at);
	parcel->count = 0;
	parcel->next = outgoing->newest;
	if (outgoing->n_parcels == 0) {
		outgoing->heap = slab->heap;
		outgoing->oldest = parcel;
		self->outgoing_filled |= UINT32_C(1) << at;
	}
	outgoing->newest = parcel;
	outgoing->n_parcels++;
	outgoing->room = SLAB_PARCEL_OBJECTS(slab->object_size);
}

void slab_free_elsewhere(struct slab_heap *self, struct slab *slab, void *object)
{
	if (UNLIKELY(!self || !self->in_turns)) {
		struct slab_parcel *parcel = object;

		parcel->count = 0;
		push(slab->heap, parcel, parcel);
		return;
	}

	uint32_t at = slab->heap->number % SLAB_OUTGOING;
	struct slab_outgoing *outgoing = &self->outgoing[at];

	if (UNLIKELY(outgoing->room == 0 || outgoing->heap != slab->heap)) {
		begin_parcel(self, at, slab, object);
		return;
	}
	outgoing->newest->objects[outgoing->newest->count++] = object;
	outgoing->room--;
}

/* ---- What comes back ---- */

bool slab_has_returned(const struct slab_heap *heap)
{
	return heap->returned || atomic_load_explicit(&heap->inbox, memory_order_relaxed) != NULL;
}

static void take_in(struct slab_heap *heap, void *object)
{
	struct slab *slab = slab_of(object);
	struct slab_magazine *magazine = &heap->magazines[slab->class];

	if (magazine->count < slab->capacity)
		magazine->objects[magazine->count++] = object;
	else
		slab_put(heap, slab, object);
}

/* One parcel, if there is one. Returns how many objects that were. */
uint32_t slab_take_returned(struct slab_heap *heap)
{
	if (!heap->returned)
		heap->returned = atomic_exchange_explicit(&heap->inbox, NULL, memory_order_acquire);

	struct slab_parcel *parcel = heap->returned;

	if (!parcel)
		return 0;
	heap->returned = parcel->next;
	if (parcel->next)
		__builtin_prefetch(parcel->next);

	uint32_t count = parcel->count;

	for (uint32_t i = 0; i < count; i++)
		take_in(heap, parcel->objects[i]);
	take_in(heap, parcel);
	return count + 1;
}

/* ---- Threads ---- */

/* Its objects may live on: it waits for the next thread that needs a heap. */
static void abandon(void *arg)
{
	struct slab_heap *heap = arg;

	push_all(heap);
	heap->in_turns = false;
	atomic_store(&heap->is_at_rest, false);
	while (slab_has_returned(heap))
		(void)slab_take_returned(heap);
	slab_empty_magazines(heap);
	slab_units_release(&heap->units, heap->units.n_spare);
	slab_own_heap = NULL;
	atomic_store_explicit(&heap->is_owned, false, memory_order_release);
}

static void create_key(void)
{
	key_error = pthread_key_create(&key, abandon);
}

static struct slab_heap *heap_create(void)
{
	struct slab_heap *heap = mmap(NULL, sizeof(*heap), PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (heap == MAP_FAILED)
		return NULL;
	atomic_init(&heap->is_owned, true);
	slab_units_init(&heap->units);
	for (uint32_t class = 0; class < SLAB_CLASSES; class ++)
		list_init(&heap->partial[class]);

	struct slab_heap *newest = atomic_load(&all_heaps);

	do {
		heap->next = newest;
		heap->number = newest ? newest->number + 1 : 0;
	} while (!atomic_compare_exchange_weak(&all_heaps, &newest, heap));
	return heap;
}

static struct slab_heap *find_abandoned(void)
{
	struct slab_heap *heap = atomic_load(&all_heaps);

	for (; heap; heap = heap->next) {
		bool owned = false;

		if (atomic_compare_exchange_strong(&heap->is_owned, &owned, true))
			return heap;
	}
	return NULL;
}

struct slab_heap *slab_heap_claim(void)
{
	(void)pthread_once(&key_once, create_key);
	if (key_error != 0)
		return NULL;

	struct slab_heap *heap = find_abandoned();

	if (!heap)
		heap = heap_create();
	if (!heap)
		return NULL;
	if (pthread_setspecific(key, heap) != 0) {
		atomic_store_explicit(&heap->is_owned, false, memory_order_release);
		return NULL;
	}
	slab_own_heap = heap;
	return heap;
}

/* ---- Turns ---- */

void slab_set_in_turns(bool in_turns, void (*wake)(void *arg), void *arg)
{
	struct slab_heap *heap = slab_own_heap;

	/* Without memory for a heap it goes on as a thread without turns. */
	if (!heap && in_turns)
		heap = slab_heap_claim();
	if (!heap)
		return;
	push_all(heap);
	atomic_store(&heap->is_at_rest, false);
	heap->in_turns = in_turns;
	heap->was_used = true;
	/* Else it stays: somebody may be about to call it. */
	if (!in_turns)
		return;
	heap->wake = wake;
	heap->wake_arg = arg;
}

static bool has_much(const struct slab_heap *heap)
{
	return heap->units.n_used + heap->units.n_spare > SLAB_SPARE_KEPT;
}

bool slab_finish_turn(void)
{
	struct slab_heap *heap = slab_own_heap;

	if (!heap)
		return false;
	if (heap->outgoing_filled != 0)
		push_all(heap);
	return (heap->was_used || slab_has_returned(heap)) && has_much(heap);
}

/* True: there is more. */
static bool take_in_some(struct slab_heap *heap)
{
	uint32_t n = 0;

	while (n < UPKEEP_OBJECTS && slab_has_returned(heap))
		n += slab_take_returned(heap);
	/* What lies in a magazine keeps its slabs from becoming free. */
	slab_empty_magazines(heap);
	return n >= UPKEEP_OBJECTS;
}

/* True: there are more. */
static bool release_some(struct slab_units *units)
{
	uint32_t n = units->n_spare_low;

	n = n > SLAB_SPARE_KEPT ? n - SLAB_SPARE_KEPT : 0;
	if (n <= UPKEEP_UNITS) {
		slab_units_release(units, n);
		units->n_spare_low = units->n_spare;
		return false;
	}
	slab_units_release(units, UPKEEP_UNITS);
	return true;
}

/* False: something comes back just now. */
static bool rest(struct slab_heap *heap)
{
	if (!heap->in_turns || !heap->wake)
		return true;
	atomic_store(&heap->is_at_rest, true);
	return !atomic_load(&heap->inbox) || !atomic_exchange(&heap->is_at_rest, false);
}

unsigned slab_upkeep(void)
{
	struct slab_heap *heap = slab_own_heap;

	if (!heap)
		return 0;

	bool had_work = heap->was_used || slab_has_returned(heap);
	bool more = take_in_some(heap);

	more = release_some(&heap->units) || more;
	heap->was_used = more;
	if (more)
		return UPKEEP_SOON_MS;
	if (!has_much(heap))
		return 0;
	/* What is spare now, and stays so, is released by the next one. */
	had_work = had_work || heap->units.n_spare > SLAB_SPARE_KEPT;
	return had_work || !rest(heap) ? SLAB_UPKEEP_MS : 0;
}

void slab_own_usage(struct slab_usage *ret_usage)
{
	const struct slab_heap *heap = slab_own_heap;

	*ret_usage = (struct slab_usage){0};
	if (!heap)
		return;
	ret_usage->used = heap->units.n_used * (size_t)SLAB_UNIT_SIZE;
	ret_usage->spare = heap->units.n_spare * (size_t)SLAB_UNIT_SIZE;
	ret_usage->mapped = heap->units.n_regions * (size_t)SLAB_REGION_SIZE;
}
