/* SPDX-License-Identifier: MIT */
#include "fake_services.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct shunt_counter {
	struct shunt_counter *next;
	_Atomic uint64_t sum;
};

struct shunt_timer {
	struct shunt_timer *next;
	void (*fire)(void *context);
	void *context;
	bool started, repeats;
};

struct fake_post {
	struct fake_post *next;
	void (*run)(void *context);
	void *context;
};

static struct fake_host *fake_of(const struct shunt_host *host)
{
	return (struct fake_host *)(uintptr_t)host;
}

static void *take_zeroed(const struct shunt_host *host, size_t size)
{
	void *memory = host->allocate(host, size);

	return memory ? memset(memory, 0, size) : NULL;
}

/* ---- Registering ---- */

static int fake_register_policy(const struct shunt_host *host,
				const struct shunt_access_policy *policy, struct shunt_error *error)
{
	(void)error;
	fake_of(host)->policy = policy;
	return 0;
}

static int fake_register_hook(const struct shunt_host *host, const struct shunt_hook *hook,
			      struct shunt_error *error)
{
	(void)error;
	fake_of(host)->hook = hook;
	return 0;
}

static int fake_register_command(const struct shunt_host *host, const struct shunt_command *command,
				 struct shunt_error *error)
{
	(void)error;
	fake_of(host)->command = command;
	return 0;
}

static int fake_register_metric(const struct shunt_host *host, const struct shunt_metric *metric,
				struct shunt_counter **ret_counter, struct shunt_error *error)
{
	struct shunt_counter *counter;

	if (metric->read)
		return 0;
	counter = take_zeroed(host, sizeof(*counter));
	if (!counter) {
		error->code = SHUNT_RESOURCE_ERROR;
		return -1;
	}
	counter->next = fake_of(host)->counters;
	fake_of(host)->counters = counter;
	*ret_counter = counter;
	return 0;
}

static void fake_counter_add(const struct shunt_host *host, struct shunt_counter *counter,
			     uint64_t n)
{
	(void)host;
	atomic_fetch_add(&counter->sum, n);
}

static uint64_t fake_counter_read(const struct shunt_host *host,
				  const struct shunt_counter *counter)
{
	(void)host;
	return atomic_load(&counter->sum);
}

/* ---- Configuration and arguments ---- */

static int64_t fake_config_integer(const struct shunt_host *host, const char *key)
{
	const char *text = host->config(host, key);

	return text ? strtoll(text, NULL, 10) : 0;
}

static bool fake_config_boolean(const struct shunt_host *host, const char *key)
{
	const char *text = host->config(host, key);

	return text && strcmp(text, "true") == 0;
}

static bool is_integer(char type)
{
	return strchr("bBsuIilL", type) != NULL;
}

static bool is_described(enum shunt_argument_type type, char is)
{
	switch (type) {
	case SHUNT_ARGUMENT_BOOLEAN:
		return is == 't';
	case SHUNT_ARGUMENT_INTEGER:
		return is_integer(is);
	case SHUNT_ARGUMENT_NUMBER:
		return is_integer(is) || is == 'f' || is == 'd';
	case SHUNT_ARGUMENT_STRING:
		return is == 'S';
	case SHUNT_ARGUMENT_TABLE:
		return is == 'F';
	case SHUNT_ARGUMENT_ARRAY:
		return is == 'A';
	case SHUNT_ARGUMENT_ANY:
		break;
	}
	return true;
}

static void default_of(const struct shunt_argument *argument, struct shunt_value *ret_value)
{
	const char *text = argument->default_value;

	memset(ret_value, 0, sizeof(*ret_value));
	ret_value->type = argument->type == SHUNT_ARGUMENT_BOOLEAN   ? 't'
			  : argument->type == SHUNT_ARGUMENT_INTEGER ? 'l'
			  : argument->type == SHUNT_ARGUMENT_NUMBER  ? 'd'
								     : 'S';
	ret_value->boolean = strcmp(text, "true") == 0;
	ret_value->integer = strtoll(text, NULL, 10);
	ret_value->real = strtod(text, NULL);
	ret_value->bytes = (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

static bool fake_argument(const struct shunt_host *host, struct shunt_bytes table,
			  const struct shunt_argument *argument, struct shunt_value *ret_value)
{
	struct shunt_value value;

	if (host->table_find(host, table, argument->name, &value) &&
	    is_described(argument->type, value.type)) {
		*ret_value = value;
		return true;
	}
	if (!argument->default_value)
		return false;
	default_of(argument, ret_value);
	return true;
}

/* ---- Numbers ---- */

/* As the broker's: what a plugin derives from it may be pinned by a test. */
static uint64_t fake_stable_hash(const struct shunt_host *host, const void *data, size_t size,
				 uint64_t seed)
{
	(void)host;
	return XXH3_64bits_withSeed(size > 0 ? data : "", size, seed);
}

static uint64_t fake_random(const struct shunt_host *host)
{
	uint64_t x = atomic_fetch_add(&fake_of(host)->random, 0x9e3779b97f4a7c15u);

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* ---- Messages that are held ---- */

static struct shunt_bytes copy_bytes(uint8_t **memory, struct shunt_bytes bytes)
{
	struct shunt_bytes copy = {*memory, bytes.size};

	if (bytes.size > 0)
		memcpy(*memory, bytes.data, bytes.size);
	*memory += bytes.size;
	return copy;
}

static const struct shunt_message *fake_message_hold(const struct shunt_host *host,
						     const struct shunt_message *message)
{
	const struct fake_message *fake = (const struct fake_message *)message;
	size_t size = message->exchange.size + message->routing_key.size + message->body.size +
		      message->vhost.size + fake->headers.size;
	struct fake_message *held = host->allocate(host, sizeof(*held) + size);
	uint8_t *memory = (uint8_t *)(held + 1);

	if (!held)
		return NULL;
	*held = *fake;
	held->message.exchange = copy_bytes(&memory, message->exchange);
	held->message.routing_key = copy_bytes(&memory, message->routing_key);
	held->message.body = copy_bytes(&memory, message->body);
	held->message.vhost = copy_bytes(&memory, message->vhost);
	held->headers = copy_bytes(&memory, fake->headers);
	atomic_fetch_add(&fake_of(host)->held, 1);
	return &held->message;
}

static void fake_message_release(const struct shunt_host *host, const struct shunt_message *message)
{
	atomic_fetch_sub(&fake_of(host)->held, 1);
	host->free(host, (void *)(uintptr_t)message);
}

static int fake_send(struct shunt_sender *sender, const struct shunt_message *message)
{
	struct fake_sender *fake = (struct fake_sender *)sender;

	if (fake->left == 0)
		return -1;
	fake->left--;
	if (fake->count < sizeof(fake->messages) / sizeof(fake->messages[0]))
		fake->messages[fake->count] = message;
	fake->count++;
	return 0;
}

void fake_sender_init(struct fake_sender *sender)
{
	memset(sender, 0, sizeof(*sender));
	sender->sender.size = sizeof(sender->sender);
	sender->sender.send = fake_send;
	sender->left = SIZE_MAX;
}

/* ---- Drafts ---- */

static int set_bytes(struct fake_draft *draft, struct shunt_bytes *place, struct shunt_bytes bytes)
{
	const struct shunt_host *host = &draft->host->host;
	uint8_t *memory = host->allocate(host, bytes.size + 1), *end = memory;

	if (!memory)
		return -1;
	host->free(host, (void *)(uintptr_t)place->data);
	*place = copy_bytes(&end, bytes);
	return 0;
}

static int draft_set_routing_key(struct shunt_draft *draft, struct shunt_bytes routing_key)
{
	struct fake_draft *fake = (struct fake_draft *)draft;

	return routing_key.size > 255 ? -1 : set_bytes(fake, &fake->routing_key, routing_key);
}

static int draft_set_body(struct shunt_draft *draft, struct shunt_bytes body)
{
	struct fake_draft *fake = (struct fake_draft *)draft;

	return set_bytes(fake, &fake->body, body);
}

static int draft_set_header(struct shunt_draft *draft, struct shunt_bytes name,
			    const struct shunt_value *value)
{
	(void)value;
	((struct fake_draft *)draft)->changes++;
	return name.size > 255 ? -1 : 0;
}

static int draft_set_property(struct shunt_draft *draft, enum shunt_property property,
			      const struct shunt_value *value)
{
	(void)value;
	((struct fake_draft *)draft)->changes++;
	return property > SHUNT_APP_ID ? -1 : 0;
}

static void fake_draft_free(const struct shunt_host *host, struct shunt_draft *draft)
{
	struct fake_draft *fake = (struct fake_draft *)draft;

	host->free(host, (void *)(uintptr_t)fake->vhost.data);
	host->free(host, (void *)(uintptr_t)fake->exchange.data);
	host->free(host, (void *)(uintptr_t)fake->routing_key.data);
	host->free(host, (void *)(uintptr_t)fake->body.data);
	host->free(host, fake);
}

static struct shunt_draft *fake_draft(const struct shunt_host *host, struct shunt_bytes vhost,
				      struct shunt_bytes exchange, struct shunt_bytes routing_key,
				      struct shunt_bytes body)
{
	struct fake_draft *draft = take_zeroed(host, sizeof(*draft));

	if (!draft)
		return NULL;
	draft->host = fake_of(host);
	draft->draft = (struct shunt_draft){
		.size = sizeof(draft->draft),
		.set_routing_key = draft_set_routing_key,
		.set_body = draft_set_body,
		.set_header = draft_set_header,
		.set_property = draft_set_property,
	};
	if (set_bytes(draft, &draft->vhost, vhost) < 0 ||
	    set_bytes(draft, &draft->exchange, exchange) < 0 ||
	    set_bytes(draft, &draft->routing_key, routing_key) < 0 ||
	    set_bytes(draft, &draft->body, body) < 0) {
		fake_draft_free(host, &draft->draft);
		return NULL;
	}
	return &draft->draft;
}

static void fake_publish(const struct shunt_host *host, struct shunt_draft *draft,
			 void (*done)(void *context, enum shunt_outcome outcome), void *context)
{
	struct fake_draft **end = &fake_of(host)->published;

	while (*end)
		end = &(*end)->next;
	*end = (struct fake_draft *)draft;
	if (done)
		done(context, SHUNT_ROUTED);
}

/* ---- Logins and commands: nobody waits for them ---- */

static int fake_login_done(const struct shunt_host *host, uint64_t login,
			   enum shunt_verdict verdict, const char *user, const char *tags,
			   const char *reason)
{
	(void)host;
	(void)login;
	(void)verdict;
	(void)user;
	(void)tags;
	(void)reason;
	return -1;
}

static void fake_access_changed(const struct shunt_host *host)
{
	(void)host;
}

static void fake_call_print(const struct shunt_host *host, uint64_t call, struct shunt_bytes text)
{
	(void)host;
	(void)call;
	(void)text;
}

static void fake_call_done(const struct shunt_host *host, uint64_t call, const char *error)
{
	(void)host;
	(void)call;
	(void)error;
}

/* ---- Later ---- */

static int fake_post(const struct shunt_host *host, void (*run)(void *context), void *context)
{
	struct fake_post **end = &fake_of(host)->posts, *post = take_zeroed(host, sizeof(*post));

	if (!post)
		return -1;
	post->run = run;
	post->context = context;
	while (*end)
		end = &(*end)->next;
	*end = post;
	return 0;
}

static struct shunt_timer *fake_timer_create(const struct shunt_host *host,
					     void (*fire)(void *context), void *context)
{
	struct shunt_timer *timer = take_zeroed(host, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->fire = fire;
	timer->context = context;
	timer->next = fake_of(host)->timers;
	fake_of(host)->timers = timer;
	return timer;
}

static void fake_timer_start(const struct shunt_host *host, struct shunt_timer *timer,
			     uint64_t delay_ms, uint64_t repeat_ms)
{
	(void)host;
	(void)delay_ms;
	timer->started = true;
	timer->repeats = repeat_ms > 0;
}

static void fake_timer_stop(const struct shunt_host *host, struct shunt_timer *timer)
{
	(void)host;
	timer->started = false;
}

static void fake_timer_free(const struct shunt_host *host, struct shunt_timer *timer)
{
	struct shunt_timer **link = &fake_of(host)->timers;

	while (*link && *link != timer)
		link = &(*link)->next;
	if (!*link)
		abort();
	*link = timer->next;
	host->free(host, timer);
}

void fake_services_run(struct fake_host *host)
{
	struct fake_post *post = host->posts;

	host->posts = NULL;
	while (post) {
		struct fake_post *next = post->next;

		post->run(post->context);
		host->host.free(&host->host, post);
		post = next;
	}
	for (struct shunt_timer *timer = host->timers, *next; timer; timer = next) {
		next = timer->next;
		if (!timer->started)
			continue;
		timer->started = timer->repeats;
		timer->fire(timer->context);
	}
}

/* ---- All of them ---- */

static void offer_messages(struct shunt_host *host)
{
	host->message_hold = fake_message_hold;
	host->message_release = fake_message_release;
	host->draft = fake_draft;
	host->publish = fake_publish;
	host->draft_free = fake_draft_free;
}

static void offer_later(struct shunt_host *host)
{
	host->login_done = fake_login_done;
	host->access_changed = fake_access_changed;
	host->call_print = fake_call_print;
	host->call_done = fake_call_done;
	host->post = fake_post;
	host->timer_create = fake_timer_create;
	host->timer_start = fake_timer_start;
	host->timer_stop = fake_timer_stop;
	host->timer_free = fake_timer_free;
}

void fake_services_init(struct fake_host *fake)
{
	struct shunt_host *host = &fake->host;

	atomic_store(&fake->random, 1);
	host->register_access_policy = fake_register_policy;
	host->register_hook = fake_register_hook;
	host->register_command = fake_register_command;
	host->register_metric = fake_register_metric;
	host->counter_add = fake_counter_add;
	host->counter_read = fake_counter_read;
	host->config_integer = fake_config_integer;
	host->config_boolean = fake_config_boolean;
	host->argument = fake_argument;
	host->stable_hash = fake_stable_hash;
	host->random = fake_random;
	offer_messages(host);
	offer_later(host);
}

void fake_services_fini(struct fake_host *fake)
{
	const struct shunt_host *host = &fake->host;

	while (fake->counters) {
		struct shunt_counter *counter = fake->counters;

		fake->counters = counter->next;
		host->free(host, counter);
	}
	while (fake->published) {
		struct fake_draft *draft = fake->published;

		fake->published = draft->next;
		fake_draft_free(host, &draft->draft);
	}
	while (fake->timers)
		fake_timer_free(host, fake->timers);
}
