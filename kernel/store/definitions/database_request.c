/* SPDX-License-Identifier: MIT */
#include "store/definitions/database_request.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"

/* Key and value together; SQLite has a limit of the kind. */
#define ROW_SIZE_MAX (UINT64_C(1) << 29)

static void destroy_request(struct news_owner *owner)
{
	mem_free(container_of(owner, struct request, owner));
}

static size_t value_size(const struct store_change *change)
{
	return change->value.data ? change->value.size : 0;
}

/* Of the whole request; 0 if it is too large for any memory, or for the file. */
static size_t measure(const struct store_commit *commit)
{
	size_t size = sizeof(struct request);

	if (commit->n_changes > (SIZE_MAX / 4) / sizeof(struct change))
		return 0;
	size += commit->n_changes * sizeof(struct change);
	for (size_t i = 0; i < commit->n_changes; i++) {
		size_t key_size = commit->changes[i].key.size,
		       size_of_value = value_size(&commit->changes[i]);

		if (key_size > ROW_SIZE_MAX || size_of_value > ROW_SIZE_MAX - key_size ||
		    key_size + size_of_value > SIZE_MAX / 2 - size)
			return 0;
		size += key_size + size_of_value;
	}
	return size;
}

/* The data of the copy is not NULL, whatever the size. */
static struct slice copy_slice(uint8_t **to, struct slice bytes)
{
	struct slice copy = slice_make(*to, bytes.size);

	if (bytes.size > 0)
		memcpy(*to, bytes.data, bytes.size);
	*to += bytes.size;
	return copy;
}

static void copy_changes(struct request *request, const struct store_commit *commit)
{
	uint8_t *to = (uint8_t *)&request->changes[commit->n_changes];

	request->n_changes = commit->n_changes;
	for (size_t i = 0; i < commit->n_changes; i++) {
		const struct store_change *from = &commit->changes[i];
		struct change *change = &request->changes[i];

		*change = (struct change){.expected_revision = from->expected_revision,
					  .news = {.owner = &request->owner}};
		change->news.key = copy_slice(&to, from->key);
		if (from->value.data)
			change->news.value = copy_slice(&to, from->value);
	}
}

struct request *database_request_create(struct store_commit *commit)
{
	size_t size = measure(commit);
	struct request *copy = size > 0 ? mem_try_alloc(size) : NULL;
	struct request *request = copy ? copy : mem_alloc(sizeof(*request));

	*request = (struct request){.commit = commit, .result = STORE_ERROR, .has_failed = !copy};
	news_owner_init(&request->owner, destroy_request);
	if (copy)
		copy_changes(request, commit);
	return request;
}

void database_request_chain_add(struct request_chain *chain, struct request *request)
{
	request->next = NULL;
	if (chain->first)
		chain->last->next = request;
	else
		chain->first = request;
	chain->last = request;
}

struct request *database_request_chain_take(struct request_chain *chain)
{
	struct request *first = chain->first;

	*chain = (struct request_chain){.first = NULL};
	return first;
}
