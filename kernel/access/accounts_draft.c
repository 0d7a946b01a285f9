/* SPDX-License-Identifier: MIT */
/*
 * Edits on their way. Each account that they touch has a successor here, which they change; edits
 * see what those before them in the list did. When all of it is in the store, a new directory with
 * the successors takes the place of the old one. Edits come one list after the other, so the
 * directory stays as it is meanwhile.
 */
#include <errno.h>
#include <stdio.h>

#include "access/accounts_draft.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

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
