/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_PASSWORD_H
#define KERNEL_ACCESS_PASSWORD_H

/*
 * Hashes of passwords: made and compared on worker threads, as they are meant to take long. Texts
 * are those of access/accounts.h.
 */

#include "access/accounts.h"
#include "loop/workers.h"

/* "rabbit_password_hashing_sha256" and so on, "argon2id"; NULL: no such name. */
const char *password_algorithm_name(enum password_algorithm algorithm);
bool password_algorithm_find(struct slice name, enum password_algorithm *ret_algorithm);
/* Whether a text could be a hash of that algorithm. */
bool password_hash_is_valid(enum password_algorithm algorithm, struct slice hash);

/* Any thread; takes long (some 30 ms) for Argon2id. 0, or -ENOMEM. */
int password_hash(struct slice password, enum password_algorithm algorithm,
		  char ret_hash[ACCESS_HASH_MAX]) MUST_USE;
/* Takes as long as the algorithm does whatever the password is. 0: right, 1: wrong, -ENOMEM. */
int password_verify(struct slice password, enum password_algorithm algorithm,
		    const char *hash) MUST_USE;

/* On a loop: makes a new hash (Argon2id) on a worker. The password is copied, and wiped. */
struct password_work {
	struct work work;
	void (*hashed)(struct password_work *work); /* on the same loop, later */
	void *context;
	int result;
	char hash[ACCESS_HASH_MAX];
	char *password; /* its own */
	size_t size;
};
void password_submit(struct access *access, struct password_work *work, struct slice password);

#endif
