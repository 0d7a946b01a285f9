/* SPDX-License-Identifier: MIT */
/* A draft that is whole: what of it the store is given, and how it comes in force. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "access/accounts_draft.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/grace.h"

/* Where a key and its value are in the bytes. */
struct change {
	size_t key, value, end;
	bool is_deletion;
};

/* A directory, and the accounts in it that another directory has not. */
struct replaced {
	struct loop_grace grace;
	struct accounts *accounts;
	struct directory *directory;
	size_t n;
	struct account *items[];
};

/* ---- What is to be stored ---- */

/* The key is written; now comes the value, or none. */
static void end_change(struct draft *draft, size_t key, size_t value, bool is_deletion)
{
	const struct change change = {key, value, draft->bytes.size, is_deletion};

	buffer_append(&draft->changes, &change, sizeof(change));
}

static void store_account(struct draft *draft, const struct touched *touched)
{
	const struct account *old = touched->old, *account = touched->new;
	size_t key = draft->bytes.size, value;

	if (old != NULL && account != NULL && account_is_same(old, account))
		return;
	account_put_key(&draft->bytes, slice_cstr(touched->name));
	value = draft->bytes.size;
	if (account != NULL) {
		const struct account_view view = account_view(account);

		account_put_value(&draft->bytes, &view);
	}
	end_change(draft, key, value, account == NULL);
}

/* `of` is who has it, or had it. */
static void store_permission(struct draft *draft, const struct account *of,
			     const struct permission *permission, bool is_deletion)
{
	const struct topic_permission_view topic = topic_permission_view(of, permission);
	const struct permission_view plain = permission_view(of, permission);
	size_t key = draft->bytes.size, value;

	if (permission->is_topic)
		topic_permission_put_key(&draft->bytes, topic.vhost, topic.user, topic.exchange);
	else
		permission_put_key(&draft->bytes, plain.vhost, plain.user);
	value = draft->bytes.size;
	if (!is_deletion && permission->is_topic)
		topic_permission_put_value(&draft->bytes, &topic);
	else if (!is_deletion)
		permission_put_value(&draft->bytes, &plain);
	end_change(draft, key, value, is_deletion);
}

static int permission_order(const struct permission *a, const struct permission *b)
{
	return permission_compare(a, b->vhost, b->exchange);
}

/* Both are in order. One that stays the same is the same object. */
static void store_permissions(struct draft *draft, const struct touched *touched,
			      const struct permission_list *old, const struct permission_list *new)
{
	size_t i = 0, k = 0;

	while (i < old->n || k < new->n) {
		int order = i == old->n	  ? 1
			    : k == new->n ? -1
					  : permission_order(old->items[i], new->items[k]);

		if (order < 0) {
			store_permission(draft, touched->old, old->items[i++], true);
			continue;
		}
		if (order > 0 || old->items[i] != new->items[k])
			store_permission(draft, touched->new, new->items[k], false);
		i += order == 0;
		k++;
	}
}

static void store_touched(struct draft *draft, const struct touched *touched)
{
	static const struct permission_list none;
	const struct account *old = touched->old, *new = touched->new;

	if (old == NULL && new == NULL)
		return;
	store_account(draft, touched);
	store_permissions(draft, touched, old != NULL ? &old->permissions : &none,
			  new != NULL ? &new->permissions : &none);
	store_permissions(draft, touched, old != NULL ? &old->topics : &none,
			  new != NULL ? &new->topics : &none);
}

bool draft_encode(struct draft *draft, uint64_t until_ns)
{
	while (draft->n_encoded < draft->n) {
		if (clock_monotonic_ns() >= until_ns)
			return false;
		store_touched(draft, draft->items[draft->n_encoded++]);
	}
	return true;
}

int draft_changes(struct draft *draft, const struct store_change **ret_changes, size_t *ret_n)
{
	const struct change *changes;
	size_t n = draft->changes.size / sizeof(*changes);

	draft->store_changes = mem_try_zalloc((n + 1) * sizeof(*draft->store_changes));
	if (draft->bytes.failed || draft->changes.failed || draft->store_changes == NULL)
		return -ENOMEM;
	changes = (const struct change *)(const void *)draft->changes.data;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *bytes = draft->bytes.data;
		const struct change *c = &changes[i];

		draft->store_changes[i] = (struct store_change){
			.key = slice_make(bytes + c->key, c->value - c->key),
			.value = c->is_deletion ? SLICE_EMPTY
						: slice_make(bytes + c->value, c->end - c->value),
			.expected_revision = STORE_ANY_REVISION,
		};
	}
	*ret_changes = draft->store_changes;
	*ret_n = n;
	return 0;
}

/* ---- Publishing ---- */

static void free_replaced(struct loop_grace *grace)
{
	struct replaced *replaced = container_of(grace, struct replaced, grace);

	for (size_t i = 0; i < replaced->n; i++)
		account_destroy(replaced->accounts->patterns, replaced->items[i]);
	replaced->accounts->n_retired--;
	mem_free(replaced->directory);
	mem_free(replaced);
}

static void take_in(struct accounts *accounts, struct directory *directory,
		    const struct touched *touched)
{
	struct account *account = touched->new;

	if (account == NULL)
		return;
	if (touched->old != NULL && account_is_same(touched->old, account))
		account->serial = touched->old->serial;
	else
		account->serial = ++accounts->last_serial;
	atomic_store(&account->usage->max_connections, account->max_connections);
	atomic_store(&account->usage->max_channels, account->max_channels);
	directory->items[directory->n++] = account;
}

static void copy_range(struct directory *directory, const struct directory *old, size_t begin,
		       size_t end)
{
	if (begin == end)
		return;
	memcpy(&directory->items[directory->n], &old->items[begin],
	       (end - begin) * sizeof(struct account *));
	directory->n += end - begin;
}

static int by_name(const void *a, const void *b)
{
	const struct touched *const *x = a, *const *y = b;

	return slice_compare((*x)->node.key, (*y)->node.key);
}

/* Both are in order. What is not touched is not looked at, only its pointers are copied. */
static struct directory *merge(struct draft *draft, const struct directory *old)
{
	struct directory *directory = directory_create(old->n + draft->n);
	size_t begin = 0;

	for (size_t k = 0; k < draft->n; k++) {
		const struct touched *touched = draft->items[k];
		size_t end = directory_place(old, touched->node.key);

		copy_range(directory, old, begin, end);
		begin = end + (touched->old != NULL);
		take_in(draft->accounts, directory, touched);
	}
	copy_range(directory, old, begin, old->n);
	return directory;
}

/* Who came back is another. */
static void tell_if_deleted(const struct accounts *accounts, const struct touched *touched)
{
	bool is_same = touched->old != NULL && touched->new != NULL &&
		       touched->old->usage == touched->new->usage;

	if (touched->old != NULL && !is_same && accounts->deleted != NULL)
		accounts->deleted(accounts->deleted_context, slice_cstr(touched->name));
}

void draft_publish(struct draft *draft)
{
	struct accounts *accounts = draft->accounts;
	struct directory *old = atomic_load(&accounts->directory);
	struct replaced *replaced =
		mem_zalloc(sizeof(*replaced) + draft->n * sizeof(struct account *));

	if (draft->n > 0)
		qsort(draft->items, draft->n, sizeof(struct touched *), by_name);
	replaced->accounts = accounts;
	replaced->directory = old;
	atomic_store_explicit(&accounts->directory, merge(draft, old), memory_order_release);
	access_has_changed(accounts->access);
	for (size_t i = 0; i < draft->n; i++) {
		struct touched *touched = draft->items[i];

		if (touched->old != NULL)
			replaced->items[replaced->n++] = touched->old;
		tell_if_deleted(accounts, touched);
		touched->new = NULL; /* the directory's now */
	}
	accounts->n_retired++;
	loop_grace_begin(&replaced->grace, free_replaced);
}
