/* SPDX-License-Identifier: MIT */
/*
 * Edits on their way. Each account that they touch has a successor here, which they change; edits
 * see what those before them in the list did. When all of it is in the store, a new directory with
 * the successors takes the place of the old one. Edits come one list after the other, so the
 * directory stays as it is meanwhile.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/accounts_state.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/loop.h"

struct touched {
	struct map_node node; /* by name */
	char *name;
	struct account *old; /* the directory's; NULL: none */
	struct account *new; /* NULL: there is to be none */
};

/* Where a key and its value are in the bytes. */
struct change {
	size_t key, value, end;
	bool is_deletion;
};

struct draft {
	struct accounts *accounts;
	struct map by_name;
	struct touched **items;
	size_t n, capacity;
	struct buffer bytes;   /* keys and values, which changes point into */
	struct buffer changes; /* struct change */
	struct store_change *store_changes;
};

/* A directory, and the accounts in it that another directory has not. */
struct replaced {
	struct loop_grace grace;
	struct accounts *accounts;
	struct directory *directory;
	size_t n;
	struct account *items[];
};

struct draft *draft_create(struct accounts *accounts)
{
	struct draft *draft = mem_zalloc(sizeof(*draft));

	draft->accounts = accounts;
	map_init(&draft->by_name);
	buffer_init(&draft->bytes);
	buffer_init(&draft->changes);
	return draft;
}

void draft_destroy(struct draft *draft)
{
	if (draft == NULL)
		return;
	for (size_t i = 0; i < draft->n; i++) {
		account_destroy(draft->accounts->patterns, draft->items[i]->new);
		mem_free(draft->items[i]->name);
		mem_free(draft->items[i]);
	}
	map_fini(&draft->by_name);
	buffer_fini(&draft->bytes);
	buffer_fini(&draft->changes);
	mem_free(draft->store_changes);
	mem_free(draft->items);
	mem_free(draft);
}

/* ---- What is touched ---- */

static struct touched *touch(struct draft *draft, struct slice name)
{
	struct map_node *node = map_find(&draft->by_name, name);
	struct touched *touched;

	if (node != NULL)
		return container_of(node, struct touched, node);
	touched = mem_zalloc(sizeof(*touched));
	touched->name = slice_strdup(name);
	touched->old = directory_find(accounts_directory(draft->accounts), name);
	touched->new = touched->old != NULL ? account_clone(touched->old) : NULL;
	map_insert(&draft->by_name, &touched->node, slice_cstr(touched->name));
	if (draft->n == draft->capacity) {
		draft->capacity = draft->capacity == 0 ? 4 : 2 * draft->capacity;
		draft->items =
			mem_realloc(draft->items, draft->capacity * sizeof(struct touched *));
	}
	draft->items[draft->n++] = touched;
	return touched;
}

static bool is_there(struct draft *draft, struct slice name)
{
	struct map_node *node = map_find(&draft->by_name, name);

	if (node != NULL)
		return container_of(node, struct touched, node)->new != NULL;
	return directory_find(accounts_directory(draft->accounts), name) != NULL;
}

/* -ENOENT, or the account's successor. */
static int change(struct draft *draft, struct slice name, struct account **ret, char *ret_reason,
		  size_t size)
{
	char quoted[300];

	if (!is_there(draft, name)) {
		(void)snprintf(ret_reason, size, "no such user: %s",
			       log_quote(quoted, sizeof(quoted), name));
		return -ENOENT;
	}
	*ret = touch(draft, name)->new;
	return 0;
}

/* ---- Edits of users ---- */

static int put_user(struct draft *draft, const struct access_edit *edit, char *ret_reason,
		    size_t size)
{
	struct account_view view = edit->account;
	struct touched *touched;
	char quoted[300];

	if (edit->kind == ACCESS_ADD_USER)
		view.max_connections = view.max_channels = ACCESS_NO_LIMIT;
	if (!account_view_is_valid(&view, ret_reason, size))
		return -EINVAL;
	if (edit->kind == ACCESS_ADD_USER && is_there(draft, view.name)) {
		(void)snprintf(ret_reason, size, "user already exists: %s",
			       log_quote(quoted, sizeof(quoted), view.name));
		return -EEXIST;
	}
	touched = touch(draft, view.name);
	if (touched->new == NULL)
		touched->new = account_create(&view);
	else
		account_set(touched->new, &view);
	return 0;
}

static int delete_user(struct draft *draft, struct slice name)
{
	struct touched *touched = touch(draft, name);

	account_destroy(draft->accounts->patterns, touched->new);
	touched->new = NULL;
	return 0;
}

static void set_limits(struct account_view *view, const struct account_view *wanted)
{
	if (wanted->max_connections != ACCESS_KEEP_LIMIT)
		view->max_connections = wanted->max_connections;
	if (wanted->max_channels != ACCESS_KEEP_LIMIT)
		view->max_channels = wanted->max_channels;
}

static int set_password(struct account_view *view, const struct access_edit *edit, char *ret_reason,
			size_t size)
{
	if (edit->only_if_hash.data != NULL &&
	    !slice_equal(edit->only_if_hash, view->password_hash)) {
		(void)snprintf(ret_reason, size, "the password has been changed meanwhile");
		return -ESTALE;
	}
	view->algorithm = edit->account.algorithm;
	view->password_hash = edit->account.password_hash;
	return 0;
}

static int change_user(struct draft *draft, const struct access_edit *edit, char *ret_reason,
		       size_t size)
{
	struct account_view view;
	struct account *account;
	int r = change(draft, edit->account.name, &account, ret_reason, size);

	if (r != 0)
		return r;
	if (edit->kind == ACCESS_DELETE_USER)
		return delete_user(draft, edit->account.name);
	view = account_view(account);
	if (edit->kind == ACCESS_SET_PASSWORD)
		r = set_password(&view, edit, ret_reason, size);
	else if (edit->kind == ACCESS_SET_TAGS)
		view.tags = edit->account.tags;
	else
		set_limits(&view, &edit->account);
	if (r == 0 && !account_view_is_valid(&view, ret_reason, size))
		r = -EINVAL;
	if (r == 0)
		account_set(account, &view);
	return r;
}

/* ---- Edits of permissions ---- */

static bool pattern_is_short(struct slice pattern, char *ret_reason, size_t size)
{
	if (pattern.size <= ACCESS_PATTERN_MAX)
		return true;
	(void)snprintf(ret_reason, size, "a pattern is longer than %u bytes", ACCESS_PATTERN_MAX);
	return false;
}

static int put_permission(struct draft *draft, struct permission_list *list,
			  struct permission *permission)
{
	if (permission_is_broken(permission)) {
		permission_unref(draft->accounts->patterns, permission);
		return -EINVAL;
	}
	permission_list_put_take(draft->accounts->patterns, list, permission);
	return 0;
}

static int set_permission(struct draft *draft, const struct access_edit *edit, char *ret_reason,
			  size_t size)
{
	const struct permission_view *view = &edit->permission;
	struct account *account;
	int r = change(draft, view->user, &account, ret_reason, size);

	if (r != 0)
		return r;
	if (!permission_names_are_valid(view->vhost, view->user, SLICE_EMPTY, ret_reason, size) ||
	    !pattern_is_short(view->configure, ret_reason, size) ||
	    !pattern_is_short(view->write, ret_reason, size) ||
	    !pattern_is_short(view->read, ret_reason, size))
		return -EINVAL;
	return put_permission(draft, &account->permissions,
			      permission_create(draft->accounts->patterns, view, ret_reason, size));
}

static int set_topic_permission(struct draft *draft, const struct access_edit *edit,
				char *ret_reason, size_t size)
{
	const struct topic_permission_view *view = &edit->topic;
	struct account *account;
	int r = change(draft, view->user, &account, ret_reason, size);

	if (r != 0)
		return r;
	if (!permission_names_are_valid(view->vhost, view->user, view->exchange, ret_reason,
					size) ||
	    !pattern_is_short(view->write, ret_reason, size) ||
	    !pattern_is_short(view->read, ret_reason, size))
		return -EINVAL;
	return put_permission(
		draft, &account->topics,
		permission_create_topic(draft->accounts->patterns, view, ret_reason, size));
}

/* What was not there is clear. */
static int clear_permission(struct draft *draft, const struct access_edit *edit, char *ret_reason,
			    size_t size)
{
	bool is_topic = edit->kind == ACCESS_CLEAR_TOPIC_PERMISSION;
	struct slice user = is_topic ? edit->topic.user : edit->permission.user;
	struct account *account;
	int r = change(draft, user, &account, ret_reason, size);

	if (r != 0)
		return r;
	if (is_topic)
		(void)permission_list_remove(draft->accounts->patterns, &account->topics,
					     edit->topic.vhost, edit->topic.exchange);
	else
		(void)permission_list_remove(draft->accounts->patterns, &account->permissions,
					     edit->permission.vhost, SLICE_EMPTY);
	return 0;
}

static bool has_to_do_with(const struct account *account, struct slice vhost)
{
	return permission_list_covers(&account->permissions, vhost) ||
	       permission_list_covers(&account->topics, vhost);
}

static int forget_vhost(struct draft *draft, struct slice vhost)
{
	const struct directory *directory = accounts_directory(draft->accounts);

	for (size_t i = 0; i < directory->n; i++)
		if (has_to_do_with(directory->items[i], vhost))
			(void)touch(draft, slice_cstr(directory->items[i]->name));
	for (size_t i = 0; i < draft->n; i++) {
		struct account *account = draft->items[i]->new;

		if (account == NULL)
			continue;
		(void)permission_list_remove(draft->accounts->patterns, &account->permissions,
					     vhost, SLICE_EMPTY);
		(void)permission_list_remove(draft->accounts->patterns, &account->topics, vhost,
					     SLICE_EMPTY);
	}
	return 0;
}

int draft_apply(struct draft *draft, const struct access_edit *edit, char *ret_reason, size_t size)
{
	switch (edit->kind) {
	case ACCESS_ADD_USER:
	case ACCESS_PUT_USER:
		return put_user(draft, edit, ret_reason, size);
	case ACCESS_DELETE_USER:
	case ACCESS_SET_PASSWORD:
	case ACCESS_SET_TAGS:
	case ACCESS_SET_USER_LIMITS:
		return change_user(draft, edit, ret_reason, size);
	case ACCESS_SET_PERMISSION:
		return set_permission(draft, edit, ret_reason, size);
	case ACCESS_SET_TOPIC_PERMISSION:
		return set_topic_permission(draft, edit, ret_reason, size);
	case ACCESS_CLEAR_PERMISSION:
	case ACCESS_CLEAR_TOPIC_PERMISSION:
		return clear_permission(draft, edit, ret_reason, size);
	case ACCESS_FORGET_VHOST:
		return forget_vhost(draft, edit->permission.vhost);
	}
	(void)snprintf(ret_reason, size, "no such edit");
	return -EINVAL;
}

/* ---- What is to be stored ---- */

/* The key is written; now comes the value, or none. */
static void end_change(struct draft *draft, size_t key, size_t value, bool is_deletion)
{
	const struct change change = {key, value, draft->bytes.size, is_deletion};

	buffer_append(&draft->changes, &change, sizeof(change));
}

static void store_account(struct draft *draft, const struct touched *touched)
{
	size_t key = draft->bytes.size, value;

	if (touched->old != NULL &&
	    touched->new != NULL &&account_is_same(touched->old, touched->new))
		return;
	account_put_key(&draft->bytes, slice_cstr(touched->name));
	value = draft->bytes.size;
	if (touched->new != NULL) {
		const struct account_view view = account_view(touched->new);

		account_put_value(&draft->bytes, &view);
	}
	end_change(draft, key, value, touched->new == NULL);
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

static int by_name(const void *a, const void *b)
{
	const struct touched *const *x = a, *const *y = b;

	return slice_compare((*x)->node.key, (*y)->node.key);
}

int draft_changes(struct draft *draft, const struct store_change **ret_changes, size_t *ret_n)
{
	const struct change *changes;
	size_t n;

	if (draft->n > 0)
		qsort(draft->items, draft->n, sizeof(struct touched *), by_name);
	for (size_t i = 0; i < draft->n; i++)
		store_touched(draft, draft->items[i]);
	n = draft->changes.size / sizeof(*changes);
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

/* Both are in order. */
static struct directory *merge(struct draft *draft, const struct directory *old)
{
	struct directory *directory = directory_create(old->n + draft->n);
	size_t i = 0;

	for (size_t k = 0; k < draft->n; k++) {
		const struct touched *touched = draft->items[k];

		while (i < old->n && strcmp(old->items[i]->name, touched->name) < 0)
			directory->items[directory->n++] = old->items[i++];
		i += touched->old != NULL;
		take_in(draft->accounts, directory, touched);
	}
	while (i < old->n)
		directory->items[directory->n++] = old->items[i++];
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
