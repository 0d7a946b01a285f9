/* SPDX-License-Identifier: MIT */

/* test.publish() and test.deliver(). */

#include "testing/hook.h"

#include <lauxlib.h>

#include "script.h"
#include "run/state.h"
#include "testing/message.h"

static void check_hooks(lua_State *L, const struct testing *testing, bool deliver)
{
	for (size_t i = 0; i < testing->hook_count; i++)
		if (deliver ? testing->hooks[i]->deliver != NULL
			    : testing->hooks[i]->publish != NULL)
			return;
	luaL_error(L, "the script has no function hook.%s", deliver ? "deliver" : "publish");
}

int testing_publish(lua_State *L)
{
	static const char *const others[] = {"mandatory", "peer", "dry_run", NULL};
	static const char *const names[] = {"pass", "drop", "refuse", "nack"};
	struct testing *testing = testing_of(L);
	uint64_t failures = state_of(L)->failures;
	enum shunt_decision decision = SHUNT_PASS;
	struct shunt_error error = {0};
	struct testing_draft draft;
	struct testing_message message;
	struct shunt_peer peer;
	struct shunt_publish publish = {.size = sizeof(publish), .peer = &peer};

	check_hooks(L, testing, false);
	testing_message_read(L, 1, others, (struct shunt_bytes){NULL, 0}, &message);
	lua_getfield(L, 1, "peer");
	testing_peer_read(L, -1, &peer);
	publish.user = message.message.user;
	publish.mandatory = testing_boolean(L, 1, "mandatory", false);
	publish.dry_run = testing_boolean(L, 1, "dry_run", false);
	for (size_t i = 0; i < testing->hook_count && decision == SHUNT_PASS; i++) {
		testing_draft_init(&draft, testing, &message);
		publish.message = &message.message;
		if (!testing->hooks[i]->publish)
			continue;
		decision =
			testing->hooks[i]->publish(testing->script, &publish, &draft.draft, &error);
		if (decision == SHUNT_PASS)
			message = draft.message;
	}
	testing_check_failures(L, failures);
	testing_check_settled(L);
	lua_pushstring(L, names[decision]);
	testing_message_push(L, &message);
	if (decision == SHUNT_REJECT || decision == SHUNT_NACK)
		lua_pushstring(L, error.text);
	else
		lua_pushnil(L);
	return 3;
}

int testing_deliver(lua_State *L)
{
	static const char *const others[] = {"queue", "consumer_tag", "redelivered", "peer", NULL};
	static const char *const names[] = {"pass", "drop", "reject"};
	struct testing *testing = testing_of(L);
	uint64_t failures = state_of(L)->failures;
	enum shunt_decision decision = SHUNT_PASS;
	struct testing_draft draft;
	struct testing_message message;
	struct shunt_peer peer;
	struct shunt_delivery delivery = {.size = sizeof(delivery), .peer = &peer};

	check_hooks(L, testing, true);
	testing_message_read(L, 1, others, (struct shunt_bytes){NULL, 0}, &message);
	lua_getfield(L, 1, "peer");
	testing_peer_read(L, -1, &peer);
	delivery.user = message.message.user;
	delivery.queue = testing_text(L, 1, "queue", "queue");
	delivery.consumer_tag = testing_text(L, 1, "consumer_tag", "");
	delivery.redelivered = testing_boolean(L, 1, "redelivered", false);
	for (size_t i = 0; i < testing->hook_count && decision == SHUNT_PASS; i++) {
		testing_draft_init(&draft, testing, &message);
		draft.is_delivery = true;
		delivery.message = &message.message;
		if (!testing->hooks[i]->deliver)
			continue;
		decision = testing->hooks[i]->deliver(testing->script, &delivery, &draft.draft);
		if (decision == SHUNT_PASS)
			message = draft.message;
	}
	testing_check_failures(L, failures);
	testing_check_settled(L);
	lua_pushstring(L, names[decision <= SHUNT_REJECT ? decision : SHUNT_REJECT]);
	testing_message_push(L, &message);
	return 2;
}
