/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <string.h>

#define CAPACITY_SMALLEST ((size_t)16)
#define OVERHEAD	  256 /* of a message, more or less */

void history_init(struct history *history, const struct shunt_host *host, uint64_t length,
		  uint64_t max_bytes)
{
	memset(history, 0, sizeof(*history));
	history->host = host;
	history->length = length;
	history->max_bytes = max_bytes;
}

static size_t slot(const struct history *history, size_t i)
{
	return (history->first + i) & (history->capacity - 1);
}

const struct shunt_message *history_at(const struct history *history, size_t i)
{
	return history->ring[slot(history, i)];
}

static uint64_t size_of(const struct history *history, const struct shunt_message *message)
{
	return OVERHEAD + message->exchange.size + message->routing_key.size + message->body.size +
	       history->host->message_headers(history->host, message).size;
}

static void drop_oldest(struct history *history)
{
	const struct shunt_message *oldest = history_at(history, 0);

	history->bytes -= size_of(history, oldest);
	history->first = slot(history, 1);
	history->count--;
	history->host->message_release(history->host, oldest);
}

void history_fini(struct history *history)
{
	while (history->count > 0)
		drop_oldest(history);
	history->host->free(history->host, history->ring);
}

/* Twice the ring, beginning with the oldest. */
static int grow(struct history *history)
{
	size_t capacity = history->capacity ? history->capacity * 2 : CAPACITY_SMALLEST;
	const struct shunt_message **ring =
		history->host->allocate(history->host, capacity * sizeof(ring[0]));

	if (!ring)
		return -1;
	for (size_t i = 0; i < history->count; i++)
		ring[i] = history_at(history, i);
	history->host->free(history->host, history->ring);
	history->ring = ring;
	history->capacity = capacity;
	history->first = 0;
	return 0;
}

static void drop_what_is_too_much(struct history *history, uint64_t bytes)
{
	while (history->count > 0 &&
	       (history->count >= history->length || bytes > history->max_bytes ||
		history->bytes > history->max_bytes - bytes))
		drop_oldest(history);
}

void history_add(struct history *history, const struct shunt_message *message)
{
	const struct shunt_message *held = history->host->message_hold(history->host, message);

	if (!held)
		return;
	drop_what_is_too_much(history, size_of(history, held));
	if (history->count == history->capacity && grow(history) < 0) {
		if (history->count == 0) {
			history->host->message_release(history->host, held);
			return;
		}
		drop_oldest(history);
	}
	history->ring[slot(history, history->count)] = held;
	history->count++;
	history->bytes += size_of(history, held);
}

void history_take(struct history *history, struct history *other)
{
	history->ring = other->ring;
	history->capacity = other->capacity;
	history->first = other->first;
	history->count = other->count;
	history->bytes = other->bytes;
	other->ring = NULL;
	other->capacity = 0;
	other->first = 0;
	other->count = 0;
	other->bytes = 0;
	while (history->count > 1 &&
	       (history->count > history->length || history->bytes > history->max_bytes))
		drop_oldest(history);
}
