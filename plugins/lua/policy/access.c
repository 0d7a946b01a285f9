/* SPDX-License-Identifier: MIT */
/*
 * access.authorize, and the policy as a whole. An answer says for how long the broker may remember
 * it: what was remembered costs no call.
 */
#include "policy/access.h"

#include <string.h>

#include "library/crypto.h"
#include "script.h"
#include "run/state.h"

/* What the script registers. */
struct access_script {
	struct shunt_access_policy policy;
};

static const char *const known[] = {"authenticate", "authorize", "cache_seconds",
				    "depends",	    "changed",	 NULL};

#define CHANGED_INSTRUCTIONS 1000u /* all connections ask again */

/* ---- Authorizing ---- */

static const char *const verdict_words[] = {"next", "allow", "deny", NULL};
static const enum shunt_verdict verdicts[] = {SHUNT_NEXT, SHUNT_ALLOW, SHUNT_DENY};

struct asking {
	const struct access_state *own;
	enum shunt_verdict verdict;
	uint32_t remember_ms;
	char reason[sizeof(((struct shunt_answer *)NULL)->reason)];
};

static void ask(lua_State *L, void *context)
{
	struct asking *a = context;
	const struct callee *of = &a->own->authorize;

	callee_push(L, of);
	lua_rawgeti(L, LUA_REGISTRYINDEX, a->own->question_ref);
	lua_call(L, 1, 3);
	a->remember_ms = a->own->remember_ms;
	callee_seconds(L, -1, of, &a->remember_ms);
	callee_text(L, -2, of, a->reason, sizeof(a->reason));
	a->verdict = verdicts[callee_word(L, -3, of, verdict_words)];
}

/* The client is told nothing of a policy that failed; call_run() has logged it. */
static enum shunt_verdict failed(const struct script *script, struct shunt_answer *answer)
{
	answer->remember_ms = 0;
	return script->on_error[CALL_AUTHORIZE] == ON_ERROR_PASS ? SHUNT_NEXT : SHUNT_DENY;
}

static enum shunt_verdict decide(void *plugin, const struct shunt_question *question,
				 struct shunt_answer *answer)
{
	struct script *script = plugin;
	struct state *state = script_state_here(script);
	struct access_state *own = state->of_module[MODULE_ACCESS];
	struct asking a = {.own = own};
	const void *question_before = view_show(own->question, question);
	const void *peer_before = view_show(own->peer, question->peer);
	enum call_result result = call_run(state, CALL_AUTHORIZE, ask, &a, NULL);

	view_show(own->question, question_before);
	view_show(own->peer, peer_before);
	if (result != CALL_OK)
		return failed(script, answer);
	answer->remember_ms = a.remember_ms;
	if (a.verdict == SHUNT_DENY)
		memcpy(answer->reason, a.reason, sizeof(a.reason));
	return a.verdict;
}

/* access.changed(): what was remembered is forgotten. Not while a message is routed, nor while it
 * is not in force. */
static int changed(lua_State *L)
{
	const struct shunt_host *host = state_of(L)->script->host;
	enum call_kind kind = call_kind_now(L);

	if (kind == CALL_LOAD || kind == CALL_VALIDATE || kind == CALL_BIND || kind == CALL_ROUTE)
		return luaL_error(L, "access.changed: not in %s", call_kind_name(kind));
	call_charge(L, CHANGED_INSTRUCTIONS);
	host->access_changed(host);
	return 0;
}

/* ---- What the script has said ---- */

const char *const access_depends_names[] = {
	[ACCESS_USER] = "user",
	[ACCESS_TAGS] = "tags",
	[ACCESS_OPERATION] = "operation",
	[ACCESS_RESOURCE] = "resource",
	[ACCESS_VHOST] = "vhost",
	[ACCESS_NAME] = "name",
	[ACCESS_ROUTING_KEY] = "routing_key",
	[ACCESS_DEPENDS_COUNT] = NULL,
};

/* The value at the top, which it takes. */
static uint32_t depends_bit(lua_State *L)
{
	const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	unsigned i = 0;

	while (access_depends_names[i] != NULL && strcmp(access_depends_names[i], name) != 0)
		i++;
	if (access_depends_names[i] == NULL)
		luaL_error(L, "access.depends: an answer cannot depend on '%s'",
			   luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return UINT32_C(1) << i;
}

/* The table of the module is at the top. */
static void read_depends(lua_State *L, struct access_state *own)
{
	if (lua_getfield(L, -1, "depends") != LUA_TNIL) {
		if (!lua_istable(L, -1))
			luaL_error(L, "access.depends must be a list of names");
		for (lua_Unsigned i = lua_rawlen(L, -1); i > 0; i--) {
			lua_rawgeti(L, -1, (lua_Integer)i);
			own->depends |= depends_bit(L);
		}
		own->has_depends = true;
		own->remember_ms = UINT32_MAX;
	}
	lua_pop(L, 1);
}

static void read_cache_seconds(lua_State *L, struct access_state *own)
{
	if (lua_getfield(L, -1, "cache_seconds") != LUA_TNIL) {
		if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) >= 0))
			luaL_error(L, "access.cache_seconds must be a number, from 0 on");
		callee_seconds(L, -1, &own->authorize, &own->remember_ms);
	}
	lua_pop(L, 1);
}

static void look(lua_State *L, struct state *state)
{
	struct access_state *own = state->of_module[MODULE_ACCESS];

	callee_check_names(L, "access", known);
	callee_find(L, "access.authenticate", &own->authenticate);
	callee_find(L, "access.authorize", &own->authorize);
	lua_getglobal(L, "access");
	read_depends(L, own);
	read_cache_seconds(L, own);
	lua_pop(L, 1);
}

bool access_depends(const struct script *script, uint32_t *ret_bits)
{
	const struct access_state *own = script->states[0]->of_module[MODULE_ACCESS];

	*ret_bits = own->depends;
	return own->has_depends;
}

/* ---- The life of it ---- */

/* The views are Lua's, and found again by their references. */
static void make_views(lua_State *L, struct access_state *own)
{
	own->peer = view_create(L, &view_peer);
	own->question = view_create(L, &access_question_view);
	view_link(L, -2);
	own->question_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	own->peer_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void open_access(lua_State *L, struct state *state)
{
	const struct shunt_host *host = state->script->host;
	struct access_state *own = host->allocate(host, sizeof(*own));

	if (own == NULL)
		luaL_error(L, "not enough memory");
	else
		*own = (struct access_state){0};
	state->of_module[MODULE_ACCESS] = own;
	make_views(L, own);
	lua_newtable(L);
	lua_pushcfunction(L, changed);
	lua_setfield(L, -2, "changed");
	lua_setglobal(L, "access");
	crypto_open(L);
}

static bool is_alike(const struct access_state *a, const struct access_state *b)
{
	return callee_is_defined(&a->authenticate) == callee_is_defined(&b->authenticate) &&
	       callee_is_defined(&a->authorize) == callee_is_defined(&b->authorize);
}

/* NULL: the states have not defined the same. */
static const struct access_state *first_of(const struct script *script)
{
	const struct access_state *first = script->states[0]->of_module[MODULE_ACCESS];

	for (unsigned i = 1; i < script->n_states; i++)
		if (!is_alike(first, script->states[i]->of_module[MODULE_ACCESS]))
			return NULL;
	return first;
}

static int collect(struct script *script, struct shunt_error *error)
{
	const struct access_state *first = first_of(script);
	struct access_script *own;

	if (first == NULL)
		return callee_differs(script, "access", error);
	if (!callee_is_defined(&first->authenticate) && !callee_is_defined(&first->authorize))
		return 0;
	own = script->host->allocate(script->host, sizeof(*own));
	if (own == NULL)
		return callee_no_memory(error);
	own->policy = (struct shunt_access_policy){
		.size = sizeof(own->policy),
		.name = script->name,
		.authenticate = callee_is_defined(&first->authenticate) ? access_login : NULL,
		.decide = callee_is_defined(&first->authorize) ? decide : NULL,
	};
	script->of_module[MODULE_ACCESS] = own;
	return 0;
}

static int start(struct script *script, struct shunt_error *error)
{
	const struct access_script *own = script->of_module[MODULE_ACCESS];

	if (own == NULL)
		return 0;
	return script->host->register_access_policy(script->host, &own->policy, error);
}

static void describe(const struct script *script, struct shunt_report *report)
{
	const struct access_state *own = script->states[0]->of_module[MODULE_ACCESS];
	const struct callee *const all[] = {&own->authenticate, &own->authorize};

	callee_describe(report, "access policy:", all, 2);
}

static void close_state(struct state *state)
{
	state->script->host->free(state->script->host, state->of_module[MODULE_ACCESS]);
}

static void close_script(struct script *script)
{
	script->host->free(script->host, script->of_module[MODULE_ACCESS]);
}

const struct module access_module = {
	.open = open_access,
	.look = look,
	.collect = collect,
	.start = start,
	.describe = describe,
	.close_state = close_state,
	.close = close_script,
};
