/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_ACCESS_H
#define KERNEL_ACCESS_ACCESS_H

/*
 * Who may enter and who may do what. Policies are registered; each is asked in turn until one does
 * not pass on. The built-in one knows the accounts (access/accounts.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shunt/plugin.h>

#include "base/compiler.h"
#include "base/slice.h"

enum access_verdict {
	ACCESS_ALLOW,
	ACCESS_DENY,
	ACCESS_PASS, /* ask the next */
};

struct access;

enum access_operation {
	ACCESS_VHOST, /* connection.open */
	ACCESS_CONFIGURE,
	ACCESS_WRITE,
	ACCESS_READ,
	ACCESS_WRITE_TOPIC, /* publish with this routing key to a topic exchange */
	ACCESS_READ_TOPIC,
};

enum access_resource { ACCESS_RESOURCE_QUEUE, ACCESS_RESOURCE_EXCHANGE, ACCESS_RESOURCE_VHOST };

/* An authenticated user, counted; shared by its connection's channels. */
struct access_user {
	unsigned refs; /* all of one connection: on one loop */
	char *name;
	bool is_account; /* one of the broker's own, whose tags are the account's */
	char *tags;	 /* of any other: comma separated */
	char mechanism[16];
	struct access_usage *usage; /* counted: what limits count; NULL: not known (accounts.h) */
};
struct access_user *access_user_create(struct slice name, const char *tags, const char *mechanism);
struct access_user *access_user_ref(struct access_user *user);
void access_user_unref(struct access_user *user);
/* Those that the user has now, comma separated: holds for the turn. One whose account has gone has
 * none. Any loop. */
const char *access_user_tags(const struct access *access, const struct access_user *user);
/* Whether it is among them. */
bool access_user_has_tag(const struct access *access, const struct access_user *user,
			 const char *tag);

/* One question whether an operation is allowed. */
struct access_question {
	const struct access_user *user;
	enum access_operation operation;
	enum access_resource resource;
	struct slice vhost;
	struct slice name;
	struct slice routing_key; /* *_TOPIC */
	struct slice arguments;	  /* of a declare or bind: raw table */
	const struct shunt_peer *peer;
};

#define ACCESS_REMEMBER_ALWAYS UINT32_MAX

/* Beside the verdict. */
struct access_reply {
	/* How long a permission may be remembered at most, while the generation is the same; 0: not
	 * at all, not even for the next message. */
	uint32_t remember_ms;
	char reason[160]; /* of a refusal, for the client; empty: there is none */
};

struct access_policy;
struct access_usage;

/*
 * A login. Asked on the connection's loop, answered there by done(), perhaps inside the call,
 * perhaps much later, unless it is abandoned before. The asker keeps it, and what it points to, in
 * place until then. A password is wiped by the asker afterwards.
 */
struct access_login {
	struct slice user, password;
	const char *mechanism;
	bool is_proven; /* who it is: by a certificate, or by the configuration; no password */
	const struct shunt_peer *peer;
	bool is_local; /* from the control socket: never throttled */
	void (*done)(struct access_login *login);
	/* answers */
	struct access_user *result; /* NULL: refused. The asker's reference. */
	char reason[384];	    /* for the log, never for the peer */

	/* between access and the policy that is asked */
	struct access *access;
	uint64_t rank, index;			       /* of the policy */
	void (*abandoned)(struct access_login *login); /* NULL: it answers within the call */
	void *asked;				       /* the policy's own */
};

/*
 * Owned by who puts it in force, and in place until a grace period after it was taken out, and as
 * long as it has a login. authenticate must end in one access_answer(), on the same loop, unless
 * login->abandoned, which it has set, is called; NULL passes on. authorize may be called on any
 * loop, several at once; NULL passes on. Its reply is preset: always, and no reason.
 */
struct access_policy {
	const char *name;
	uint64_t rank, index; /* lower ones are asked first, by rank, then by index (from 1 on) */
	void (*authenticate)(struct access_policy *policy, struct access_login *login);
	enum access_verdict (*authorize)(struct access_policy *policy,
					 const struct access_question *question,
					 struct access_reply *reply);
};

/* Borrowed for the life of the access. */
struct access_config {
	const char *const *loopback_users; /* NULL-terminated: refused from elsewhere */
};
struct access *access_create(const struct access_config *config);
/*
 * Threads that hash passwords; until then that holds up the loop that asks. The pool of loops
 * exists, and goes after the access. 0, or a negative errno.
 */
int access_start_workers(struct access *access, unsigned n_threads) MUST_USE;
/* When no loop runs, and no login is under way. */
void access_destroy(struct access *access);

/*
 * Takes some policies out of force and puts others in, in one step. The built-in one is asked after
 * all of them. One that takes the place of another has its rank and index: a login that the former
 * has passed on goes on behind both. Home, also while loops ask: until a grace period later
 * (loop/grace.h) those that were taken out may still be asked. Without loops that is at once.
 */
struct access_policies {
	struct access_policy **items;
	size_t n;
};
void access_change(struct access *access, struct access_policies out, struct access_policies in);

/* On the connection's loop. */
void access_authenticate(struct access *access, struct access_login *login);
/* The answer of the policy that was asked: ACCESS_PASS asks the next one. With ACCESS_ALLOW
 * login->result is set, with ACCESS_DENY login->reason. */
void access_answer(struct access_login *login, enum access_verdict verdict);
/* Of a login that is not done: nobody waits for it any more, and done() will not be called. */
void access_abandon(struct access_login *login);

/*
 * Any loop. *ret_reply (NULL: not asked for) is set in either case: remembered as long as all allow
 * who were asked, also those that passed it on.
 */
bool access_authorize(struct access *access, const struct access_question *question,
		      struct access_reply *ret_reply);

/*
 * Whether questions about topics may be answered with no: if not, nobody need ask them. Any loop;
 * the answer holds as long as the generation.
 */
bool access_asks_topics(struct access *access, const struct access_user *user, struct slice vhost);

/* Whether anybody but the built-in policy is asked. Any loop. */
bool access_has_policies(const struct access *access);

/* Grows whenever an answer of access_authorize could have changed. Any thread. */
uint64_t access_generation(const struct access *access);
void access_has_changed(struct access *access);

#endif
