/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses: raw properties as a peer may send them, or the recipe of well-formed
 * ones. What decodes, encodes to bytes that decode to the same. What the grammar makes, decodes;
 * cut anywhere, it does not.
 */
#include "fuzz.h"

#include <errno.h>

#include "amqp/properties.h"

#define SAME_octet(name) (a->name == b->name)
#define SAME_longlong(name) (a->name == b->name)
#define SAME_shortstr(name) slice_equal(a->name, b->name)
#define SAME_table(name) slice_equal(a->name, b->name)

static void check_same(const struct amqp_properties *a, const struct amqp_properties *b)
{
	fuzz_check(a->flags == b->flags);
#define SAME(type, name, NAME, bit) fuzz_check(SAME_##type(name));
	AMQP_PROPERTIES(SAME)
#undef SAME
}

static struct slice encode(const struct amqp_properties *properties, uint8_t **ret_block)
{
	struct amqp_writer writer;
	size_t size = amqp_properties_size(properties);
	uint8_t *block = malloc(size);

	fuzz_check(block != NULL);
	amqp_writer_init(&writer, block, size);
	amqp_properties_encode(&writer, properties);
	fuzz_check(!writer.failed && amqp_writer_left(&writer) == 0);
	*ret_block = block;
	return slice_make(block, size);
}

static void check_raw(struct slice raw)
{
	struct amqp_properties properties;
	struct amqp_properties back;
	struct slice encoded;
	uint8_t *block;
	int result = amqp_properties_decode(&properties, raw);

	fuzz_check(result == 0 || result == -EPROTO);
	if (result != 0)
		return;
	encoded = encode(&properties, &block);
	fuzz_check(encoded.size <= raw.size);
	fuzz_check(amqp_properties_decode(&back, encoded) == 0);
	check_same(&properties, &back);
	free(block);
}

#define MAKE_octet(name) amqp_get_octet(source)
#define MAKE_longlong(name) amqp_get_longlong(source)
#define MAKE_shortstr(name) fuzz_shortstr(source)
#define MAKE_table(name) fuzz_table(source, buffer)

static void make(struct amqp_properties *properties, struct fuzz_source *source,
		 struct buffer *buffer)
{
	*properties = (struct amqp_properties){.flags = amqp_get_short(source) & 0xfffc};
#define MAKE(type, name, NAME, bit)                                                                \
	if (amqp_properties_has(properties, AMQP_PROPERTY_##NAME))                                 \
		properties->name = MAKE_##type(name);
	AMQP_PROPERTIES(MAKE)
#undef MAKE
}

static void check_grammar(struct fuzz_source *source)
{
	size_t cut = amqp_get_short(source);
	struct amqp_properties properties;
	struct amqp_properties back;
	struct slice encoded;
	struct buffer buffer;
	uint8_t *block;
	uint8_t *prefix;

	buffer_init(&buffer);
	make(&properties, source, &buffer);
	encoded = encode(&properties, &block);
	fuzz_check(amqp_properties_decode(&back, encoded) == 0);
	check_same(&properties, &back);
	cut %= encoded.size;
	prefix = fuzz_exact_copy(encoded, cut);
	fuzz_check(amqp_properties_decode(&back, slice_make(prefix, cut)) == -EPROTO);
	free(prefix);
	free(block);
	buffer_fini(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_source source;

	amqp_reader_init(&source, slice_make(data, size));
	if ((amqp_get_octet(&source) & 1) == 0)
		check_raw(fuzz_bytes(&source, size));
	else
		check_grammar(&source);
	return 0;
}
