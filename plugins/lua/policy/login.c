/* SPDX-License-Identifier: MIT */
/*
 * access.authenticate. The password is a string of Lua's for the time of the call, and until its
 * collector has come by; no copy of it is made here.
 */
#include <stdio.h>
#include <string.h>

#include "policy/access.h"
#include "script.h"
#include "run/state.h"

static const char *const words[] = {"next", "allow", "deny", NULL};
static const enum shunt_verdict verdicts[] = {SHUNT_NEXT, SHUNT_ALLOW, SHUNT_DENY};

struct asking {
	const struct access_state *own;
	const struct shunt_login *login;
	enum shunt_verdict verdict;
	bool has_user;
	char user[256], tags[1024], reason[256];
};

/* ---- The second result, of "allow" ---- */

/* One more, of which there are `size` bytes so far. */
static size_t add_tag(lua_State *L, struct asking *a, size_t size)
{
	const struct callee *of = &a->own->authenticate;
	size_t room = sizeof(a->tags) - size;

	if (size != 0) {
		if (room < 2)
			callee_fail(L, of, "too many tags");
		a->tags[size++] = ',';
		room--;
	}
	callee_name(L, -1, of, a->tags + size, room);
	if (a->tags[size] == '\0' || strchr(a->tags + size, ',') != NULL)
		callee_fail(L, of, "a tag that cannot be");
	return size + strlen(a->tags + size);
}

/* The array at the top. */
static void read_tags(lua_State *L, struct asking *a)
{
	lua_Unsigned n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	size_t size = 0;

	if (!lua_istable(L, -1))
		callee_fail(L, &a->own->authenticate, "tags that are no list");
	for (lua_Unsigned i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i);
		size = add_tag(L, a, size);
		lua_pop(L, 1);
	}
}

static void read_user(lua_State *L, struct asking *a)
{
	callee_name(L, -1, &a->own->authenticate, a->user, sizeof(a->user));
	if (a->user[0] == '\0')
		callee_fail(L, &a->own->authenticate, "an empty name");
	a->has_user = true;
}

/* The value at the top, under a key. */
static void read_detail(lua_State *L, struct asking *a)
{
	const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";

	if (strcmp(key, "tags") == 0)
		read_tags(L, a);
	else if (strcmp(key, "user") == 0)
		read_user(L, a);
	else
		callee_fail(L, &a->own->authenticate, "a detail that is neither tags nor user");
}

static void read_details(lua_State *L, struct asking *a)
{
	if (lua_isnil(L, -1))
		return;
	if (!lua_istable(L, -1))
		callee_fail(L, &a->own->authenticate, "details that are no table");
	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		read_detail(L, a);
		lua_pop(L, 1);
	}
}

/* ---- Asking ---- */

static void ask(lua_State *L, void *context)
{
	struct asking *a = context;
	const struct callee *of = &a->own->authenticate;

	callee_push(L, of);
	view_push_bytes(L, a->login->user);
	view_push_bytes(L, a->login->password);
	lua_rawgeti(L, LUA_REGISTRYINDEX, a->own->peer_ref);
	view_push_bytes(L, a->login->mechanism);
	lua_call(L, 4, 2);
	a->verdict = verdicts[callee_word(L, -2, of, words)];
	if (a->verdict == SHUNT_ALLOW)
		read_details(L, a);
	else
		callee_text(L, -1, of, a->reason, sizeof(a->reason));
}

static void answer(const struct script *script, const struct asking *a)
{
	(void)script->host->login_done(script->host, a->login->id, a->verdict,
				       a->has_user ? a->user : NULL, a->tags,
				       a->reason[0] != '\0' ? a->reason : NULL);
}

static void failed(const struct script *script, struct asking *a)
{
	bool passes = script->on_error[CALL_AUTHENTICATE] == ON_ERROR_PASS;

	a->verdict = passes ? SHUNT_NEXT : SHUNT_DENY;
	a->has_user = false;
	a->tags[0] = '\0';
	(void)snprintf(a->reason, sizeof(a->reason), "the policy '%s' failed", script->name);
}

void access_login(void *plugin, const struct shunt_login *login)
{
	struct script *script = plugin;
	struct state *state = script_state_here(script);
	const struct access_state *own = state->of_module[MODULE_ACCESS];
	const void *before = view_show(own->peer, login->peer);
	struct asking a;
	enum call_result result;

	a.own = own;
	a.login = login;
	a.has_user = false;
	a.user[0] = a.tags[0] = a.reason[0] = '\0';
	result = call_run(state, CALL_AUTHENTICATE, ask, &a, NULL);
	view_show(own->peer, before);
	if (result != CALL_OK)
		failed(script, &a);
	answer(script, &a);
}
