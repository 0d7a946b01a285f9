/* SPDX-License-Identifier: MIT */
#include "exchange/changes.h"

#include <string.h>

#define FIRST_CAPACITY 16u

/* ---- Records ---- */

static struct shunt_bytes copy_bytes(uint8_t **at, struct shunt_bytes bytes)
{
	struct shunt_bytes copy = {*at, bytes.size};

	if (bytes.size > 0)
		memcpy(*at, bytes.data, bytes.size);
	*at += bytes.size;
	return copy;
}

struct record *record_create(const struct shunt_host *host, const struct shunt_binding *binding)
{
	size_t size =
		binding->routing_key.size + binding->arguments.size + binding->destination.size;
	struct record *record = host->allocate(host, sizeof(*record) + size);
	uint8_t *at;

	if (!record)
		return NULL;
	at = record->text;
	record->refs = 1;
	record->slot = 0;
	record->view = (struct shunt_binding){
		.size = sizeof(record->view),
		.id = binding->id,
		.destination_is_exchange = binding->destination_is_exchange,
	};
	record->view.routing_key = copy_bytes(&at, binding->routing_key);
	record->view.arguments = copy_bytes(&at, binding->arguments);
	record->view.destination = copy_bytes(&at, binding->destination);
	return record;
}

void record_unref(const struct shunt_host *host, struct record *record)
{
	if (record && --record->refs == 0)
		host->free(host, record);
}

/* ---- The ring ---- */

void changes_init(struct changes *changes, const struct shunt_host *host)
{
	*changes = (struct changes){.host = host};
}

void changes_trim(struct changes *changes, uint64_t first)
{
	for (; changes->first < first; changes->first++)
		record_unref(changes->host, changes_at(changes, changes->first)->record);
}

void changes_fini(struct changes *changes)
{
	changes_trim(changes, changes->end);
	changes->host->free(changes->host, changes->events);
	changes_init(changes, changes->host);
}

static int grow(struct changes *changes)
{
	size_t capacity = changes->capacity > 0 ? changes->capacity * 2 : FIRST_CAPACITY;
	struct event *events =
		changes->host->allocate(changes->host, capacity * sizeof(struct event));

	if (!events)
		return -1;
	for (uint64_t i = changes->first; i < changes->end; i++)
		events[i & (capacity - 1)] = *changes_at(changes, i);
	changes->host->free(changes->host, changes->events);
	changes->events = events;
	changes->capacity = capacity;
	return 0;
}

static void drop_all(struct changes *changes)
{
	uint64_t end = changes->end + 1; /* the new one is among what was missed */

	changes_fini(changes);
	changes->first = changes->end = end;
}

void changes_add(struct changes *changes, struct record *record, bool is_unbind, size_t most)
{
	size_t count = (size_t)(changes->end - changes->first);

	if (count >= most || (count == changes->capacity && grow(changes) != 0)) {
		drop_all(changes);
		return;
	}
	record->refs++;
	changes->events[changes->end & (changes->capacity - 1)] = (struct event){record, is_unbind};
	changes->end++;
}
