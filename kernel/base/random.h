/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_RANDOM_H
#define KERNEL_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_NAME_SIZE 23 /* with the NUL */

/* From the kernel's generator; good enough for keys. Never fails. Any thread. */
void random_bytes(void *out, size_t size);
uint64_t random_u64(void);

/* Good enough to spread load and for nothing secret: some ns. Any thread. */
uint64_t random_quick(void);

/* Base64url, without padding, of 16 random bytes: the random part of server-made names. */
void random_name(char out[RANDOM_NAME_SIZE]);

#endif
