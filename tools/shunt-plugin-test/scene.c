/* SPDX-License-Identifier: MIT */
#include "instance.h"

#include <stdlib.h>
#include <string.h>

#include "amqp/cursor.h"
#include "amqp/properties.h"
#include "amqp/table.h"
#include "arena.h"
#include "base/mem.h"
#include "tables.h"
#include "trace.h"

/* ---- Keys ---- */

static void make_words(struct rng *rng, bool has_wildcards, struct buffer *out)
{
	static const char *const words[] = {"a", "b", "c", "eu", "", "12", "*", "#"};
	size_t n = rng_below(rng, 5), kinds = has_wildcards ? 8 : 6;

	for (size_t i = 0; i <= n; i++) {
		if (i > 0)
			buffer_append_byte(out, '.');
		buffer_append_cstr(out, words[rng_below(rng, kinds)]);
	}
}

static void make_odd_key(struct rng *rng, size_t max, struct buffer *out)
{
	size_t n = rng_one_in(rng, 2) ? max : rng_below(rng, max + 1);
	bool is_text = rng_one_in(rng, 2);

	while (n-- > 0)
		buffer_append_byte(out, is_text ? (rng_one_in(rng, 4) ? '.' : 'k')
						: (uint8_t)rng_next(rng));
}

/* As x-consistent-hash has them: a weight. */
static void make_key(struct rng *rng, bool is_binding, struct buffer *out)
{
	buffer_clear(out);
	if (rng_one_in(rng, 12))
		make_odd_key(rng, 255, out);
	else if (rng_one_in(rng, 4))
		buffer_printf(out, "%u", (unsigned)rng_below(rng, 6));
	else if (rng_one_in(rng, 6))
		return;
	else
		make_words(rng, is_binding || rng_one_in(rng, 10), out);
}

/* ---- Recipes ---- */

static const struct shunt_argument *description(const struct scene *scene, bool of_declare)
{
	const struct shunt_exchange_type *type = scene->s->type;

	if (type == NULL) /* for messages alone */
		return NULL;
	return of_declare ? type->declare_arguments : type->bind_arguments;
}

/* Until the broker would let it through: what it refuses never reaches the type. */
static void make_arguments(struct scene *scene, bool of_declare, struct buffer *out)
{
	const struct shunt_argument *arguments = description(scene, of_declare);

	for (unsigned tries = 0; tries < 20; tries++) {
		buffer_clear(out);
		table_make(scene->s, arguments,
			   tries == 0 && rng_one_in(&scene->s->rng, 2) ? TABLE_WILD : TABLE_FITTING,
			   out);
		if (table_is_accepted(arguments, buffer_slice(out)))
			return;
	}
	trace_fail("no %s arguments fit the description that the type gives of them",
		   of_declare ? "declare" : "bind");
}

void scene_renew(struct scene *scene, size_t i)
{
	struct rng *rng = &scene->s->rng;
	struct recipe *recipe = &scene->recipes[i];

	recipe->id = ++scene->next_id;
	recipe->is_exchange = rng_one_in(rng, 8);
	buffer_clear(&recipe->destination);
	buffer_printf(&recipe->destination, "queue%zu", rng_below(rng, scene->n));
	make_key(rng, true, &recipe->key);
	/* duplicates: of the key alone, or of everything */
	if (i > 0 && rng_one_in(rng, 3)) {
		const struct recipe *other = &scene->recipes[rng_below(rng, i)];

		buffer_clear(&recipe->key);
		buffer_append_slice(&recipe->key, buffer_slice(&other->key));
	}
	make_arguments(scene, false, &recipe->arguments);
}

void scene_init(struct scene *scene, struct subject *s, size_t n)
{
	memset(scene, 0, sizeof(*scene));
	scene->s = s;
	scene->n = n;
	scene->next_id = rng_next(&s->rng) >> 8;
	scene->durable = rng_one_in(&s->rng, 2);
	scene->auto_delete = rng_one_in(&s->rng, 2);
	scene->internal = rng_one_in(&s->rng, 4);
	buffer_init(&scene->arguments);
	make_arguments(scene, true, &scene->arguments);
	scene->recipes = mem_zalloc(n * sizeof(*scene->recipes) + 1);
	for (size_t i = 0; i < n; i++) {
		buffer_init(&scene->recipes[i].key);
		buffer_init(&scene->recipes[i].arguments);
		buffer_init(&scene->recipes[i].destination);
	}
	for (size_t i = 0; i < n; i++)
		scene_renew(scene, i);
}

void scene_fini(struct scene *scene)
{
	for (size_t i = 0; i < scene->n; i++) {
		buffer_fini(&scene->recipes[i].key);
		buffer_fini(&scene->recipes[i].arguments);
		buffer_fini(&scene->recipes[i].destination);
	}
	mem_free(scene->recipes);
	buffer_fini(&scene->arguments);
}

/* ---- Letters ---- */

void letter_init(struct letter *letter)
{
	buffer_init(&letter->key);
	buffer_init(&letter->body);
	buffer_init(&letter->properties);
	buffer_init(&letter->exchange);
	buffer_init(&letter->user);
}

void letter_fini(struct letter *letter)
{
	buffer_fini(&letter->key);
	buffer_fini(&letter->body);
	buffer_fini(&letter->properties);
	buffer_fini(&letter->exchange);
	buffer_fini(&letter->user);
}

static void make_headers(struct scene *scene, struct buffer *out)
{
	struct rng *rng = &scene->s->rng;
	const struct recipe *recipe =
		scene->n > 0 ? &scene->recipes[rng_below(rng, scene->n)] : NULL;

	if (recipe != NULL && !rng_one_in(rng, 4))
		table_make_headers(scene->s, buffer_slice(&recipe->arguments), out);
	else
		table_make(scene->s, NULL, TABLE_WILD, out);
	if (amqp_table_validate(buffer_slice(out), AMQP_TABLE_DEPTH_MAX) != 0)
		buffer_clear(out);
}

static void make_properties(struct scene *scene, struct buffer *out)
{
	static const char *const texts[] = {"",	       "a", "text/plain", "1000", "correlation-1",
					    "\xff\xfe"};
	struct rng *rng = &scene->s->rng;
	struct slice text[2] = {slice_cstr(texts[rng_below(rng, 6)]),
				slice_cstr(texts[rng_below(rng, 6)])};
	struct amqp_properties p = {.flags = (uint16_t)(rng_next(rng) & 0xfffc)};
	struct amqp_writer writer;
	struct buffer headers;

	buffer_init(&headers);
	make_headers(scene, &headers);
	if (rng_one_in(rng, 4))
		p.flags = 0;
	if (!rng_one_in(rng, 4))
		p.flags |= AMQP_PROPERTY_HEADERS;
	p.headers = buffer_slice(&headers);
	p.content_type = p.correlation_id = p.expiration = p.type = p.app_id = text[0];
	p.content_encoding = p.reply_to = p.message_id = p.user_id = p.cluster_id = text[1];
	p.delivery_mode = (uint8_t)rng_below(rng, 3);
	p.priority = (uint8_t)rng_below(rng, 256);
	p.timestamp = rng_next(rng) >> rng_below(rng, 64);
	buffer_clear(out);
	amqp_writer_init(&writer, buffer_reserve(out, amqp_properties_size(&p)),
			 amqp_properties_size(&p));
	amqp_properties_encode(&writer, &p);
	if (writer.failed)
		trace_fail("the tester itself: properties cannot be written");
	out->size = amqp_properties_size(&p);
	buffer_fini(&headers);
}

static void make_rest(struct letter *letter, struct scene *scene)
{
	struct rng *rng = &scene->s->rng;
	size_t n = rng_one_in(rng, 30) ? 100000 : rng_below(rng, 40);

	buffer_clear(&letter->body);
	while (n-- > 0)
		buffer_append_byte(&letter->body, (uint8_t)('a' + n % 26));
	buffer_clear(&letter->exchange);
	buffer_append_cstr(&letter->exchange, rng_one_in(rng, 3) ? "another" : "tested");
	buffer_clear(&letter->user);
	if (!rng_one_in(rng, 4))
		buffer_append_cstr(&letter->user, rng_one_in(rng, 3) ? "another" : "guest");
	make_properties(scene, &letter->properties);
}

void letter_make(struct letter *letter, struct scene *scene)
{
	struct rng *rng = &scene->s->rng;

	make_key(rng, false, &letter->key);
	if (scene->n > 0 && rng_one_in(rng, 3)) {
		const struct recipe *recipe = &scene->recipes[rng_below(rng, scene->n)];

		buffer_clear(&letter->key);
		buffer_append_slice(&letter->key, buffer_slice(&recipe->key));
		if (rng_one_in(rng, 3) && letter->key.size < 250)
			make_words(rng, false, &letter->key);
	}
	/* keys of CC and BCC headers may be longer than a published one */
	if (rng_one_in(rng, 20)) {
		buffer_clear(&letter->key);
		make_odd_key(rng, rng_one_in(rng, 4) ? 70000 : 1000, &letter->key);
	}
	make_rest(letter, scene);
}

void letter_keep_key(struct letter *letter, struct scene *scene)
{
	make_rest(letter, scene);
}

static struct shunt_bytes pass(const struct buffer *buffer)
{
	return (struct shunt_bytes){arena_copy(ARENA_MESSAGE, buffer->data, buffer->size, 0, 0),
				    buffer->size};
}

const struct test_message *letter_post(const struct letter *letter)
{
	struct test_message message = {
		.view = {.size = sizeof(message.view),
			 .exchange = pass(&letter->exchange),
			 .routing_key = pass(&letter->key),
			 .body = pass(&letter->body),
			 .vhost = {arena_copy(ARENA_MESSAGE, "/", 1, 0, 0), 1},
			 .user = pass(&letter->user)},
	};
	struct shunt_bytes properties = pass(&letter->properties);

	message.properties = slice_make(properties.data, properties.size);
	trace_with("a message with the key %s", letter_quote(letter));
	return arena_copy(ARENA_MESSAGE, &message, sizeof(message), 0, 0);
}

void letter_revoke(const struct test_message *message)
{
	arena_free(message->view.exchange.data);
	arena_free(message->view.routing_key.data);
	arena_free(message->view.body.data);
	arena_free(message->view.vhost.data);
	arena_free(message->view.user.data);
	arena_free(message->properties.data);
	arena_free(message);
}

const char *letter_quote(const struct letter *letter)
{
	return trace_quote(letter->key.data, letter->key.size);
}
