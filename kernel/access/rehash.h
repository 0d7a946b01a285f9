/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_REHASH_H
#define KERNEL_ACCESS_REHASH_H

/*
 * Takes the place of a hash of RabbitMQ's when the password was right: the user gets the new one
 * (Argon2id), if it still has the old one by then. At home. All that is given is copied.
 */

#include "access/access.h"
#include "access/remembered.h"

void rehash_begin(struct access *access, struct remembered *remembered, struct slice user,
		  const struct remembered_digest *digest, const struct throttle_address *from,
		  const char *old_hash, const char *new_hash);

#endif
