/* SPDX-License-Identifier: MIT */
#include "broker/message/held_message.h"

#include <string.h>

#include "base/account.h"
#include "base/slab.h"

struct held_message {
	struct routed_message routed;
	size_t n_copied;
	uint8_t copied[]; /* the names of vhost and user, which may go before; a key */
};

static bool is_own_key(const struct routed_message *shown)
{
	struct slice own = message_routing_key(shown->message);

	return shown->view.routing_key.data == own.data && shown->view.routing_key.size == own.size;
}

static size_t size_of(size_t n_copied)
{
	return sizeof(struct held_message) + n_copied;
}

static uint8_t *copy(uint8_t *to, struct shunt_bytes *bytes)
{
	if (bytes->size > 0)
		memcpy(to, bytes->data, bytes->size);
	bytes->data = to;
	return to + bytes->size;
}

const struct routed_message *held_message_create(const struct routed_message *shown)
{
	bool has_own_key = is_own_key(shown);
	size_t n_copied = shown->view.vhost.size + shown->view.user.size +
			  (has_own_key ? 0 : shown->view.routing_key.size);
	struct held_message *held = slab_try_alloc(size_of(n_copied));
	uint8_t *behind;

	if (!held)
		return NULL;
	held->routed = *shown;
	held->routed.view.size = sizeof(held->routed.view);
	held->n_copied = n_copied;
	behind = copy(copy(held->copied, &held->routed.view.vhost), &held->routed.view.user);
	if (!has_own_key)
		(void)copy(behind, &held->routed.view.routing_key);
	(void)message_ref(held->routed.message);
	account_add(ACCOUNT_MESSAGE, (ptrdiff_t)size_of(n_copied));
	return &held->routed;
}

void held_message_destroy(const struct routed_message *routed)
{
	struct held_message *held = container_of((struct routed_message *)(uintptr_t)routed,
						 struct held_message, routed);
	size_t size = size_of(held->n_copied);

	message_unref(held->routed.message);
	account_add(ACCOUNT_MESSAGE, -(ptrdiff_t)size);
	slab_free(held, size);
}
