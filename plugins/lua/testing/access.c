/* SPDX-License-Identifier: MIT */
#include "testing/access.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "policy/access.h"
#include "script.h"
#include "run/state.h"
#include "testing/message.h"

static const char *const verdict_names[] = {"allow", "deny", "next"};

/* ---- Logins ---- */

/* {user = ..., tags = {...}} */
static void push_details(lua_State *L, const struct testing_login *login)
{
	const char *tags = login->tags;
	lua_Integer count = 0;

	lua_newtable(L);
	lua_pushstring(L, login->user);
	lua_setfield(L, -2, "user");
	lua_newtable(L);
	while (*tags) {
		size_t size = strcspn(tags, ",");

		lua_pushlstring(L, tags, size);
		lua_rawseti(L, -2, ++count);
		tags += size + (tags[size] == ',');
	}
	lua_setfield(L, -2, "tags");
}

static struct shunt_bytes check_bytes(lua_State *L, int argument)
{
	struct shunt_bytes bytes;

	bytes.data = (const uint8_t *)luaL_optlstring(L, argument, "", &bytes.size);
	return bytes;
}

/* Asks the policies until one does not say "next". */
static enum shunt_verdict ask_login(lua_State *L, const struct shunt_login *login)
{
	struct testing *testing = testing_of(L);
	bool asked = false;

	for (size_t i = 0; i < testing->policy_count; i++) {
		if (!testing->policies[i]->authenticate)
			continue;
		asked = true;
		testing->login.is_answered = false;
		testing->policies[i]->authenticate(testing->script, login);
		testing_check_settled(L);
		if (!testing->login.is_answered)
			luaL_error(L, "the login was not answered");
		if (testing->login.verdict != SHUNT_NEXT)
			return testing->login.verdict;
	}
	if (!asked)
		luaL_error(L, "the script has no function access.authenticate");
	return SHUNT_NEXT;
}

int testing_authenticate(lua_State *L)
{
	uint64_t failures = state_of(L)->failures;
	struct shunt_login login = {.size = sizeof(login), .id = 1};
	struct shunt_peer peer;
	enum shunt_verdict verdict;

	lua_settop(L, 4);
	login.user = check_bytes(L, 1);
	login.password = check_bytes(L, 2);
	login.mechanism = check_bytes(L, 4);
	if (lua_isnil(L, 4))
		login.mechanism = (struct shunt_bytes){(const uint8_t *)"PLAIN", 5};
	testing_peer_read(L, 3, &peer);
	login.peer = &peer;
	verdict = ask_login(L, &login);
	testing_check_failures(L, failures);
	lua_pushstring(L, verdict_names[verdict]);
	if (verdict == SHUNT_ALLOW)
		push_details(L, &testing_of(L)->login);
	else if (verdict == SHUNT_DENY && testing_of(L)->login.reason[0])
		lua_pushstring(L, testing_of(L)->login.reason);
	else
		lua_pushnil(L);
	return 2;
}

/* ---- Questions ---- */

struct answered {
	enum shunt_verdict verdict;
	struct shunt_answer answer;
};

static struct answered ask(lua_State *L, const struct shunt_question *question)
{
	const struct testing *testing = testing_of(L);
	uint64_t failures = state_of(L)->failures;
	struct answered answered = {.verdict = SHUNT_NEXT};
	bool asked = false;

	for (size_t i = 0; i < testing->policy_count && answered.verdict == SHUNT_NEXT; i++) {
		const struct shunt_access_policy *policy = testing->policies[i];

		answered.answer = (struct shunt_answer){.size = sizeof(answered.answer),
							.remember_ms = UINT32_MAX};
		if (!policy->decide)
			continue;
		asked = true;
		answered.verdict = policy->decide(testing->script, question, &answered.answer);
	}
	if (!asked)
		luaL_error(L, "the script has no function access.authorize");
	testing_check_failures(L, failures);
	return answered;
}

/* A list of strings, or a string with commas: pushes the latter. */
static struct shunt_bytes read_tags(lua_State *L, int table)
{
	struct shunt_bytes tags;
	luaL_Buffer buffer;

	if (lua_getfield(L, table, "tags") != LUA_TTABLE) {
		lua_pop(L, 1);
		return testing_text(L, table, "tags", "");
	}
	luaL_buffinit(L, &buffer);
	for (lua_Unsigned i = 1, count = lua_rawlen(L, table + 1); i <= count; i++) {
		if (i > 1)
			luaL_addchar(&buffer, ',');
		if (lua_rawgeti(L, table + 1, (lua_Integer)i) != LUA_TSTRING)
			luaL_error(L, "'tags' must be strings");
		luaL_addvalue(&buffer);
	}
	luaL_pushresult(&buffer);
	tags.data = (const uint8_t *)lua_tolstring(L, -1, &tags.size);
	return tags;
}

static int read_choice(lua_State *L, const char *field, const char *fallback,
		       const char *const *names)
{
	int choice;

	if (lua_getfield(L, 1, field) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_pushstring(L, fallback);
	}
	choice = luaL_checkoption(L, -1, NULL, names);
	lua_pop(L, 1);
	return choice;
}

/* From the table at 1. */
static void read_question(lua_State *L, struct shunt_question *question, struct shunt_peer *peer)
{
	static const char *const operations[] = {"connect",	"configure",  "write", "read",
						 "write_topic", "read_topic", NULL};
	static const char *const resources[] = {"queue", "exchange", "vhost", NULL};
	static const char *const fields[] = {"operation", "resource", "user", "tags",
					     "vhost",	  "name",     "peer", "routing_key",
					     "arguments", NULL};

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	testing_check_fields(L, 1, fields);
	*question = (struct shunt_question){.size = sizeof(*question), .peer = peer};
	question->tags = read_tags(L, 1);
	question->operation =
		(enum shunt_operation)read_choice(L, "operation", "write", operations);
	question->resource = (enum shunt_resource)read_choice(
		L, "resource", question->operation == SHUNT_CONNECT ? "vhost" : "exchange",
		resources);
	question->user = testing_text(L, 1, "user", "guest");
	question->vhost = testing_text(L, 1, "vhost", "/");
	question->name = testing_text(L, 1, "name", "");
	question->routing_key = testing_text(L, 1, "routing_key", "");
	question->arguments = testing_raw_table(L, 1, "arguments");
	lua_getfield(L, 1, "peer");
	testing_peer_read(L, -1, peer);
}

/* ---- access.depends ---- */

static bool is_same(const struct answered *a, const struct answered *b)
{
	return a->verdict == b->verdict && strcmp(a->answer.reason, b->answer.reason) == 0;
}

static void change(struct shunt_question *question, enum access_depends field)
{
	static const struct shunt_bytes other = {(const uint8_t *)"changed by the test", 19};

	switch (field) {
	case ACCESS_USER:
		question->user = other;
		break;
	case ACCESS_TAGS:
		question->tags = question->tags.size > 0 ? (struct shunt_bytes){NULL, 0} : other;
		break;
	case ACCESS_OPERATION:
		question->operation = question->operation == SHUNT_READ ? SHUNT_WRITE : SHUNT_READ;
		break;
	case ACCESS_RESOURCE:
		question->resource =
			question->resource == SHUNT_QUEUE ? SHUNT_EXCHANGE : SHUNT_QUEUE;
		break;
	case ACCESS_VHOST:
		question->vhost = other;
		break;
	case ACCESS_NAME:
		question->name = other;
		break;
	case ACCESS_ROUTING_KEY:
		question->routing_key = other;
		break;
	case ACCESS_DEPENDS_COUNT:
		break;
	}
}

/* What cannot be named in depends must not matter either: the peer, the arguments. */
static void check_rest(lua_State *L, const struct shunt_question *question,
		       const struct answered *first)
{
	struct shunt_question changed = *question;
	struct shunt_peer peer = *question->peer;
	struct answered again;

	peer.host = (struct shunt_bytes){(const uint8_t *)"203.0.113.1", 11};
	peer.is_loopback = !peer.is_loopback;
	peer.is_tls = !peer.is_tls;
	changed.peer = &peer;
	again = ask(L, &changed);
	if (!is_same(first, &again))
		luaL_error(L, "the answer depends on the peer, which depends cannot name");
	changed = *question;
	changed.arguments = (struct shunt_bytes){NULL, 0};
	again = ask(L, &changed);
	if (!is_same(first, &again))
		luaL_error(L, "the answer depends on the arguments, which depends cannot name");
	again = ask(L, question);
	if (!is_same(first, &again))
		luaL_error(L, "the second answer differs: with depends it must not");
}

static void check_depends(lua_State *L, const struct shunt_question *question,
			  const struct answered *first)
{
	uint32_t named;

	if (!access_depends(state_of(L)->script, &named))
		return;
	for (unsigned field = 0; field < ACCESS_DEPENDS_COUNT; field++) {
		struct shunt_question changed = *question;
		struct answered again;

		if (named & UINT32_C(1) << field)
			continue;
		change(&changed, field);
		again = ask(L, &changed);
		if (!is_same(first, &again))
			luaL_error(L, "the answer depends on '%s', which is not in access.depends",
				   access_depends_names[field]);
	}
	check_rest(L, question, first);
}

int testing_authorize(lua_State *L)
{
	struct shunt_question question;
	struct shunt_peer peer;
	struct answered answered;

	read_question(L, &question, &peer);
	answered = ask(L, &question);
	/* an answer that is not remembered may depend on anything */
	if (answered.answer.remember_ms > 0)
		check_depends(L, &question, &answered);
	lua_pushstring(L, verdict_names[answered.verdict]);
	if (answered.answer.reason[0])
		lua_pushstring(L, answered.answer.reason);
	else
		lua_pushnil(L);
	if (answered.answer.remember_ms == UINT32_MAX)
		lua_pushnumber(L, HUGE_VAL);
	else
		lua_pushnumber(L, answered.answer.remember_ms / 1000.0);
	return 3;
}
