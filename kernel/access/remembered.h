/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_REMEMBERED_H
#define KERNEL_ACCESS_REMEMBERED_H

/*
 * Passwords that were right a short time ago, so that who comes again need not be hashed slowly
 * again. What is kept is a keyed hash (HMAC-SHA256, with a key that this process has drawn) of user
 * and password, the serial that the user had (a user that was changed is not remembered), and the
 * address from where it was right last.
 *
 * Of a fixed size: where it is full, the oldest nearby is forgotten. One thread at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "access/throttle.h"
#include "base/compiler.h"
#include "base/slice.h"

struct remembered;

#define REMEMBERED_MS	  UINT64_C(300000)
#define REMEMBERED_SIZE	  32u
#define REMEMBERED_WAYS	  4u
#define REMEMBERED_N_SETS 4096u /* 16384 passwords */

struct remembered_digest {
	uint8_t bytes[REMEMBERED_SIZE];
};

struct remembered *remembered_create(void);
void remembered_destroy(struct remembered *remembered);

/* 0, or -ENOMEM. */
int remembered_digest_of(const struct remembered *remembered, struct slice user,
			 struct slice password, struct remembered_digest *ret_digest) MUST_USE;
bool remembered_digest_equal(const struct remembered_digest *a, const struct remembered_digest *b);

/* now_ms is monotonic; from NULL: wherever it was right. A login that finds itself remembered does
 * not prolong that. */
bool remembered_has(const struct remembered *remembered, const struct remembered_digest *digest,
		    const struct throttle_address *from, uint64_t serial, uint64_t now_ms);
void remembered_add(struct remembered *remembered, const struct remembered_digest *digest,
		    const struct throttle_address *from, uint64_t serial, uint64_t now_ms);

#endif
