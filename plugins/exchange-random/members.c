/* SPDX-License-Identifier: MIT */
#include "members.h"

#include <string.h>

#define CAPACITY_SMALLEST ((size_t)4)

void members_init(struct members *members, const struct shunt_host *host)
{
	memset(members, 0, sizeof(*members));
	members->host = host;
}

void members_fini(struct members *members)
{
	const struct shunt_host *host = members->host;

	for (size_t i = 0; i < members->count; i++)
		host->free(host, members->array[i]);
	host->free(host, members->array);
}

static int resize(struct members *members, size_t capacity)
{
	const struct shunt_host *host = members->host;
	void *array = host->reallocate(host, members->array, capacity * sizeof(members->array[0]));

	if (!array)
		return -1;
	members->array = array;
	members->capacity = capacity;
	return 0;
}

static int reserve(struct members *members)
{
	if (members->count < members->capacity)
		return 0;
	return resize(members, members->capacity ? members->capacity * 2 : CAPACITY_SMALLEST);
}

/* Without memory for a smaller array the larger one stays. */
static void trim(struct members *members)
{
	if (members->count == 0) {
		members->host->free(members->host, members->array);
		members->array = NULL;
		members->capacity = 0;
	} else if (members->count < members->capacity / 4) {
		(void)resize(members, members->capacity / 2);
	}
}

struct member *members_add(struct members *members, const struct shunt_binding *binding)
{
	struct member *member = members->host->allocate(members->host, sizeof(*member));

	if (!member)
		return NULL;
	if (reserve(members) < 0) {
		members->host->free(members->host, member);
		return NULL;
	}
	member->binding = binding;
	member->position = members->count;
	members->array[members->count++] = member;
	return member;
}

void members_remove(struct members *members, struct member *member)
{
	struct member *last = members->array[--members->count];

	members->array[member->position] = last;
	last->position = member->position;
	members->host->free(members->host, member);
	trim(members);
}
