/* SPDX-License-Identifier: MIT */
#include "access/rehash.h"

#include <errno.h>
#include <string.h>

#include "access/accounts.h"
#include "access/audit.h"
#include "access/state.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

struct rehash {
	struct access *access;
	struct remembered *remembered;
	struct remembered_digest digest;
	struct throttle_address from;
	struct access_edit edit;
	struct access_edits edits;
	char old_hash[ACCESS_HASH_MAX], new_hash[ACCESS_HASH_MAX];
	size_t user_size;
	char user[];
};

/* The user has changed by that, but its password is the same: it stays remembered. */
static void rehash_remember(const struct rehash *rehash)
{
	enum password_algorithm algorithm;
	char hash[ACCESS_HASH_MAX];
	uint64_t serial;

	if (access_password_of(rehash->access, slice_make(rehash->user, rehash->user_size),
			       &algorithm, hash, &serial) &&
	    strcmp(hash, rehash->new_hash) == 0)
		remembered_add(rehash->remembered, &rehash->digest, &rehash->from, serial,
			       rehash->access->now_ms());
}

static void rehash_done(struct access_edits *edits)
{
	struct rehash *rehash = container_of(edits, struct rehash, edits);
	struct slice user = slice_make(rehash->user, rehash->user_size);
	const struct audit_actor actor = {user, SLICE_LITERAL("shuntd")};
	char quoted[280];

	log_quote(quoted, sizeof(quoted), user);
	if (edits->result == 0) {
		rehash_remember(rehash);
		audit(&actor, NULL, "user.password.rehashed", "name=%s algorithm=\"argon2id\"",
		      quoted);
	} else if (edits->result != -ESTALE && edits->result != -ENOENT) {
		/* The next good login tries it again. */
		log_warning("access", "password hash not replaced: user=%s reason=\"%s\"", quoted,
			    edits->reason);
	}
	mem_free(rehash);
}

void rehash_begin(struct access *access, struct remembered *remembered, struct slice user,
		  const struct remembered_digest *digest, const struct throttle_address *from,
		  const char *old_hash, const char *new_hash)
{
	struct rehash *rehash = mem_zalloc(sizeof(*rehash) + user.size);

	rehash->access = access;
	rehash->remembered = remembered;
	rehash->digest = *digest;
	rehash->from = *from;
	rehash->user_size = user.size;
	slice_copy((uint8_t *)rehash->user, user);
	memcpy(rehash->old_hash, old_hash, strlen(old_hash));
	memcpy(rehash->new_hash, new_hash, strlen(new_hash));
	rehash->edit = (struct access_edit){
		.kind = ACCESS_SET_PASSWORD,
		.account = {.name = slice_make(rehash->user, user.size),
			    .algorithm = PASSWORD_ARGON2ID,
			    .password_hash = slice_cstr(rehash->new_hash)},
		.only_if_hash = slice_cstr(rehash->old_hash),
	};
	rehash->edits = (struct access_edits){.items = &rehash->edit, .n = 1, .done = rehash_done};
	access_edit(access, &rehash->edits);
}
