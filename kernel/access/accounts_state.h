/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_ACCOUNTS_STATE_H
#define KERNEL_ACCESS_ACCOUNTS_STATE_H

/*
 * The inside of the accounts: for the files of kernel/access/ only.
 *
 * What is in the directory never changes: an edit makes another account, and another directory,
 * which takes the place of the old one in a single store. So any loop reads without a lock, within
 * a turn; what was replaced is freed at home after a grace period (loop/grace.h). Counts that are
 * not atomic are home's.
 */

#include <stdatomic.h>

#include "access/access.h"
#include "access/accounts.h"
#include "access/pattern.h"
#include "access/state.h"
#include "base/chain.h"
#include "loop/grace.h"
#include "store/store.h"

enum { PERMISSION_CONFIGURE, PERMISSION_WRITE, PERMISSION_READ, PERMISSION_PATTERNS };

/* Of a user in a vhost, or there for the topics of an exchange (then without configure). Counted,
 * as an account's successor shares them. */
struct permission {
	unsigned refs;
	bool is_topic;
	struct slice vhost, exchange;
	struct {
		struct slice text;		/* as it was given */
		const struct pattern *compiled; /* NULL: does not compile */
	} patterns[PERMISSION_PATTERNS];
	uint8_t bytes[]; /* of the slices */
};

/* In the order of vhost and exchange. */
struct permission_list {
	struct permission **items;
	size_t n, capacity;
};

/*
 * What lives as long as a user does, however often it is changed; connections hold it beyond that.
 * Any thread.
 */
struct access_usage {
	_Atomic unsigned refs;
	_Atomic int64_t max_connections, max_channels; /* ACCESS_NO_LIMIT */
	_Atomic int64_t n_connections, n_channels;
};

struct account {
	char *name, *tags, *hash_bytes;
	struct slice hash; /* of the password; empty: there is none */
	enum password_algorithm algorithm;
	int64_t max_connections, max_channels;
	uint64_t serial;
	struct access_usage *usage;
	struct permission_list permissions, topics;
};

/* By name. */
struct directory {
	size_t n;
	struct account *items[];
};

struct draft;

struct accounts {
	struct access *access;
	_Atomic(struct directory *) directory;
	struct store *store; /* NULL: not restored, which is as if there were none */
	struct patterns *patterns;
	uint64_t last_serial;
	CHAIN(struct access_edits) waiting; /* the first one may be under way: then draft is set */
	struct draft *draft;
	size_t n_applied; /* edits of the first list that are in the draft */
	bool is_committing;
	struct store_commit commit;
	struct loop_task turn;
	void (*deleted)(void *context, struct slice name); /* NULL: nobody wants to know */
	void *deleted_context;
	unsigned n_retired; /* directories that wait for their grace period */
};

struct accounts *accounts_create(struct access *access) MUST_USE;
void accounts_destroy(struct accounts *accounts);

/* ---- account.c ---- */

/* Without permissions; the serial is 0. */
struct account *account_create(const struct account_view *view) MUST_USE;
/* Another one of the same, but for the serial. */
struct account *account_clone(const struct account *account) MUST_USE;
void account_destroy(struct patterns *patterns, struct account *account);
/* All of it but the name. */
void account_set(struct account *account, const struct account_view *view);
struct account_view account_view(const struct account *account);
/* Whether all is the same but permissions. */
bool account_is_same(const struct account *a, const struct account *b);

/*
 * Patterns that do not compile match nothing; the reason says how the first of them does not, and
 * is not touched if there is none.
 */
struct permission *permission_create(struct patterns *patterns, const struct permission_view *view,
				     char *ret_reason, size_t size) MUST_USE;
struct permission *permission_create_topic(struct patterns *patterns,
					   const struct topic_permission_view *view,
					   char *ret_reason, size_t size) MUST_USE;
bool permission_is_broken(const struct permission *permission);
void permission_unref(struct patterns *patterns, struct permission *permission);
struct permission_view permission_view(const struct account *account,
				       const struct permission *permission);
struct topic_permission_view topic_permission_view(const struct account *account,
						   const struct permission *permission);

int permission_compare(const struct permission *permission, struct slice vhost,
		       struct slice exchange);
/* NULL: there is none. */
struct permission *permission_list_find(const struct permission_list *list, struct slice vhost,
					struct slice exchange);
/* Takes the place of one of the same vhost and exchange, if there is one. */
void permission_list_put_take(struct patterns *patterns, struct permission_list *list,
			      struct permission *permission);
/* exchange.data NULL: all of the vhost. False: there was none. */
bool permission_list_remove(struct patterns *patterns, struct permission_list *list,
			    struct slice vhost, struct slice exchange);

/* Whether there is any of the vhost. */
bool permission_list_covers(const struct permission_list *list, struct slice vhost);

struct access_usage *access_usage_ref(struct access_usage *usage);
void access_usage_unref(struct access_usage *usage);

/* ---- accounts.c ---- */

/* The one of this moment: until the end of the loop's turn. */
static inline const struct directory *accounts_directory(const struct accounts *accounts)
{
	return atomic_load_explicit(&accounts->directory, memory_order_acquire);
}

/* Empty, with room for so many. */
struct directory *directory_create(size_t capacity) MUST_USE;
/* Of the first account whose name is not before it. */
size_t directory_place(const struct directory *directory, struct slice name);
struct account *directory_find(const struct directory *directory, struct slice name);

/* accounts_first.c: if there never was a user. 0, or -1 with a reason. */
int accounts_make_first(struct accounts *accounts, const struct access_first *first,
			char *ret_reason, size_t size) MUST_USE;

/* ---- accounts_users.c: any loop ---- */

/* As they are in this turn; "" if there is no such account. */
const char *accounts_tags_of(const struct accounts *accounts, struct slice name);
enum access_verdict accounts_authorize(const struct accounts *accounts,
				       const struct access_question *question);
/* Whether the user has permissions for topics there. */
bool accounts_have_topics(const struct accounts *accounts, struct slice user, struct slice vhost);

/* ---- accounts_draft.c ---- */

/* Edits on their way: what they change, beside the directory. */
struct draft *draft_create(struct accounts *accounts) MUST_USE;
/* What was made for it goes, unless it was published. */
void draft_destroy(struct draft *draft);
/* Fills the reason, if it is not 0: then the draft is of no use. */
int draft_apply(struct draft *draft, const struct access_edit *edit, char *ret_reason,
		size_t size) MUST_USE;
/* Afterwards: writes what is to be stored. False: it is that late; call it again. */
bool draft_encode(struct draft *draft, uint64_t until_ns);
/* And then: what was written, valid until the draft goes. 0, or -ENOMEM. */
int draft_changes(struct draft *draft, const struct store_change **ret_changes,
		  size_t *ret_n) MUST_USE;
/* All loops see it from now on. */
void draft_publish(struct draft *draft);

/* ---- accounts_value.c: how they are kept in the store ---- */

void account_put_key(struct buffer *buffer, struct slice name);
void account_put_value(struct buffer *buffer, const struct account_view *account);
void permission_put_key(struct buffer *buffer, struct slice vhost, struct slice user);
void permission_put_value(struct buffer *buffer, const struct permission_view *permission);
void topic_permission_put_key(struct buffer *buffer, struct slice vhost, struct slice user,
			      struct slice exchange);
void topic_permission_put_value(struct buffer *buffer,
				const struct topic_permission_view *permission);

/* -EBADMSG: none that was written so. Slices point into the value. */
int account_read_value(struct slice value, struct account_view *ret) MUST_USE;
int permission_read_value(struct slice value, struct permission_view *ret) MUST_USE;
int topic_permission_read_value(struct slice value, struct topic_permission_view *ret) MUST_USE;

/* Whether they may be those of an account; the reason says which is wrong. */
bool account_view_is_valid(const struct account_view *account, char *ret_reason, size_t size);
bool permission_names_are_valid(struct slice vhost, struct slice user, struct slice exchange,
				char *ret_reason, size_t size);

#endif
