/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses: the rest is a payload as a peer may send it, or the recipe of a
 * well-formed method made by the grammar that the table of methods is.
 *
 * What decodes, encodes to bytes that decode to the same, and is as long as it was. What the
 * grammar makes, decodes; cut anywhere, it does not.
 */
#include "fuzz.h"

#include <errno.h>

#include "amqp/method.h"

#define SAME_octet(name) fuzz_check(a->name == b->name);
#define SAME_short(name) fuzz_check(a->name == b->name);
#define SAME_long(name) fuzz_check(a->name == b->name);
#define SAME_longlong(name) fuzz_check(a->name == b->name);
#define SAME_bit(name) fuzz_check(a->name == b->name);
#define SAME_shortstr(name) fuzz_check(slice_equal(a->name, b->name));
#define SAME_text(name) fuzz_check(slice_equal(a->name, b->name));
#define SAME_longstr(name) fuzz_check(slice_equal(a->name, b->name));
#define SAME_table(name) fuzz_check(slice_equal(a->name, b->name));
#define SAME_FIELD(type, name) SAME_##type(name)

#define MAKE_octet(name) method->name = amqp_get_octet(source);
#define MAKE_short(name) method->name = amqp_get_short(source);
#define MAKE_long(name) method->name = amqp_get_long(source);
#define MAKE_longlong(name) method->name = amqp_get_longlong(source);
#define MAKE_bit(name) method->name = (amqp_get_octet(source) & 1) != 0;
#define MAKE_shortstr(name) method->name = fuzz_shortstr(source);
#define MAKE_text(name) method->name = fuzz_text(source);
#define MAKE_longstr(name) method->name = fuzz_longstr(source);
#define MAKE_table(name) method->name = fuzz_table(source, buffer);
#define MAKE_FIELD(type, name) MAKE_##type(name)

#define SAME_AND_MAKE(class, method_, ...)                                                         \
	static void same_##class##_##method_(const struct amqp_##class##_##method_ *a,             \
					     const struct amqp_##class##_##method_ *b)             \
	{                                                                                          \
		(void)a;                                                                           \
		(void)b;                                                                           \
		AMQP_FIELDS_##class##_##method_(SAME_FIELD);                                       \
	}                                                                                          \
                                                                                                   \
	static void make_##class##_##method_(struct amqp_##class##_##method_ *method,              \
					     struct fuzz_source *source, struct buffer *buffer)    \
	{                                                                                          \
		(void)method;                                                                      \
		(void)source;                                                                      \
		(void)buffer;                                                                      \
		AMQP_FIELDS_##class##_##method_(MAKE_FIELD);                                       \
	}
AMQP_METHODS(SAME_AND_MAKE)

static const uint32_t all_ids[] = {
#define ID(class, method, CLASS, METHOD, ...) AMQP_##CLASS##_##METHOD,
	AMQP_METHODS(ID)
#undef ID
};

static void check_same(const struct amqp_method *a, const struct amqp_method *b)
{
	fuzz_check(a->id == b->id);
	switch (a->id) {
#define CASE(class, method_, CLASS, METHOD, ...)                                                   \
	case AMQP_##CLASS##_##METHOD:                                                              \
		same_##class##_##method_(&a->class##_##method_, &b->class##_##method_);            \
		break;
		AMQP_METHODS(CASE)
#undef CASE
	default:
		abort();
	}
}

static void make(struct amqp_method *method, struct fuzz_source *source, struct buffer *buffer)
{
	method->id = all_ids[amqp_get_octet(source) % (sizeof(all_ids) / sizeof(all_ids[0]))];
	switch (method->id) {
#define CASE(class, method_, CLASS, METHOD, ...)                                                   \
	case AMQP_##CLASS##_##METHOD:                                                              \
		make_##class##_##method_(&method->class##_##method_, source, buffer);              \
		break;
		AMQP_METHODS(CASE)
#undef CASE
	default:
		abort();
	}
}

/* The encoding, on a block of just its size. */
static struct slice encode(const struct amqp_method *method, uint8_t **ret_block)
{
	struct amqp_writer writer;
	size_t size = amqp_method_size(method);
	uint8_t *block = malloc(size);

	fuzz_check(block != NULL);
	amqp_writer_init(&writer, block, size);
	amqp_method_encode(&writer, method);
	fuzz_check(!writer.failed && amqp_writer_left(&writer) == 0);
	*ret_block = block;
	return slice_make(block, size);
}

static void check_payload(struct slice payload)
{
	struct amqp_method method;
	struct amqp_method back;
	struct slice encoded;
	uint8_t *block;
	int result = amqp_method_decode(&method, payload);

	fuzz_check(result == 0 || result == -EPROTO || result == -ENOSYS);
	fuzz_check(result != -ENOSYS || !amqp_method_is_known(method.id));
	fuzz_check(result != 0 || amqp_method_is_known(method.id));
	if (result != 0)
		return;
	encoded = encode(&method, &block);
	fuzz_check(encoded.size == payload.size);
	fuzz_check(amqp_method_decode(&back, encoded) == 0);
	check_same(&method, &back);
	free(block);
}

static void check_grammar(struct fuzz_source *source)
{
	size_t cut = amqp_get_short(source);
	struct amqp_method method;
	struct amqp_method back;
	struct slice encoded;
	struct buffer buffer;
	uint8_t *block;
	uint8_t *prefix;

	buffer_init(&buffer);
	make(&method, source, &buffer);
	encoded = encode(&method, &block);
	fuzz_check(amqp_method_decode(&back, encoded) == 0);
	check_same(&method, &back);
	cut %= encoded.size;
	prefix = fuzz_exact_copy(encoded, cut);
	fuzz_check(amqp_method_decode(&back, slice_make(prefix, cut)) == -EPROTO);
	free(prefix);
	free(block);
	buffer_fini(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_source source;

	amqp_reader_init(&source, slice_make(data, size));
	if ((amqp_get_octet(&source) & 1) == 0)
		check_payload(fuzz_bytes(&source, size));
	else
		check_grammar(&source);
	return 0;
}
