/* SPDX-License-Identifier: MIT */
/*
 * A message through the hooks, one after the other. Each gets a view of it and a draft; what it has
 * set in the draft becomes a message, which takes the place of the former one for those behind it.
 */
#include "conn/hooks/hooks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "broker/router/router.h"

static struct shunt_bytes bytes_of(struct slice s)
{
	return (struct shunt_bytes){s.data, s.size};
}

static void view_message(struct routed_message *view, struct message *message, struct slice vhost,
			 struct slice user)
{
	view->message = message;
	view->view = (struct shunt_message){
		.size = sizeof(view->view),
		.exchange = bytes_of(message_exchange(message)),
		.routing_key = bytes_of(message_routing_key(message)),
		.body = bytes_of(message_body(message)),
		.vhost = bytes_of(vhost),
		.user = bytes_of(user),
	};
}

static int hook_failed(const struct hook *hook, const struct shunt_error *said,
		       struct amqp_error *error)
{
	static struct log_limit limit = LOG_LIMIT(5);

	if (said->code != 0 && strcmp(amqp_code_name(said->code), "UNKNOWN") != 0)
		return amqp_error_set(error, said->code, "%.*s", (int)sizeof(said->text),
				      said->text);
	log_limited(&limit, LOG_LEVEL_WARNING, "hooks",
		    "plugin gave no usable reply code: hook=%s code=%u", hook->functions->name,
		    said->code);
	return amqp_error_set(error, AMQP_INTERNAL_ERROR, "message hook '%s' failed",
			      hook->functions->name);
}

/* The publisher does not hear why, so the operator does. */
static void hook_nacked(const struct hook *hook, const struct hooked_publish *publish,
			const struct shunt_error *said, struct amqp_error *error)
{
	static struct log_limit limit = LOG_LIMIT(5);
	struct slice text = slice_make(said->text, strnlen(said->text, sizeof(said->text)));
	char reason[2 * sizeof(said->text)], user[300];

	error->code = 0;
	(void)snprintf(error->text, sizeof(error->text), SLICE_FMT, SLICE_ARG(text));
	if (publish->dry_run || !log_limit_take(&limit, LOG_LEVEL_WARNING))
		return;
	log_taken(&limit, LOG_LEVEL_WARNING, "hooks",
		  "hook '%s' has nacked a message: user=%s vhost='%.*s' reason=%s",
		  hook->functions->name, log_quote(user, sizeof(user), publish->user),
		  SLICE_ARG(publish->vhost), log_quote(reason, sizeof(reason), text));
}

/* What the draft has in it becomes the message. */
static int take_draft(const struct draft *draft, struct message **message, struct extra_keys *keys,
		      struct amqp_error *error)
{
	struct message *made;

	if (!draft_is_changed(draft))
		return 0;
	if (draft_make(draft, keys, &made, error) != 0)
		return -EPROTO;
	message_unref(*message);
	*message = made;
	return 0;
}

/* ---- Publish ---- */

static enum shunt_decision ask_publish(const struct hook *hook, struct hooked_publish *p,
				       struct draft *draft, struct amqp_error *error)
{
	struct routed_message view;
	const struct shunt_publish publish = {
		.size = sizeof(publish),
		.message = &view.view,
		.user = bytes_of(p->user),
		.peer = p->peer,
		.mandatory = p->mandatory,
		.dry_run = p->dry_run,
	};
	struct shunt_error said = {0};
	enum shunt_decision decision;

	view_message(&view, p->message, p->vhost, p->user);
	decision = hook->functions->publish(hook->plugin, &publish, &draft->functions, &said);
	if (decision == SHUNT_DROP)
		return SHUNT_DROP;
	if (decision == SHUNT_NACK) {
		hook_nacked(hook, p, &said, error);
		return SHUNT_NACK;
	}
	/* Anything else that it may have returned is a refusal without a usable code. */
	if (decision != SHUNT_PASS) {
		(void)hook_failed(hook, &said, error);
		return SHUNT_REJECT;
	}
	return take_draft(draft, &p->message, p->keys, error) == 0 ? SHUNT_PASS : SHUNT_REJECT;
}

enum shunt_decision hooks_publish(const struct hook_list *list, struct hooked_publish *p,
				  struct amqp_error *error)
{
	for (size_t i = 0; i < list->n; i++) {
		enum shunt_decision decision;
		struct draft draft;

		draft_init(&draft, p->message, &p->limits, false);
		decision = ask_publish(&list->items[i], p, &draft, error);
		if (p->ran != NULL)
			p->ran(p->context, &list->items[i], decision,
			       decision == SHUNT_PASS && draft_is_changed(&draft));
		draft_fini(&draft);
		if (decision != SHUNT_PASS)
			return decision;
	}
	return SHUNT_PASS;
}

/* ---- Deliver ---- */

/* What it returns that is no decision loses no message. */
static enum shunt_decision ask_deliver(const struct hook *hook, const struct hooked_delivery *d,
				       struct draft *draft)
{
	struct routed_message view;
	const struct shunt_delivery delivery = {
		.size = sizeof(delivery),
		.message = &view.view,
		.queue = bytes_of(d->queue),
		.user = bytes_of(d->user),
		.consumer_tag = bytes_of(d->consumer_tag),
		.peer = d->peer,
		.redelivered = d->redelivered,
	};
	enum shunt_decision decision;

	view_message(&view, d->message, d->vhost, SLICE_EMPTY);
	decision = hook->functions->deliver(hook->plugin, &delivery, &draft->functions);
	return decision == SHUNT_DROP || decision == SHUNT_REJECT ? decision : SHUNT_PASS;
}

int hooks_deliver(const struct hook_list *list, struct hooked_delivery *d,
		  enum shunt_decision *ret_decision)
{
	enum shunt_decision decision = SHUNT_PASS;
	int result = 0;

	for (size_t i = 0; i < list->n && result == 0 && decision == SHUNT_PASS; i++) {
		struct amqp_error error;
		struct draft draft;

		draft_init(&draft, d->message, &d->limits, true);
		decision = ask_deliver(&list->items[i], d, &draft);
		if (decision == SHUNT_PASS && take_draft(&draft, &d->message, NULL, &error) != 0)
			result = -ENOMEM;
		draft_fini(&draft);
	}
	if (result == 0)
		*ret_decision = decision;
	return result;
}
