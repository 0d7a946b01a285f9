/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "access/accounts_state.h"
#include "base/bug.h"
#include "base/mem.h"

/* ---- Permissions ---- */

static struct slice put_bytes(uint8_t **at, struct slice bytes)
{
	struct slice copy = slice_make(*at, bytes.size);

	slice_copy(*at, bytes);
	*at += bytes.size;
	return copy;
}

static const char *const pattern_names[] = {"configure", "write", "read"};

/* A reason that is there is the first one's. */
static const struct pattern *take_pattern(struct patterns *patterns, struct slice text,
					  unsigned which, char *ret_reason, size_t size)
{
	char reason[160];
	const struct pattern *pattern = patterns_take(patterns, text, reason, sizeof(reason));

	if (pattern == NULL && ret_reason[0] == '\0')
		(void)snprintf(ret_reason, size, "the pattern of %s does not compile: %s",
			       pattern_names[which], reason);
	return pattern;
}

struct permission *permission_create(struct patterns *patterns, const struct permission_view *view,
				     char *ret_reason, size_t size)
{
	const struct slice texts[] = {view->configure, view->write, view->read};
	struct permission *permission = mem_zalloc(sizeof(*permission) + view->vhost.size +
						   texts[0].size + texts[1].size + texts[2].size);
	uint8_t *at = permission->bytes;

	ret_reason[0] = '\0';
	permission->refs = 1;
	permission->vhost = put_bytes(&at, view->vhost);
	for (unsigned i = 0; i < PERMISSION_PATTERNS; i++) {
		permission->patterns[i].text = put_bytes(&at, texts[i]);
		permission->patterns[i].compiled =
			take_pattern(patterns, texts[i], i, ret_reason, size);
	}
	return permission;
}

static const struct pattern *take_expanded(struct patterns *patterns,
					   const struct topic_permission_view *view, unsigned which,
					   char *ret_reason, size_t size)
{
	const struct pattern *pattern;
	struct buffer text;

	buffer_init(&text);
	pattern_expand(&text, which == PERMISSION_WRITE ? view->write : view->read, view->user,
		       view->vhost);
	if (text.failed)
		mem_stop(); /* a few KiB, of our own */
	pattern = take_pattern(patterns, buffer_slice(&text), which, ret_reason, size);
	buffer_fini(&text);
	return pattern;
}

struct permission *permission_create_topic(struct patterns *patterns,
					   const struct topic_permission_view *view,
					   char *ret_reason, size_t size)
{
	struct permission *permission =
		mem_zalloc(sizeof(*permission) + view->vhost.size + view->exchange.size +
			   view->write.size + view->read.size);
	uint8_t *at = permission->bytes;

	ret_reason[0] = '\0';
	permission->refs = 1;
	permission->vhost = put_bytes(&at, view->vhost);
	permission->exchange = put_bytes(&at, view->exchange);
	permission->patterns[PERMISSION_WRITE].text = put_bytes(&at, view->write);
	permission->patterns[PERMISSION_READ].text = put_bytes(&at, view->read);
	for (unsigned i = PERMISSION_WRITE; i <= PERMISSION_READ; i++)
		permission->patterns[i].compiled =
			take_expanded(patterns, view, i, ret_reason, size);
	permission->is_topic = true;
	return permission;
}

bool permission_is_broken(const struct permission *permission)
{
	for (unsigned i = permission->is_topic ? PERMISSION_WRITE : PERMISSION_CONFIGURE;
	     i < PERMISSION_PATTERNS; i++)
		if (permission->patterns[i].compiled == NULL)
			return true;
	return false;
}

void permission_unref(struct patterns *patterns, struct permission *permission)
{
	if (permission == NULL || --permission->refs != 0)
		return;
	for (unsigned i = 0; i < PERMISSION_PATTERNS; i++)
		patterns_give(patterns, permission->patterns[i].compiled);
	mem_free(permission);
}

struct permission_view permission_view(const struct account *account,
				       const struct permission *permission)
{
	return (struct permission_view){
		.vhost = permission->vhost,
		.user = slice_cstr(account->name),
		.configure = permission->patterns[PERMISSION_CONFIGURE].text,
		.write = permission->patterns[PERMISSION_WRITE].text,
		.read = permission->patterns[PERMISSION_READ].text,
	};
}

struct topic_permission_view topic_permission_view(const struct account *account,
						   const struct permission *permission)
{
	return (struct topic_permission_view){
		.vhost = permission->vhost,
		.user = slice_cstr(account->name),
		.exchange = permission->exchange,
		.write = permission->patterns[PERMISSION_WRITE].text,
		.read = permission->patterns[PERMISSION_READ].text,
	};
}

/* ---- Lists of them ---- */

int permission_compare(const struct permission *permission, struct slice vhost,
		       struct slice exchange)
{
	int order = slice_compare(permission->vhost, vhost);

	return order != 0 ? order : slice_compare(permission->exchange, exchange);
}

/* The first that is not before it. */
static size_t lower_bound(const struct permission_list *list, struct slice vhost,
			  struct slice exchange)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (permission_compare(list->items[middle], vhost, exchange) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct permission *permission_list_find(const struct permission_list *list, struct slice vhost,
					struct slice exchange)
{
	size_t i = lower_bound(list, vhost, exchange);

	return i < list->n && permission_compare(list->items[i], vhost, exchange) == 0
		       ? list->items[i]
		       : NULL;
}

static void permission_list_reserve(struct permission_list *list, size_t capacity)
{
	if (capacity <= list->capacity)
		return;
	list->capacity = capacity < 2 * list->capacity ? 2 * list->capacity : capacity;
	list->items = mem_realloc(list->items, list->capacity * sizeof(*list->items));
}

void permission_list_put_take(struct patterns *patterns, struct permission_list *list,
			      struct permission *permission)
{
	size_t i = lower_bound(list, permission->vhost, permission->exchange);

	if (i < list->n &&
	    permission_compare(list->items[i], permission->vhost, permission->exchange) == 0) {
		permission_unref(patterns, list->items[i]);
		list->items[i] = permission;
		return;
	}
	permission_list_reserve(list, list->n + 1);
	memmove(&list->items[i + 1], &list->items[i], (list->n - i) * sizeof(*list->items));
	list->items[i] = permission;
	list->n++;
}

bool permission_list_remove(struct patterns *patterns, struct permission_list *list,
			    struct slice vhost, struct slice exchange)
{
	size_t begin = lower_bound(list, vhost, exchange), end = begin;

	while (end < list->n && slice_equal(list->items[end]->vhost, vhost) &&
	       (exchange.data == NULL || slice_equal(list->items[end]->exchange, exchange)))
		permission_unref(patterns, list->items[end++]);
	if (end == begin)
		return false;
	memmove(&list->items[begin], &list->items[end], (list->n - end) * sizeof(*list->items));
	list->n -= end - begin;
	return true;
}

bool permission_list_covers(const struct permission_list *list, struct slice vhost)
{
	size_t i = lower_bound(list, vhost, SLICE_EMPTY);

	return i < list->n && slice_equal(list->items[i]->vhost, vhost);
}

static void permission_list_copy(struct permission_list *to, const struct permission_list *from)
{
	permission_list_reserve(to, from->n);
	for (size_t i = 0; i < from->n; i++) {
		from->items[i]->refs++;
		to->items[i] = from->items[i];
	}
	to->n = from->n;
}

static void permission_list_fini(struct patterns *patterns, struct permission_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		permission_unref(patterns, list->items[i]);
	mem_free(list->items);
}

/* ---- Usage ---- */

static struct access_usage *access_usage_create(void)
{
	struct access_usage *usage = mem_zalloc(sizeof(*usage));

	atomic_init(&usage->refs, 1);
	atomic_init(&usage->max_connections, ACCESS_NO_LIMIT);
	atomic_init(&usage->max_channels, ACCESS_NO_LIMIT);
	atomic_init(&usage->n_connections, 0);
	atomic_init(&usage->n_channels, 0);
	return usage;
}

struct access_usage *access_usage_ref(struct access_usage *usage)
{
	atomic_fetch_add_explicit(&usage->refs, 1, memory_order_relaxed);
	return usage;
}

void access_usage_unref(struct access_usage *usage)
{
	if (usage != NULL && atomic_fetch_sub_explicit(&usage->refs, 1, memory_order_acq_rel) == 1)
		mem_free(usage);
}

/* ---- Accounts ---- */

static void forget(struct account *account)
{
	if (account->hash_bytes != NULL)
		explicit_bzero(account->hash_bytes, account->hash.size);
	mem_free(account->hash_bytes);
	mem_free(account->tags);
}

struct account *account_create(const struct account_view *view)
{
	struct account *account = mem_zalloc(sizeof(*account));

	account->name = slice_strdup(view->name);
	account_set(account, view);
	account->usage = access_usage_create();
	return account;
}

struct account *account_clone(const struct account *from)
{
	const struct account_view view = account_view(from);
	struct account *account = mem_zalloc(sizeof(*account));

	account->name = mem_strdup(from->name);
	account_set(account, &view);
	account->usage = access_usage_ref(from->usage);
	permission_list_copy(&account->permissions, &from->permissions);
	permission_list_copy(&account->topics, &from->topics);
	return account;
}

void account_destroy(struct patterns *patterns, struct account *account)
{
	if (account == NULL)
		return;
	permission_list_fini(patterns, &account->permissions);
	permission_list_fini(patterns, &account->topics);
	access_usage_unref(account->usage);
	forget(account);
	mem_free(account->name);
	mem_free(account);
}

void account_set(struct account *account, const struct account_view *view)
{
	/* The view may be one of the account itself. */
	char *tags = slice_strdup(view->tags), *hash = slice_strdup(view->password_hash);

	forget(account);
	account->tags = tags;
	account->hash_bytes = hash;
	account->hash = slice_make(hash, view->password_hash.size);
	account->algorithm = view->algorithm;
	account->max_connections = view->max_connections;
	account->max_channels = view->max_channels;
}

struct account_view account_view(const struct account *account)
{
	return (struct account_view){
		.name = slice_cstr(account->name),
		.tags = slice_cstr(account->tags),
		.algorithm = account->algorithm,
		.password_hash = account->hash,
		.max_connections = account->max_connections,
		.max_channels = account->max_channels,
	};
}

bool account_is_same(const struct account *a, const struct account *b)
{
	return strcmp(a->tags, b->tags) == 0 && a->algorithm == b->algorithm &&
	       slice_equal(a->hash, b->hash) && a->max_connections == b->max_connections &&
	       a->max_channels == b->max_channels && a->usage == b->usage;
}
