/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_ACCOUNTS_H
#define KERNEL_ACCESS_ACCOUNTS_H

/*
 * The broker's own users: passwords, tags, limits, permissions, topic permissions. They are
 * definitions of the store ("user/NAME", "permission/VHOST/USER",
 * "topic-permission/VHOST/USER/EXCHANGE"; docs/store-format.md has the values).
 *
 * All loops read them, without a lock: what is read never changes, it is replaced (grace periods,
 * loop/grace.h). They are changed at home (loop 0) only: by edits, one list of them after the
 * other, each durable before it is visible, and visible to all loops when its done() runs.
 *
 * Whether a vhost exists is not known here: that is the caller's business.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

struct access;
struct access_user;
struct store;

/* How a password is kept. The first three are RabbitMQ's: base64 of a salt of 4 octets and the hash
 * of salt and password. The last is Argon2's own text, "$argon2id$v=19$...". */
enum password_algorithm {
	PASSWORD_SHA256, /* rabbit_password_hashing_sha256 */
	PASSWORD_SHA512, /* rabbit_password_hashing_sha512 */
	PASSWORD_MD5,	 /* rabbit_password_hashing_md5 */
	PASSWORD_ARGON2ID,
};

/*
 * Lengths are RabbitMQ's: 255 bytes for names; patterns and tags at most so many bytes, hashes less
 * than that (a zero follows). All but patterns and exchanges is UTF-8 without zero bytes.
 */
#define ACCESS_NAME_MAX	   255u
#define ACCESS_PATTERN_MAX 4096u
#define ACCESS_TAGS_MAX	   4096u
#define ACCESS_HASH_MAX	   512u

#define ACCESS_NO_LIMIT	  INT64_C(-1)
#define ACCESS_KEEP_LIMIT INT64_C(-2) /* ACCESS_SET_USER_LIMITS: as it was */

struct account_view {
	struct slice name;
	struct slice tags; /* comma separated, without blanks */
	enum password_algorithm algorithm;
	struct slice password_hash;	       /* empty: nobody can log in with a password */
	int64_t max_connections, max_channels; /* ACCESS_NO_LIMIT */
};

/* Patterns are PCRE2's; an empty one stands for ^$, as in RabbitMQ. */
struct permission_view {
	struct slice vhost, user;
	struct slice configure, write, read;
};
struct topic_permission_view {
	struct slice vhost, user, exchange;
	struct slice write, read;
};

/* Which members of the edit count. */
enum access_edit_kind {
	ACCESS_ADD_USER,	/* account but its limits, there are none. -EEXIST if it is there */
	ACCESS_PUT_USER,	/* account, all of it, also the limits (ACCESS_NO_LIMIT);
				   whatever was there; its permissions stay */
	ACCESS_DELETE_USER,	/* account.name. With its permissions. From here on -ENOENT if there
				   is no such user. */
	ACCESS_SET_PASSWORD,	/* account.name, algorithm, password_hash; only_if_hash */
	ACCESS_SET_TAGS,	/* account.name, tags */
	ACCESS_SET_USER_LIMITS, /* account.name, max_connections, max_channels */
	ACCESS_SET_PERMISSION,	/* permission */
	ACCESS_CLEAR_PERMISSION,       /* permission.vhost, user. Nothing if there is none. */
	ACCESS_SET_TOPIC_PERMISSION,   /* topic */
	ACCESS_CLEAR_TOPIC_PERMISSION, /* topic.vhost, user, exchange (data NULL: of all exchanges
					  of the vhost). Nothing if there is none. */
	ACCESS_FORGET_VHOST,	       /* permission.vhost: all permissions in it; no user */
};

struct access_edit {
	enum access_edit_kind kind;
	struct account_view account;
	struct permission_view permission;
	struct topic_permission_view topic;
	/* ACCESS_SET_PASSWORD: only if the hash is still this one; data NULL: whatever it is. Else
	 * -ESTALE. */
	struct slice only_if_hash;
};

/*
 * Edits that happen together or not at all. Filled by the asker, who keeps it and what it points to
 * in place until done(), which is not called inside the call.
 */
struct access_edits {
	const struct access_edit *items;
	size_t n;
	void (*done)(struct access_edits *edits);
	void *context; /* the asker's */
	/* answers: 0, or a negative errno: -EEXIST, -ENOENT, -ESTALE (see the kinds), -EINVAL (a
	 * bad name, pattern, tag or hash; reason says which), -EIO (the store), -ENOMEM */
	int result;
	size_t failed; /* which of the items */
	char reason[256];
	struct access_edits *next; /* the accounts' own */
	void *work;
};
void access_edit(struct access *access, struct access_edits *edits);
/*
 * One who is told of users that are gone, also of one that has come back in the same edits: when
 * all loops see it, before the edits' done(). At home; must not edit.
 */
void access_on_user_deleted(struct access *access,
			    void (*deleted)(void *context, struct slice name), void *context);
/* Waits for all edits that are under way. When no loop runs; before what they call is gone. */
void access_end_edits(struct access *access);

/* Whether it may be one: compiles and is not too long; else why not. Any thread. */
bool access_pattern_is_valid(struct slice pattern, char *ret_reason, size_t size);

/* ---- At home ---- */

bool access_find_account(const struct access *access, struct slice name,
			 struct account_view *ret_account);
/* By name. The slices are valid during the call; visit must not edit. An empty vhost or user (data
 * NULL) stands for all. */
void access_each_account(const struct access *access,
			 void (*visit)(void *context, const struct account_view *account),
			 void *context);
/* At most n of those that come behind the name `after` (data NULL: from the first on). False: there
 * are no more. */
bool access_some_accounts(const struct access *access, struct slice after, size_t n,
			  void (*visit)(void *context, const struct account_view *account),
			  void *context);
void access_each_permission(const struct access *access, struct slice vhost, struct slice user,
			    void (*visit)(void *context, const struct permission_view *permission),
			    void *context);
void access_each_topic_permission(const struct access *access, struct slice vhost,
				  struct slice user,
				  void (*visit)(void *context,
						const struct topic_permission_view *permission),
				  void *context);

/* ---- Any loop ---- */

/*
 * For logging in: what is to be compared with. False: there is no such user (then ret_* are
 * untouched). ret_serial changes with every change of the user, and is never used again.
 */
bool access_password_of(struct access *access, struct slice name,
			enum password_algorithm *ret_algorithm, char ret_hash[ACCESS_HASH_MAX],
			uint64_t *ret_serial);

/* Such a user, authenticated by that mechanism: with its tags and limits, whatever they become.
 * NULL: there is none. */
struct access_user *access_user_of_account(struct access *access, struct slice name,
					   const char *mechanism);

/*
 * Limits of a user: one more connection, one more channel. False: the limit is reached, which is
 * then in *ret_limit, and nothing was counted. A user that is not the broker's own has none. What
 * was taken is given back once, also when the user has been deleted meanwhile.
 */
bool access_take_connection(struct access *access, struct access_user *user, int64_t *ret_limit);
void access_give_connection(struct access *access, struct access_user *user);
bool access_take_channel(struct access *access, struct access_user *user, int64_t *ret_limit);
void access_give_channel(struct access *access, struct access_user *user);

/* ---- Before the loops run ---- */

/* What a broker that never had a user begins with. */
struct access_first {
	const char *user, *pass, *tags, *vhost;
	const char *configure, *write, *read; /* permissions there */
};

/*
 * Takes what the store holds. If there is no user, and never was, the first one is made, and
 * stored; not if `first` is NULL. 0, or -1 with one line of reason: something that cannot be read
 * stays as it is in the store.
 */
int accounts_restore(struct access *access, struct store *store, const struct access_first *first,
		     char *ret_reason, size_t size) MUST_USE;

#endif
