/* SPDX-License-Identifier: MIT */
/* explain_route: where a message would go, and why. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "broker/router/explain.h"
#include "broker/message/extra_keys.h"
#include "broker/message/message.h"
#include "broker/topology/topology.h"
#include "conn/hooks/hooks.h"
#include "conn/service.h"
#include "control/client.h"
#include "control/columns.h"
#include "control/explain_message.h"

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

/* Empty ones lie nowhere. */
static void set_text(json_t *object, const char *key, struct slice text)
{
	set(object, key, text.size != 0 ? column_text(text) : json_string(""));
}

static json_t *binding_value(const struct explained_binding *binding)
{
	json_t *value = json_object();

	set_text(value, "routing_key", binding->routing_key);
	set(value, "arguments",
	    binding->lacks_arguments ? json_null() : column_table(binding->arguments));
	set(value, "destination_kind",
	    json_string(binding->destination_is_exchange ? "exchange" : "queue"));
	set_text(value, "destination_name", binding->destination);
	return value;
}

/* Those of the exchange, from *at on, which then is behind them. */
static json_t *bindings_value(const struct explanation *e, size_t exchange, size_t *at)
{
	json_t *value = json_array();

	for (; *at < e->n_bindings && e->bindings[*at].exchange == exchange; ++*at)
		json_array_append_new(value, binding_value(&e->bindings[*at]));
	return value;
}

static json_t *exchange_value(const struct explanation *e, size_t index, size_t *binding)
{
	static const char *const ways[] = {
		[EXPLAINED_PUBLISHED] = "publish",
		[EXPLAINED_BOUND] = "binding",
		[EXPLAINED_ALTERNATE] = "alternate-exchange",
	};
	const struct explained_exchange *exchange = &e->exchanges[index];
	json_t *value = json_object();

	set_text(value, "name", exchange->name);
	set(value, "type", column_text(slice_cstr(exchange->type)));
	set(value, "internal", json_boolean(exchange->is_internal));
	set(value, "type_loaded", json_boolean(exchange->is_loaded));
	set(value, "observed", json_boolean(exchange->is_observed));
	set(value, "reached_by", json_string(ways[exchange->way]));
	if (exchange->way == EXPLAINED_PUBLISHED)
		set(value, "reached_from", json_null());
	else
		set_text(value, "reached_from", e->exchanges[exchange->from].name);
	set(value, "matched", column_number(exchange->n_matched));
	set(value, "bindings", bindings_value(e, index, binding));
	set(value, "alternate_exchange",
	    exchange->alternate.size != 0 ? column_text(exchange->alternate) : json_null());
	set(value, "alternate_exchange_used", json_boolean(exchange->alternate_is_used));
	set(value, "direct_reply_to", json_boolean(exchange->matches_reply_name));
	return value;
}

static bool is_truncated(const struct explanation *e)
{
	return e->is_cut || e->n_bindings < e->n_all_bindings || e->n_queues < e->n_all_queues;
}

static void set_explanation(json_t *value, const struct explanation *e)
{
	json_t *exchanges = json_array(), *queues = json_array();
	size_t binding = 0;

	for (size_t i = 0; i < e->n_exchanges; i++)
		json_array_append_new(exchanges, exchange_value(e, i, &binding));
	for (size_t i = 0; i < e->n_queues; i++)
		json_array_append_new(queues, column_text(e->queues[i]));
	set(value, "exchanges", exchanges);
	set(value, "queues", queues);
	set(value, "queue_count", column_number(e->n_all_queues));
	set(value, "truncated", json_boolean(is_truncated(e)));
}

/* ---- Hooks ---- */

static const char *decision_name(enum shunt_decision decision)
{
	switch (decision) {
	case SHUNT_PASS:
		return "pass";
	case SHUNT_DROP:
		return "drop";
	case SHUNT_NACK:
		return "nack";
	case SHUNT_REJECT:
		break;
	}
	return "reject";
}

static void hook_ran(void *context, const struct hook *hook, enum shunt_decision decision,
		     bool is_changed)
{
	json_t *value = json_object();

	set_text(value, "name", slice_cstr(hook->functions->name));
	set(value, "decision", json_string(decision_name(decision)));
	set(value, "changed", json_boolean(is_changed));
	json_array_append_new(context, value);
}

/* Who is said to publish it; empty: nobody. */
static struct slice user_of(const json_t *request)
{
	const char *user = json_string_value(json_object_get(request, "user"));

	return user != NULL ? slice_cstr(user) : SLICE_EMPTY;
}

/* What the hooks do to the message, which may be another one then, and in their answer. */
static enum shunt_decision run_hooks(const struct conn_service *service, const struct vhost *vhost,
				     struct slice user, struct message **message,
				     struct extra_keys *keys, json_t *value)
{
	const struct conn_settings *settings = &service->settings;
	const struct hook_list *list = hooks_on_publish(service->hooks);
	enum shunt_decision decision = SHUNT_PASS;
	struct amqp_error error = {0};
	json_t *hooks = json_array();
	struct hooked_publish publish = {
		.message = *message,
		.keys = keys,
		.limits = {settings->max_message_size, draft_properties_max(settings->frame_max)},
		.vhost = vhost->node.key,
		.user = user,
		.dry_run = true,
		.ran = hook_ran,
		.context = hooks,
	};

	if (list != NULL)
		decision = hooks_publish(list, &publish, &error);
	*message = publish.message;
	set(value, "hooks", hooks);
	set(value, "decision", json_string(decision_name(decision)));
	if (decision == SHUNT_REJECT || (decision == SHUNT_NACK && error.text[0] != '\0'))
		set_text(value, "reason", slice_cstr(error.text));
	else
		set(value, "reason", json_null());
	set_text(value, "exchange", message_exchange(publish.message));
	set_text(value, "routing_key", message_routing_key(publish.message));
	return decision;
}

/* ---- The answer ---- */

static int explain_by_keys(struct broker *broker, struct vhost *vhost, struct slice user,
			   struct message *message, const struct extra_keys *keys,
			   struct explanation *ret_explanation)
{
	struct slice *extra = mem_try_alloc((keys->n + 1) * sizeof(*extra));
	struct explained_publish publish = {
		.vhost = vhost,
		.user = user,
		.message = message,
		.extra_keys = extra,
	};
	int r;

	if (extra == NULL)
		return -ENOMEM;
	publish.n_extra_keys = extra_keys_read(buffer_slice(&keys->bytes), keys->n, extra);
	r = explain(broker, &publish, ret_explanation);
	mem_free(extra);
	return r;
}

/* Where it goes, of a message that the hooks have passed. */
static int add_way(const struct control_config *config, struct vhost *vhost, struct slice user,
		   struct message *message, const struct extra_keys *keys, json_t *value)
{
	struct explanation explanation;
	int r = explain_by_keys(config->broker, vhost, user, message, keys, &explanation);

	if (r == 0) {
		set_explanation(value, &explanation);
		explanation_fini(&explanation);
	}
	return r;
}

static int make_answer(const struct control_config *config, struct vhost *vhost, struct slice user,
		       struct message **message, json_t *value)
{
	static const struct explanation nowhere;
	struct extra_keys keys;
	int r = 0;

	extra_keys_init(&keys);
	if (run_hooks(config->connections, vhost, user, message, &keys, value) == SHUNT_PASS)
		r = add_way(config, vhost, user, *message, &keys, value);
	else
		set_explanation(value, &nowhere);
	extra_keys_fini(&keys);
	return r;
}

static void answer(struct control_client *client, struct vhost *vhost, struct slice user,
		   struct message **message)
{
	json_t *value = json_object();
	struct slice exchange;

	switch (make_answer(control_client_config(client), vhost, user, message, value)) {
	case 0:
		control_client_send(client, json_pack("{s:O}", "value", value));
		control_client_ok(client);
		break;
	case -ENOENT:
		exchange = message_exchange(*message);
		control_client_fail(client, CONTROL_DATA,
				    "Exchange '" SLICE_FMT "' in virtual host '%s' does not exist",
				    SLICE_ARG(exchange), vhost->name);
		break;
	default:
		control_client_fail(client, CONTROL_SOFTWARE, "Out of memory");
		break;
	}
	json_decref(value);
}

void control_explain_route(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);
	const char *name = json_string_value(json_object_get(request, "vhost"));
	struct vhost *vhost;
	struct message *message;
	char reason[400];

	name = name != NULL ? name : "/";
	vhost = topology_vhost(config->broker->topology, slice_cstr(name));
	if (vhost == NULL) {
		control_client_fail(client, CONTROL_DATA, "Virtual host '%s' does not exist", name);
		return;
	}
	message = explain_message(request, reason, sizeof(reason));
	if (message == NULL) {
		control_client_fail(client, CONTROL_DATA, "%s", reason);
		return;
	}
	answer(client, vhost, user_of(request), &message);
	message_unref(message);
}
