/* SPDX-License-Identifier: MIT */
/*
 * hook.publish and hook.deliver. What a script writes into the message comes into the draft when
 * the function has returned, so that one that fails half-way has changed nothing.
 */
#include "policy/hook.h"

#include <stdio.h>
#include <string.h>

#include "policy/callee.h"
#include "policy/hook_context.h"
#include "message/message.h"
#include "script.h"
#include "run/state.h"

/* Of a state. */
struct hook_state {
	struct callee publish, deliver;
	struct hook_contexts contexts;
};

/* What the script registers. */
struct hook_script {
	struct shunt_hook hook;
};

static const char *const known[] = {"publish", "deliver", NULL};

/* ---- Publish ---- */

static const char *const publish_words[] = {"pass", "drop", "nack", "refuse", NULL};
static const enum shunt_decision publish_decisions[] = {SHUNT_PASS, SHUNT_DROP, SHUNT_NACK,
							SHUNT_REJECT};

struct publishing {
	const struct hook_state *own;
	const struct shunt_publish *publish;
	struct shunt_draft *draft;
	enum shunt_decision decision;
	bool is_applying; /* the draft may have a part of what was written */
	char reason[sizeof(((struct shunt_error *)NULL)->text)];
};

static void ask_publish(lua_State *L, void *context)
{
	struct publishing *p = context;
	const struct callee *of = &p->own->publish;

	callee_push(L, of);
	message_open(L, p->publish->message, MESSAGE_PUBLISH);
	lua_rawgeti(L, LUA_REGISTRYINDEX, p->own->contexts.publish_ref);
	lua_call(L, 2, 2);
	callee_text(L, -1, of, p->reason, sizeof(p->reason));
	p->decision = publish_decisions[callee_word(L, -2, of, publish_words)];
	if (p->decision != SHUNT_PASS)
		return;
	p->is_applying = true;
	message_apply(L, p->draft);
}

static void refuse(const struct script *script, const char *reason, struct shunt_error *error)
{
	error->code = SHUNT_ACCESS_REFUSED;
	if (reason[0] != '\0')
		(void)snprintf(error->text, sizeof(error->text), "%s", reason);
	else
		(void)snprintf(error->text, sizeof(error->text), "refused by '%s'", script->name);
}

/* The client is not told: the broker logs it, at a limited rate, and shuntctl explain_route shows
 * it. */
static void nack(const char *reason, struct shunt_error *error)
{
	(void)snprintf(error->text, sizeof(error->text), "%s", reason);
}

/* A nack, and not an exception, for a mistake in a script: the publisher of a good message keeps
 * its channel, and who uses confirms can publish it again. One that is changed by half never
 * passes. */
static enum shunt_decision publish_failed(const struct script *script, const struct publishing *p,
					  struct shunt_error *error)
{
	if (script->on_error[CALL_PUBLISH] == ON_ERROR_PASS && !p->is_applying)
		return SHUNT_PASS;
	nack("the script has failed", error);
	return SHUNT_NACK;
}

static enum shunt_decision on_publish(void *plugin, const struct shunt_publish *publish,
				      struct shunt_draft *draft, struct shunt_error *error)
{
	struct script *script = plugin;
	struct state *state = script_state_here(script);
	struct hook_state *own = state->of_module[MODULE_HOOK];
	struct publishing p;
	struct hook_shown before;
	enum call_result result;

	p.own = own;
	p.publish = publish;
	p.draft = draft;
	p.is_applying = false;
	p.reason[0] = '\0';
	before = hook_show(own->contexts.publish, &own->contexts, publish, publish->peer);
	result = call_run(state, CALL_PUBLISH, ask_publish, &p, NULL);
	hook_show_again(own->contexts.publish, &own->contexts, before);
	if (result != CALL_OK)
		return publish_failed(script, &p, error);
	if (p.decision == SHUNT_REJECT)
		refuse(script, p.reason, error);
	else if (p.decision == SHUNT_NACK)
		nack(p.reason, error);
	return p.decision;
}

/* ---- Deliver ---- */

static const char *const deliver_words[] = {"pass", "drop", "reject", NULL};
static const enum shunt_decision deliver_decisions[] = {SHUNT_PASS, SHUNT_DROP, SHUNT_REJECT};

struct delivering {
	const struct hook_state *own;
	const struct shunt_delivery *delivery;
	struct shunt_draft *draft;
	enum shunt_decision decision;
	bool is_applying; /* the draft may have a part of what was written */
};

static void ask_deliver(lua_State *L, void *context)
{
	struct delivering *d = context;
	const struct callee *of = &d->own->deliver;

	callee_push(L, of);
	message_open(L, d->delivery->message, MESSAGE_DELIVER);
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->own->contexts.deliver_ref);
	lua_call(L, 2, 1);
	d->decision = deliver_decisions[callee_word(L, -1, of, deliver_words)];
	if (d->decision != SHUNT_PASS)
		return;
	d->is_applying = true;
	message_apply(L, d->draft);
}

/* One that is changed by half never passes: it may be without what a consumer must not see. */
static enum shunt_decision deliver_failed(const struct script *script, const struct delivering *d)
{
	return script->on_error[CALL_DELIVER] == ON_ERROR_PASS && !d->is_applying ? SHUNT_PASS
										  : SHUNT_REJECT;
}

static enum shunt_decision on_deliver(void *plugin, const struct shunt_delivery *delivery,
				      struct shunt_draft *draft)
{
	struct script *script = plugin;
	struct state *state = script_state_here(script);
	struct hook_state *own = state->of_module[MODULE_HOOK];
	struct delivering d = {.own = own, .delivery = delivery, .draft = draft};
	struct hook_shown before =
		hook_show(own->contexts.deliver, &own->contexts, delivery, delivery->peer);
	enum call_result result = call_run(state, CALL_DELIVER, ask_deliver, &d, NULL);

	hook_show_again(own->contexts.deliver, &own->contexts, before);
	return result == CALL_OK ? d.decision : deliver_failed(script, &d);
}

/* ---- The life of it ---- */

static void open_hook(lua_State *L, struct state *state)
{
	const struct shunt_host *host = state->script->host;
	struct hook_state *own = host->allocate(host, sizeof(*own));

	if (own == NULL)
		luaL_error(L, "not enough memory");
	else
		*own = (struct hook_state){0};
	state->of_module[MODULE_HOOK] = own;
	hook_contexts_make(L, &own->contexts);
	lua_newtable(L);
	lua_setglobal(L, "hook");
}

static void look(lua_State *L, struct state *state)
{
	struct hook_state *own = state->of_module[MODULE_HOOK];

	callee_check_names(L, "hook", known);
	callee_find(L, "hook.publish", &own->publish);
	callee_find(L, "hook.deliver", &own->deliver);
}

/* NULL: the states have not defined the same. */
static const struct hook_state *first_of(const struct script *script)
{
	const struct hook_state *first = script->states[0]->of_module[MODULE_HOOK];

	for (unsigned i = 1; i < script->n_states; i++) {
		const struct hook_state *own = script->states[i]->of_module[MODULE_HOOK];

		if (callee_is_defined(&own->publish) != callee_is_defined(&first->publish) ||
		    callee_is_defined(&own->deliver) != callee_is_defined(&first->deliver))
			return NULL;
	}
	return first;
}

static int collect(struct script *script, struct shunt_error *error)
{
	const struct hook_state *first = first_of(script);
	struct hook_script *own;

	if (first == NULL)
		return callee_differs(script, "hook", error);
	if (!callee_is_defined(&first->publish) && !callee_is_defined(&first->deliver))
		return 0;
	own = script->host->allocate(script->host, sizeof(*own));
	if (own == NULL)
		return callee_no_memory(error);
	own->hook = (struct shunt_hook){
		.size = sizeof(own->hook),
		.name = script->name,
		.publish = callee_is_defined(&first->publish) ? on_publish : NULL,
		.deliver = callee_is_defined(&first->deliver) ? on_deliver : NULL,
	};
	script->of_module[MODULE_HOOK] = own;
	return 0;
}

static int start(struct script *script, struct shunt_error *error)
{
	const struct hook_script *own = script->of_module[MODULE_HOOK];

	return own != NULL ? script->host->register_hook(script->host, &own->hook, error) : 0;
}

static void describe(const struct script *script, struct shunt_report *report)
{
	const struct hook_state *own = script->states[0]->of_module[MODULE_HOOK];
	const struct callee *const all[] = {&own->publish, &own->deliver};

	callee_describe(report, "message hook:", all, 2);
}

static void close_state(struct state *state)
{
	state->script->host->free(state->script->host, state->of_module[MODULE_HOOK]);
}

static void close_script(struct script *script)
{
	script->host->free(script->host, script->of_module[MODULE_HOOK]);
}

const struct module hook_module = {
	.open = open_hook,
	.look = look,
	.collect = collect,
	.start = start,
	.describe = describe,
	.close_state = close_state,
	.close = close_script,
};
