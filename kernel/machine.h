/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

/* What this process may use of the machine. */

#include <stdint.h>

/* Bytes of memory: what the machine has, or what the control groups (v2 or v1) allow if that is
 * less. 0: unknown. */
uint64_t machine_memory_bytes(void);

/* Processors that the process may run on; at least 1. */
unsigned machine_cores(void);

#endif
