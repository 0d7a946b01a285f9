/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "trace.h"

/* ---- Messages that are held ---- */

static struct shunt_bytes copy_bytes(struct shunt_bytes bytes)
{
	return (struct shunt_bytes){arena_copy(ARENA_MESSAGE, bytes.data, bytes.size, 0, 0),
				    bytes.size};
}

static const struct shunt_message *host_message_hold(const struct shunt_host *host,
						     const struct shunt_message *message)
{
	const struct test_message *from = (const struct test_message *)message;
	struct test_message held = *from;
	struct world *w = world_of(host);

	host_outside_route(host, "message_hold");
	if (trace_frame.in_dry_run)
		trace_fail("a hook held a message of a dry run");
	if (host_must_fail(w))
		return NULL;
	held.view.exchange = copy_bytes(from->view.exchange);
	held.view.routing_key = copy_bytes(from->view.routing_key);
	held.view.body = copy_bytes(from->view.body);
	held.view.vhost = copy_bytes(from->view.vhost);
	held.view.user = copy_bytes(from->view.user);
	held.properties = slice_make(
		arena_copy(ARENA_MESSAGE, from->properties.data, from->properties.size, 0, 0),
		from->properties.size);
	atomic_fetch_add(&w->held, 1);
	return arena_copy(ARENA_MESSAGE, &held, sizeof(held), 1, 0);
}

static void host_message_release(const struct shunt_host *host, const struct shunt_message *message)
{
	const struct arena_piece *piece = arena_find(message);

	host_outside_route(host, "message_release");
	if (piece == NULL || piece->kind != ARENA_MESSAGE || piece->owner != 1 || !piece->is_live)
		trace_fail("it released a message that it does not hold (any more)");
	arena_free(message->exchange.data);
	arena_free(message->routing_key.data);
	arena_free(message->body.data);
	arena_free(message->vhost.data);
	arena_free(message->user.data);
	arena_free(((const struct test_message *)message)->properties.data);
	arena_free(message);
	atomic_fetch_sub(&world_of(host)->held, 1);
}

/* ---- Drafts ---- */

static struct test_draft *draft_of(struct shunt_draft *draft)
{
	struct test_draft *test = (struct test_draft *)draft;

	if (test == NULL || test->magic != HOST_DRAFT_MAGIC)
		trace_fail("it used something as a draft that is none");
	return test;
}

/* All of it is read. */
static unsigned sum_of(struct shunt_bytes bytes)
{
	unsigned sum = 0;

	for (size_t i = 0; i < bytes.size; i++)
		sum += bytes.data[i];
	return sum;
}

/* What they say of a value that is read whole; a sum that the compiler cannot leave out. */
static int result_of(struct test_draft *test, unsigned sum)
{
	volatile unsigned kept = sum;

	(void)kept;
	return host_must_fail(test->world) ? -1 : 0;
}

static int draft_set_routing_key(struct shunt_draft *draft, struct shunt_bytes routing_key)
{
	struct test_draft *test = draft_of(draft);

	if (test->is_delivery || routing_key.size > 255)
		return -1;
	return result_of(test, sum_of(routing_key));
}

static int draft_set_exchange(struct shunt_draft *draft, struct shunt_bytes exchange)
{
	struct test_draft *test = draft_of(draft);

	if (test->is_delivery || exchange.size > 255)
		return -1;
	return result_of(test, sum_of(exchange));
}

static int draft_set_body(struct shunt_draft *draft, struct shunt_bytes body)
{
	return result_of(draft_of(draft), sum_of(body));
}

static int draft_set_header(struct shunt_draft *draft, struct shunt_bytes name,
			    const struct shunt_value *value)
{
	static const char types[] = "tbsIlLBuifdDTSxFAV";
	struct test_draft *test = draft_of(draft);
	bool has_bytes =
		value != NULL && value->type != '\0' && strchr("SxFA", value->type) != NULL;

	if (name.size > 255 ||
	    (value != NULL && (value->type == '\0' || strchr(types, value->type) == NULL)))
		return -1;
	return result_of(test, sum_of(name) + (has_bytes ? sum_of(value->bytes) : 0));
}

static int draft_set_property(struct shunt_draft *draft, enum shunt_property property,
			      const struct shunt_value *value)
{
	struct test_draft *test = draft_of(draft);
	char type = 'S';

	if ((unsigned)property > SHUNT_APP_ID)
		return -1;
	if (property == SHUNT_DELIVERY_MODE || property == SHUNT_PRIORITY)
		type = 'B';
	else if (property == SHUNT_TIMESTAMP)
		type = 'T';
	if (value == NULL)
		return 0;
	if (value->type != type || (type == 'S' && value->bytes.size > 255))
		return -1;
	return result_of(test, type == 'S' ? sum_of(value->bytes) : 0);
}

static struct shunt_draft *draft_make(struct world *w, bool is_hooks, bool is_delivery)
{
	struct test_draft *test = arena_allocate(ARENA_DRAFT, sizeof(*test), 0, 0);

	if (test == NULL)
		return NULL;
	*test = (struct test_draft){
		.draft = {.size = sizeof(test->draft),
			  .set_routing_key = draft_set_routing_key,
			  .set_body = draft_set_body,
			  .set_header = draft_set_header,
			  .set_property = draft_set_property,
			  .set_exchange = draft_set_exchange},
		.world = w,
		.magic = HOST_DRAFT_MAGIC,
		.is_hooks = is_hooks,
		.is_delivery = is_delivery,
	};
	arena_seal(test);
	return &test->draft;
}

struct shunt_draft *host_hook_draft(struct world *w, bool is_delivery)
{
	struct shunt_draft *draft = draft_make(w, true, is_delivery);

	if (draft == NULL)
		trace_fail("the tester itself: out of guarded memory");
	return draft;
}

void host_draft_revoke(struct shunt_draft *draft)
{
	arena_free(draft);
}

static struct shunt_draft *host_draft(const struct shunt_host *host, struct shunt_bytes vhost,
				      struct shunt_bytes exchange, struct shunt_bytes routing_key,
				      struct shunt_bytes body)
{
	struct world *w = world_of(host);
	struct shunt_draft *draft;

	host_outside_route(host, "draft");
	if (host_must_fail(w) || vhost.size > 255 || exchange.size > 255 || routing_key.size > 255)
		return NULL;
	draft = draft_make(w, false, false);
	if (draft == NULL)
		return NULL;
	(void)result_of(draft_of(draft),
			sum_of(vhost) + sum_of(exchange) + sum_of(routing_key) + sum_of(body));
	atomic_fetch_add(&w->drafts, 1);
	return draft;
}

/* A draft of its own, which goes now. */
static void draft_take(const struct shunt_host *host, struct shunt_draft *draft,
		       const char *function)
{
	host_outside_route(host, function);
	if (draft_of(draft)->is_hooks)
		trace_fail("it called shunt_host.%s with the draft of a hook", function);
	arena_free(draft);
	atomic_fetch_sub(&world_of(host)->drafts, 1);
}

static void host_publish(const struct shunt_host *host, struct shunt_draft *draft,
			 void (*done)(void *context, enum shunt_outcome outcome), void *context)
{
	struct world *w = world_of(host);
	struct publication *publication;

	if (trace_frame.in_dry_run)
		trace_fail("a hook published a message in a dry run");
	draft_take(host, draft, "publish");
	publication = malloc(sizeof(*publication));
	if (publication == NULL)
		trace_fail("the tester itself: out of memory");
	*publication = (struct publication){.done = done, .context = context};
	(void)pthread_mutex_lock(&w->lock);
	*w->publications_end = publication;
	w->publications_end = &publication->next;
	(void)pthread_mutex_unlock(&w->lock);
}

static void host_draft_free(const struct shunt_host *host, struct shunt_draft *draft)
{
	if (draft != NULL)
		draft_take(host, draft, "draft_free");
}

void host_init_drafts(struct shunt_host *host)
{
	host->message_hold = host_message_hold;
	host->message_release = host_message_release;
	host->draft = host_draft;
	host->publish = host_publish;
	host->draft_free = host_draft_free;
}
