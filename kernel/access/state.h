/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_STATE_H
#define KERNEL_ACCESS_STATE_H

/* Shared by the files of this folder: what the access consists of. */

#include <stdatomic.h>

#include "access/access.h"
#include "loop/workers.h"

struct access_list;
struct accounts;
struct logins;

struct access {
	_Atomic(struct access_list *) policies;
	_Atomic uint64_t generation;
	struct access_policy builtin;
	struct access_config config;
	struct accounts *accounts; /* accounts.c */
	struct logins *logins;	   /* login.c */
	struct workers *workers;   /* hash passwords; NULL: that is done where it is asked */
	unsigned n_workers;	   /* 1 without them */
	uint64_t (*now_ms)(void);  /* loop_now_ms(); tests have their own */
};

/* On a worker; without workers in the call, but done() comes later all the same. */
void access_work(struct access *access, struct work *work);

/* login.c: the built-in policy's. */
struct logins *logins_create(struct access *access);
/* When no loop runs; before the workers go. */
void logins_stop(struct logins *logins);
/* Accepts NULL. */
void logins_destroy(struct logins *logins);
void logins_authenticate(struct access_policy *policy, struct access_login *login);

#endif
