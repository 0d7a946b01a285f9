/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_DESCRIPTORS_H
#define KERNEL_BASE_DESCRIPTORS_H

/*
 * Makes room for `count` descriptors in the process's table, or for as many as its limit allows.
 * To be called before the first thread begins: Linux doubles a full table, and if there are other
 * threads that may be looking into it, the call that needed the descriptor (accept(2), open(2))
 * waits 10 ms and more each time until all of them have gone on. Costs 8 bytes of the kernel's
 * memory for each descriptor. Where it does not succeed, the table grows as it is used.
 */
void descriptors_reserve(unsigned count);

#endif
