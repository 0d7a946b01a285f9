/* SPDX-License-Identifier: MIT */
/*
 * Access policies of plugins.
 *
 * A login that a plugin is asked about is on its connection's loop. The plugin answers with its
 * number from any thread: who takes the number out of the table of what is pending ends it. If
 * that is the plugin, the answer goes to the loop in a letter; if it is the connection, which has
 * gone, nobody waits any more. When the letter is under way as the connection goes, it arrives
 * for nobody. It holds the plugin until then.
 */
#include <stdio.h>
#include <string.h>

#include "access/access.h"
#include "amqp/plugin_table.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "plugin/host.h"
#include "plugin/plugin.h"

struct login {
	struct pending_item item;
	struct letter letter;
	struct plugin *plugin;	    /* held */
	struct access_login *asker; /* the loop's; NULL: gone */
	unsigned loop;
	/* the answer */
	enum shunt_verdict verdict;
	char *user, *tags; /* NULL: as the client named itself; none */
	char reason[384];
};

static struct plugin_policy *policy_of(struct access_policy *policy)
{
	return container_of(policy, struct plugin_policy, policy);
}

/* ---- Logging in ---- */

static void login_free(struct login *login)
{
	struct plugin *plugin = login->plugin;

	mem_free(login->user);
	mem_free(login->tags);
	mem_free(login);
	plugin_release(plugin);
}

/* The connection goes. On its loop. */
static void login_abandoned(struct access_login *asker)
{
	struct login *login = asker->asked;
	struct plugins *plugins = login->plugin->plugins;

	login->asker = NULL;
	if (pending_take(&plugins->logins, login->item.id, login->plugin) != NULL)
		login_free(login);
}

/* What is no verdict lets nobody in. */
static enum access_verdict give_answer(struct access_login *asker, const struct login *login)
{
	struct slice user = login->user != NULL ? slice_cstr(login->user) : asker->user;

	switch (login->verdict) {
	case SHUNT_ALLOW:
		asker->result = access_user_create(user, login->tags != NULL ? login->tags : "",
						   asker->mechanism);
		return ACCESS_ALLOW;
	case SHUNT_NEXT:
		return ACCESS_PASS;
	case SHUNT_DENY:
		break;
	}
	snprintf(asker->reason, sizeof(asker->reason), "%s", login->reason);
	return ACCESS_DENY;
}

static void login_answered(struct letter *letter)
{
	struct login *login = container_of(letter, struct login, letter);
	struct access_login *asker = login->asker;

	if (asker != NULL)
		access_answer(asker, give_answer(asker, login));
	login_free(login);
}

static void authenticate(struct access_policy *policy, struct access_login *asker)
{
	struct plugin_policy *own = policy_of(policy);
	struct login *login = mem_zalloc(sizeof(*login));
	struct shunt_login view = {
		.size = sizeof(view),
		.mechanism = plugin_bytes(slice_cstr(asker->mechanism)),
		.user = plugin_bytes(asker->user),
		.password = plugin_bytes(asker->password),
		.peer = asker->peer,
	};

	login->letter.deliver = login_answered;
	login->plugin = own->plugin;
	login->asker = asker;
	login->loop = loop_index(loop_self());
	asker->asked = login;
	asker->abandoned = login_abandoned;
	plugin_hold(own->plugin);
	pending_add(&own->plugin->plugins->logins, &login->item, own->plugin);
	view.id = login->item.id;
	own->own.authenticate(own->plugin->state, &view);
}

static bool copy_text(const char *text, char **ret_copy)
{
	size_t size = text != NULL ? strlen(text) + 1 : 0;

	if (text == NULL)
		return true;
	*ret_copy = mem_try_alloc(size);
	if (*ret_copy != NULL)
		memcpy(*ret_copy, text, size);
	return *ret_copy != NULL;
}

static int host_login_done(const struct shunt_host *host, uint64_t id, enum shunt_verdict verdict,
			   const char *user, const char *tags, const char *reason)
{
	struct plugin *plugin = plugin_of_host(host);
	struct pending_item *item = pending_take(&plugin->plugins->logins, id, plugin);
	struct login *login;

	if (item == NULL)
		return -1;
	login = container_of(item, struct login, item);
	login->verdict = verdict;
	snprintf(login->reason, sizeof(login->reason), "%s",
		 reason != NULL ? reason : "refused by an access policy");
	if (!copy_text(user, &login->user) || !copy_text(tags, &login->tags)) {
		login->verdict = SHUNT_DENY;
		snprintf(login->reason, sizeof(login->reason), "out of memory");
	}
	if (loop_self() != NULL)
		loop_post(login->loop, &login->letter);
	else
		loop_post_outside(login->loop, &login->letter);
	return 0;
}

/* ---- Asking ---- */

static enum shunt_operation operation_of(enum access_operation operation)
{
	static const enum shunt_operation operations[] = {
		[ACCESS_VHOST] = SHUNT_CONNECT,
		[ACCESS_CONFIGURE] = SHUNT_CONFIGURE,
		[ACCESS_WRITE] = SHUNT_WRITE,
		[ACCESS_READ] = SHUNT_READ,
		[ACCESS_WRITE_TOPIC] = SHUNT_WRITE_TOPIC,
		[ACCESS_READ_TOPIC] = SHUNT_READ_TOPIC,
	};

	return operations[operation];
}

static enum shunt_resource resource_of(enum access_resource resource)
{
	static const enum shunt_resource resources[] = {
		[ACCESS_RESOURCE_QUEUE] = SHUNT_QUEUE,
		[ACCESS_RESOURCE_EXCHANGE] = SHUNT_EXCHANGE,
		[ACCESS_RESOURCE_VHOST] = SHUNT_VHOST,
	};

	return resources[resource];
}

/* decide() takes the place of authorize() since 1.3. */
static enum shunt_verdict ask(const struct plugin_policy *own, const struct shunt_question *view,
			      struct access_reply *reply)
{
	struct shunt_answer answer = {.size = sizeof(answer), .remember_ms = reply->remember_ms};
	enum shunt_verdict verdict;

	if (own->own.decide == NULL)
		return own->own.authorize(own->plugin->state, view);
	verdict = own->own.decide(own->plugin->state, view, &answer);
	answer.reason[sizeof(answer.reason) - 1] = '\0';
	reply->remember_ms = answer.remember_ms;
	snprintf(reply->reason, sizeof(reply->reason), "%s", answer.reason);
	return verdict;
}

static enum access_verdict authorize(struct access_policy *policy,
				     const struct access_question *question,
				     struct access_reply *reply)
{
	struct plugin_policy *own = policy_of(policy);
	const struct access *access = own->plugin->plugins->config.access;
	const struct shunt_question view = {
		.size = sizeof(view),
		.operation = operation_of(question->operation),
		.resource = resource_of(question->resource),
		.user = plugin_bytes(slice_cstr(question->user->name)),
		.tags = plugin_bytes(slice_cstr(access_user_tags(access, question->user))),
		.vhost = plugin_bytes(question->vhost),
		.name = plugin_bytes(question->name),
		.routing_key = plugin_bytes(question->routing_key),
		.arguments = plugin_bytes(question->arguments),
		.peer = question->peer,
	};

	switch (ask(own, &view, reply)) {
	case SHUNT_ALLOW:
		return ACCESS_ALLOW;
	case SHUNT_NEXT:
		return ACCESS_PASS;
	case SHUNT_DENY:
		break;
	}
	return ACCESS_DENY;
}

static void host_access_changed(const struct shunt_host *host)
{
	struct access *access = plugin_of_host(host)->plugins->config.access;

	if (access != NULL)
		access_has_changed(access);
}

/* ---- In force or not ---- */

static void prepare(struct plugin_policy *own, uint64_t index)
{
	own->policy = (struct access_policy){
		.name = own->own.name,
		.rank = own->plugin->rank,
		.index = index,
		.authenticate = own->own.authenticate != NULL ? authenticate : NULL,
		.authorize = own->own.authorize != NULL || own->own.decide != NULL ? authorize : NULL,
	};
}

static struct access_policies policies_of(const struct plugin *plugin)
{
	size_t n = plugin != NULL ? plugin->staged.n_policies : 0;
	struct access_policy **items = mem_alloc((n + 1) * sizeof(struct access_policy *));

	for (size_t i = 0; i < n; i++)
		items[i] = &plugin->staged.policies[i]->policy;
	return (struct access_policies){items, n};
}

void plugins_change_policies(struct plugins *plugins, const struct plugin *out, struct plugin *in)
{
	struct access_policies going = policies_of(out), coming = policies_of(in);

	for (size_t i = 0; i < coming.n; i++)
		prepare(in->staged.policies[i], i + 1);
	if (plugins->config.access != NULL && (going.n != 0 || coming.n != 0))
		access_change(plugins->config.access, going, coming);
	mem_free(going.items);
	mem_free(coming.items);
}

void host_offer_access(struct shunt_host *host)
{
	host->login_done = host_login_done;
	host->access_changed = host_access_changed;
}
