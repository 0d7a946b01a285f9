/* SPDX-License-Identifier: MIT */
#include "broker/held_message.h"

#include <string.h>

#include "base/account.h"
#include "base/slab.h"

struct held_message {
	struct routed_message routed;
	size_t key_size; /* of the copy behind, 0: none */
	uint8_t key[];
};

static bool is_own_key(const struct routed_message *shown)
{
	struct slice own = message_routing_key(shown->message);

	return shown->view.routing_key.data == own.data && shown->view.routing_key.size == own.size;
}

static size_t size_of(size_t key_size)
{
	return sizeof(struct held_message) + key_size;
}

const struct routed_message *held_message_create(const struct routed_message *shown)
{
	size_t key_size = is_own_key(shown) ? 0 : shown->view.routing_key.size;
	struct held_message *held = slab_try_alloc(size_of(key_size));

	if (!held)
		return NULL;
	held->routed = *shown;
	held->routed.view.size = sizeof(held->routed.view);
	held->key_size = key_size;
	if (key_size > 0) {
		memcpy(held->key, shown->view.routing_key.data, key_size);
		held->routed.view.routing_key.data = held->key;
	}
	(void)message_ref(held->routed.message);
	account_add(ACCOUNT_MESSAGE, (ptrdiff_t)size_of(key_size));
	return &held->routed;
}

void held_message_destroy(const struct routed_message *routed)
{
	struct held_message *held = container_of((struct routed_message *)(uintptr_t)routed,
						 struct held_message, routed);
	size_t size = size_of(held->key_size);

	message_unref(held->routed.message);
	account_add(ACCOUNT_MESSAGE, -(ptrdiff_t)size);
	slab_free(held, size);
}
