/* SPDX-License-Identifier: MIT */
#include "broker/topology/definition.h"

#include "../unit.h"
#include "base/mem.h"

static const struct definition binding = {
	.kind = DEFINITION_BINDING,
	.vhost = {(const uint8_t *)"a/b", 3},
	.name = {(const uint8_t *)"q%1", 3},
	.source = {(const uint8_t *)"e/x", 3},
	.routing_key = {(const uint8_t *)"k", 1},
	.arguments = {(const uint8_t *)"\1aV", 3},
};

static const struct definition queue = {
	.kind = DEFINITION_QUEUE,
	.vhost = {(const uint8_t *)"/", 1},
	.name = {(const uint8_t *)"q/r", 3},
	.id = 0x1122334455667788,
	.auto_delete = true,
};

static void assert_equal(const struct definition *a, const struct definition *b)
{
	CU_ASSERT_EQUAL(a->kind, b->kind);
	CU_ASSERT_TRUE(slice_equal(a->vhost, b->vhost));
	CU_ASSERT_TRUE(slice_equal(a->name, b->name));
	CU_ASSERT_TRUE(slice_equal(a->source, b->source));
	CU_ASSERT_TRUE(slice_equal(a->routing_key, b->routing_key));
	CU_ASSERT_TRUE(slice_equal(a->type, b->type));
	CU_ASSERT_TRUE(slice_equal(a->arguments, b->arguments));
	CU_ASSERT_EQUAL(a->id, b->id);
	CU_ASSERT_EQUAL(a->auto_delete, b->auto_delete);
	CU_ASSERT_EQUAL(a->internal, b->internal);
	CU_ASSERT_EQUAL(a->destination_is_exchange, b->destination_is_exchange);
	CU_ASSERT_EQUAL(a->is_doomed, b->is_doomed);
	CU_ASSERT_TRUE(slice_equal(a->settings.description, b->settings.description));
	CU_ASSERT_TRUE(slice_equal(a->settings.tags, b->settings.tags));
	CU_ASSERT_TRUE(slice_equal(a->settings.default_queue_type, b->settings.default_queue_type));
	if (a->kind == DEFINITION_VHOST) {
		CU_ASSERT_EQUAL(a->settings.max_connections, b->settings.max_connections);
		CU_ASSERT_EQUAL(a->settings.max_queues, b->settings.max_queues);
	}
}

static void keys(void)
{
	struct buffer buffer;

	buffer_init(&buffer);
	definition_put_key(&buffer, &queue);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&buffer), "queue/%2F/q/r");
	buffer_clear(&buffer);
	definition_put_key(&buffer, &binding);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&buffer), "binding/a%2Fb/e%2Fx/q/q%251/k/\1aV");
	buffer_clear(&buffer);
	definition_put_key(&buffer, &(struct definition){.kind = DEFINITION_VHOST,
							 .name = SLICE_LITERAL("a/%b")});
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&buffer), "vhost/a/%b");
	buffer_fini(&buffer);
}

static void there_and_back(void)
{
	struct definition exchange = {.kind = DEFINITION_EXCHANGE,
				      .vhost = SLICE_LITERAL("/"),
				      .name = SLICE_LITERAL("e"),
				      .type = SLICE_LITERAL("topic"),
				      .internal = true};
	struct vhost_settings none = VHOST_SETTINGS_NONE;
	struct definition vhost = definition_of_vhost(SLICE_LITERAL("/"), &none);
	struct definition rich = {.kind = DEFINITION_VHOST,
				  .name = SLICE_LITERAL("rich"),
				  .settings = {.description = SLICE_LITERAL("of all there is"),
					       .tags = SLICE_LITERAL("a,b"),
					       .default_queue_type = SLICE_LITERAL("quorum"),
					       .max_connections = 0,
					       .max_queues = INT64_MAX},
				  .is_doomed = true};
	const struct definition *all[] = {&binding, &queue, &exchange, &vhost, &rich};

	for (size_t i = 0; i < 5; i++) {
		struct definition read;
		struct buffer buffer;

		buffer_init(&buffer);
		definition_put_value(&buffer, all[i]);
		CU_ASSERT_EQUAL_FATAL(definition_read(buffer_slice(&buffer), &read), 0);
		assert_equal(&read, all[i]);
		/* A field that a later version may have. */
		buffer_append(&buffer, "\x7f\0\0\0\2hi", 7);
		CU_ASSERT_EQUAL_FATAL(definition_read(buffer_slice(&buffer), &read), 0);
		assert_equal(&read, all[i]);
		buffer_fini(&buffer);
	}
}

/* As it was written before vhosts had settings. */
static void vhost_without_settings(void)
{
	static const char value[] = "\1v\2\0\0\0\1x";
	struct definition read;

	CU_ASSERT_EQUAL_FATAL(definition_read(slice_make(value, sizeof(value) - 1), &read), 0);
	CU_ASSERT_TRUE(slice_equal(read.name, SLICE_LITERAL("x")));
	CU_ASSERT_EQUAL(read.settings.max_connections, VHOST_NO_LIMIT);
	CU_ASSERT_EQUAL(read.settings.max_queues, VHOST_NO_LIMIT);
	CU_ASSERT_FALSE(read.is_doomed);
}

/* A cut inside a field is noticed, one between fields may look like a shorter value; nothing is
 * read beyond the end. */
static void truncation(void)
{
	struct buffer buffer;

	buffer_init(&buffer);
	definition_put_value(&buffer, &queue);
	for (size_t size = 0; size < buffer.size; size++) {
		uint8_t *exact = mem_alloc(size + 1);
		struct definition read;

		memcpy(exact, buffer.data, size);
		int r = definition_read(slice_make(exact, size), &read);

		if (r == 0)
			CU_ASSERT_TRUE(read.name.size == queue.name.size);
		mem_free(exact);
	}
	buffer.data[0] = 2;
	struct definition read;
	CU_ASSERT_NOT_EQUAL(definition_read(buffer_slice(&buffer), &read), 0);
	buffer_fini(&buffer);
}

UNIT_MAIN("definition", UNIT_TEST(keys), UNIT_TEST(there_and_back),
	  UNIT_TEST(vhost_without_settings), UNIT_TEST(truncation))
