/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_BRLOCK_H
#define KERNEL_LOOP_BRLOCK_H

#include <stdbool.h>

#include "base/compiler.h"

/*
 * The big-reader lock. Reading raises the loop's own flag, on a cache line of its own: some ns, and
 * no contention between loops. Writing stops all loops' reading: it announces itself and waits
 * until all flags are down; readers that meet a writer spin shortly, then sleep. A writer gets in
 * as soon as those who are reading have finished; between two writers the readers that waited get
 * in.
 *
 * Readers are threads of loops below n_loops. A writer may be any thread; a loop that reads or
 * writes may do neither again before it has released (bug_on).
 */
struct brlock;

struct brlock *brlock_create(unsigned n_loops) MUST_USE;
void brlock_destroy(struct brlock *lock);

void brlock_read_acquire(struct brlock *lock);
void brlock_read_release(struct brlock *lock);

void brlock_write_acquire(struct brlock *lock);
void brlock_write_release(struct brlock *lock);

/*
 * Does the calling loop read, does the calling thread write? For bug_on() in functions that need
 * it.
 */
bool brlock_is_reading(const struct brlock *lock);
bool brlock_is_writing(const struct brlock *lock);

#endif
