/* SPDX-License-Identifier: MIT */
/*
 * Message hooks that do what the message's own headers say: the first those that begin with "a.", the second "b.", and
 * deliver hooks "da." and "db.". So one plugin is enough for all tests.
 *
 *	key, body	replaces it
 *	exchange	sends it there instead
 *	user		replaces the body by the name of who published it
 *	set (table)	sets these headers;	remove (text)	takes one away
 *	persist, app	sets delivery_mode 2; app_id
 *	drop, reject	(code; 0: none) is the decision, and so is nack (text: the reason)
 *	bad		what cannot be set is tried, and must be refused
 *	publish (queue)	publishes "copy" there `times`; what became of each goes to the queue "outcomes"
 *	thread (queue)	the same from a thread of the plugin's own
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shunt/plugin.h>

struct job {
	int times;
	char queue[64];
};

struct plugin {
	const struct shunt_host *host;
	pthread_mutex_t lock;
	pthread_t threads[64];
	struct job jobs[64];
	size_t n_threads;
};

static struct plugin *self; /* for done() */

static struct shunt_bytes text(const char *string)
{
	return (struct shunt_bytes){ (const uint8_t *)string, strlen(string) };
}

/* ---- What it publishes ---- */

static void done(void *context, enum shunt_outcome outcome)
{
	static const char *const names[] = { "routed", "unroutable", "refused" };
	struct shunt_draft *draft = self->host->draft(self->host, text("/"), text(""), text("outcomes"), text(names[outcome]));

	(void)context;
	if (draft != NULL)
		self->host->publish(self->host, draft, NULL, NULL);
}

static void publish(const char *queue, int times, const char *body_format)
{
	const struct shunt_host *host = self->host;
	const struct shunt_value persistent = { .type = 'B', .integer = 2 };

	for (int i = 0; i < times; i++) {
		char body[32];
		struct shunt_draft *draft;

		(void)snprintf(body, sizeof(body), body_format, i);
		draft = host->draft(host, text("/"), text(queue[0] == '!' ? queue + 1 : ""), text(queue), text(body));
		if (draft == NULL)
			continue;
		(void)draft->set_property(draft, SHUNT_DELIVERY_MODE, &persistent);
		host->publish(host, draft, done, NULL);
	}
	host->draft_free(host, host->draft(host, text("/"), text(""), text(queue), text("not sent")));
}

static void *work(void *context)
{
	struct job *job = context;

	publish(job->queue, job->times, "thread %d");
	return NULL;
}

static void start_thread(struct plugin *plugin, struct job job)
{
	(void)pthread_mutex_lock(&plugin->lock);
	if (plugin->n_threads < 64) {
		plugin->jobs[plugin->n_threads] = job;
		if (pthread_create(&plugin->threads[plugin->n_threads], NULL, work, &plugin->jobs[plugin->n_threads]) == 0)
			plugin->n_threads++;
	}
	(void)pthread_mutex_unlock(&plugin->lock);
}

/* ---- What a header says ---- */

struct call {
	struct plugin *plugin;
	const struct shunt_message *message;
	const char *prefix;
	struct shunt_draft *draft;
};

static int find(const struct call *call, const char *name, struct shunt_value *ret)
{
	const struct shunt_host *host = call->plugin->host;
	char full[32];

	(void)snprintf(full, sizeof(full), "%s%s", call->prefix, name);
	return host->table_find(host, host->message_headers(host, call->message), full, ret);
}

static int is_refused(int result)
{
	return result == -1;
}

/* Returns how many of them were let through. */
static int try_what_cannot_be(struct shunt_draft *draft)
{
	static char long_text[257];
	static const uint8_t cut_off[] = "\5abc";
	const struct shunt_value bad_table = { .type = 'F', .bytes = { cut_off, 4 } }, no_type = { .type = '?' },
				 number = { .type = 'I', .integer = 1 }, soon = { .type = 'S', .bytes = text("soon") };

	memset(long_text, 'x', 256);
	return !is_refused(draft->set_header(draft, text("h"), &bad_table)) +
	       !is_refused(draft->set_header(draft, text("h"), &no_type)) +
	       !is_refused(draft->set_header(draft, text(long_text), &number)) +
	       !is_refused(draft->set_property(draft, SHUNT_APP_ID, &number)) +
	       !is_refused(draft->set_property(draft, SHUNT_EXPIRATION, &soon)) +
	       !is_refused(draft->set_property(draft, (enum shunt_property)99, &number)) +
	       !is_refused(draft->set_routing_key(draft, text(long_text)));
}

static void set_headers(const struct call *call, struct shunt_bytes table)
{
	const struct shunt_host *host = call->plugin->host;
	struct shunt_value value;
	struct shunt_bytes name;
	size_t position = 0;

	while (host->table_next(host, table, &position, &name, &value))
		(void)call->draft->set_header(call->draft, name, &value);
}

static void change(const struct call *call)
{
	struct shunt_draft *draft = call->draft;
	const struct shunt_value two = { .type = 'B', .integer = 2 };
	struct shunt_value value;

	if (find(call, "key", &value))
		(void)draft->set_routing_key(draft, value.bytes);
	if (find(call, "exchange", &value) && draft->set_exchange(draft, value.bytes) != 0)
		(void)draft->set_body(draft, text("not there"));
	if (find(call, "user", &value))
		(void)draft->set_body(draft, call->message->user);
	if (find(call, "body", &value))
		(void)draft->set_body(draft, value.bytes);
	if (find(call, "large", &value)) {
		struct shunt_bytes body = { calloc(1, (size_t)value.integer), (size_t)value.integer };

		(void)draft->set_body(draft, body);
		free((void *)(uintptr_t)body.data);
	}
	if (find(call, "set", &value))
		set_headers(call, value.bytes);
	if (find(call, "remove", &value))
		(void)draft->set_header(draft, value.bytes, NULL);
	if (find(call, "persist", &value))
		(void)draft->set_property(draft, SHUNT_DELIVERY_MODE, &two);
	if (find(call, "app", &value))
		(void)draft->set_property(draft, SHUNT_APP_ID, &value);
	if (find(call, "bad", &value) && try_what_cannot_be(draft) == 0)
		(void)draft->set_property(draft, SHUNT_APP_ID, &(struct shunt_value){ .type = 'S', .bytes = text("refused") });
}

static struct job job_of(const struct call *call, struct shunt_bytes queue)
{
	struct shunt_value times;
	struct job job = { .times = 1 };

	if (find(call, "times", &times))
		job.times = (int)times.integer;
	memcpy(job.queue, queue.data, queue.size < 63 ? queue.size : 63);
	return job;
}

static void publish_more(const struct call *call)
{
	struct shunt_value queue;
	struct job job;

	if (find(call, "publish", &queue)) {
		job = job_of(call, queue.bytes);
		publish(job.queue, job.times, "copy %d");
	}
	if (find(call, "thread", &queue))
		start_thread(call->plugin, job_of(call, queue.bytes));
}

static enum shunt_decision decide(const struct call *call, struct shunt_error *error)
{
	struct shunt_value value;

	change(call);
	publish_more(call);
	if (find(call, "drop", &value))
		return SHUNT_DROP;
	if (find(call, "nack", &value)) {
		if (error != NULL)
			(void)snprintf(error->text, sizeof(error->text), "%.*s", (int)value.bytes.size,
				       (const char *)value.bytes.data);
		return SHUNT_NACK;
	}
	if (!find(call, "reject", &value))
		return SHUNT_PASS;
	if (error != NULL) {
		error->code = (uint16_t)value.integer;
		(void)snprintf(error->text, sizeof(error->text), "the hook %s says no", call->prefix);
	}
	return SHUNT_REJECT;
}

static enum shunt_decision publish_as(void *plugin, const char *prefix, const struct shunt_publish *publish,
				      struct shunt_draft *draft, struct shunt_error *error)
{
	const struct call call = { plugin, publish->message, prefix, draft };

	return decide(&call, error);
}

static enum shunt_decision publish_a(void *plugin, const struct shunt_publish *publish, struct shunt_draft *draft,
				     struct shunt_error *error)
{
	return publish_as(plugin, "a.", publish, draft, error);
}

static enum shunt_decision publish_b(void *plugin, const struct shunt_publish *publish, struct shunt_draft *draft,
				     struct shunt_error *error)
{
	return publish_as(plugin, "b.", publish, draft, error);
}

/* With "da.tell": whose delivery it is. */
static void tell(const struct call *call, const struct shunt_delivery *delivery)
{
	struct shunt_value value;
	char body[256];

	if (!find(call, "tell", &value))
		return;
	(void)snprintf(body, sizeof(body), "%.*s %.*s %.*s %d %.*s", (int)delivery->queue.size, (const char *)delivery->queue.data,
		       (int)delivery->user.size, (const char *)delivery->user.data, (int)delivery->consumer_tag.size,
		       (const char *)delivery->consumer_tag.data, delivery->redelivered, (int)delivery->peer->host.size,
		       (const char *)delivery->peer->host.data);
	(void)call->draft->set_body(call->draft, text(body));
}

static enum shunt_decision deliver_as(void *plugin, const char *prefix, const struct shunt_delivery *delivery,
				      struct shunt_draft *draft)
{
	const struct call call = { plugin, delivery->message, prefix, draft };

	tell(&call, delivery);
	return decide(&call, NULL);
}

static enum shunt_decision deliver_a(void *plugin, const struct shunt_delivery *delivery, struct shunt_draft *draft)
{
	return deliver_as(plugin, "da.", delivery, draft);
}

static enum shunt_decision deliver_b(void *plugin, const struct shunt_delivery *delivery, struct shunt_draft *draft)
{
	return deliver_as(plugin, "db.", delivery, draft);
}

/* ---- The plugin ---- */

static const struct shunt_hook first = { .size = sizeof(first), .name = "a", .publish = publish_a, .deliver = deliver_a };
static const struct shunt_hook second = { .size = sizeof(second), .name = "b", .publish = publish_b, .deliver = deliver_b };

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	self = host->allocate(host, sizeof(*self));
	if (self == NULL)
		return -1;
	memset(self, 0, sizeof(*self));
	self->host = host;
	(void)pthread_mutex_init(&self->lock, NULL);
	*ret_plugin = self;
	return host->register_hook(host, &first, error) == 0 ? host->register_hook(host, &second, error) : -1;
}

static void stop(void *plugin)
{
	for (size_t i = 0; i < self->n_threads; i++)
		(void)pthread_join(self->threads[i], NULL);
	(void)pthread_mutex_destroy(&self->lock);
	self->host->free(self->host, plugin);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "x-hooks",
	.version = "1",
	.licence = "MIT",
	.description = "Does what headers say",
	.start = start,
	.stop = stop,
};
