/* SPDX-License-Identifier: MIT */
#include "row.h"

#include <string.h>

#define CAPACITY_SMALLEST ((size_t)4)

void row_init(struct row *row, const struct shunt_host *host)
{
	memset(row, 0, sizeof(*row));
	row->host = host;
}

void row_fini(struct row *row)
{
	row->host->free(row->host, row->bindings);
}

static int compare_bytes(struct shunt_bytes a, struct shunt_bytes b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size > 0 ? memcmp(a.data, b.data, size) : 0;

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The id is for bindings that are alike in everything: which of them is first makes no difference,
 * but one of them must be. */
static int compare(const struct shunt_binding *a, const struct shunt_binding *b)
{
	int order = compare_bytes(a->destination, b->destination);

	if (order == 0)
		order = a->destination_is_exchange - b->destination_is_exchange;
	if (order == 0)
		order = compare_bytes(a->routing_key, b->routing_key);
	if (order == 0)
		order = compare_bytes(a->arguments, b->arguments);
	return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

/* Where the binding is, or belongs. */
static size_t find(const struct row *row, const struct shunt_binding *binding)
{
	size_t first = 0, end = row->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (compare(row->bindings[middle], binding) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static int resize(struct row *row, size_t capacity)
{
	const struct shunt_host *host = row->host;
	void *bindings = host->reallocate(host, row->bindings, capacity * sizeof(row->bindings[0]));

	if (!bindings)
		return -1;
	row->bindings = bindings;
	row->capacity = capacity;
	return 0;
}

int row_add(struct row *row, const struct shunt_binding *binding)
{
	size_t at = find(row, binding);

	if (row->count == row->capacity &&
	    resize(row, row->capacity ? row->capacity * 2 : CAPACITY_SMALLEST) < 0)
		return -1;
	memmove(&row->bindings[at + 1], &row->bindings[at],
		(row->count - at) * sizeof(row->bindings[0]));
	row->bindings[at] = binding;
	row->count++;
	return 0;
}

/* Without memory for a smaller array the larger one stays. */
static void trim(struct row *row)
{
	if (row->count == 0) {
		row->host->free(row->host, row->bindings);
		row->bindings = NULL;
		row->capacity = 0;
	} else if (row->count < row->capacity / 4) {
		(void)resize(row, row->capacity / 2);
	}
}

void row_remove(struct row *row, const struct shunt_binding *binding)
{
	size_t at = find(row, binding);

	row->count--;
	memmove(&row->bindings[at], &row->bindings[at + 1],
		(row->count - at) * sizeof(row->bindings[0]));
	trim(row);
}
