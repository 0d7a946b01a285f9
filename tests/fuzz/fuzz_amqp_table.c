/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses: a raw table as a peer may send it, a raw array, or the recipe of a
 * well-formed table. What validates, reads to its end at every depth; rebuilt from its values, it
 * validates and equals what it was, and what the grammar made, byte for byte. Printing, counting
 * and comparing take anything.
 */
#include "fuzz.h"

#include <errno.h>

#include "amqp/table.h"

static void rebuild(struct amqp_table_writer *writer, struct slice bytes, bool is_array);

/* The writer takes nested values as raw bytes too; here they are built piece by piece. The key of a
 * nested table is lost when it is no C string, so such a value is put as it is. */
static void rebuild_value(struct amqp_table_writer *writer, struct slice key, bool is_in_array,
			  const struct amqp_value *value)
{
	bool is_array = value->type == AMQP_VALUE_ARRAY;
	bool is_nested = is_array || value->type == AMQP_VALUE_TABLE;
	char name[256];

	memset(name, 0, sizeof(name));
	if (!is_in_array && key.size > 0)
		memcpy(name, key.data, key.size);
	if (!is_in_array && (!is_nested || strlen(name) != key.size)) {
		amqp_table_put_value(writer, key, value);
	} else if (!is_nested) {
		amqp_array_put_value(writer, value);
	} else {
		if (is_array)
			amqp_table_begin_array(writer, is_in_array ? NULL : name);
		else
			amqp_table_begin_table(writer, is_in_array ? NULL : name);
		rebuild(writer, value->bytes, is_array);
		amqp_table_end(writer);
	}
}

static void rebuild(struct amqp_table_writer *writer, struct slice bytes, bool is_array)
{
	struct amqp_table_iter table;
	struct amqp_array_iter array;
	struct amqp_value value;
	struct amqp_value found;
	struct slice key = SLICE_EMPTY;
	int more;

	amqp_table_iter_init(&table, bytes);
	amqp_array_iter_init(&array, bytes);
	for (;;) {
		more = is_array ? amqp_array_iter_next(&array, &value)
				: amqp_table_iter_next(&table, &key, &value);
		if (more <= 0)
			break;
		fuzz_check(is_array || amqp_table_find_slice(bytes, key, &found));
		rebuild_value(writer, key, is_array, &value);
	}
	fuzz_check(more == 0);
}

static void check_anything(struct slice bytes, bool is_array)
{
	struct amqp_value value = {.type = is_array ? AMQP_VALUE_ARRAY : AMQP_VALUE_TABLE,
				   .bytes = bytes};
	struct amqp_value half = value;
	struct buffer out;

	half.bytes.size /= 2;
	fuzz_check(amqp_value_equal(&value, &value));
	fuzz_check(amqp_value_equal(&value, &half) == amqp_value_equal(&half, &value));
	(void)amqp_table_count(bytes);
	buffer_init(&out);
	amqp_value_print(&value, &out);
	fuzz_check(!out.failed && out.size >= 2);
	buffer_fini(&out);
}

static void check_table(struct slice bytes, bool is_by_grammar)
{
	struct amqp_value before = {.type = AMQP_VALUE_TABLE, .bytes = bytes};
	struct amqp_value after = {.type = AMQP_VALUE_TABLE};
	struct amqp_table_writer writer;
	struct buffer out;

	check_anything(bytes, false);
	if (amqp_table_validate(bytes, AMQP_TABLE_DEPTH_MAX) != 0) {
		fuzz_check(!is_by_grammar);
		return;
	}
	buffer_init(&out);
	amqp_table_writer_init(&writer, &out);
	rebuild(&writer, bytes, false);
	fuzz_check(amqp_table_writer_finish(&writer) == 0);
	after.bytes = buffer_slice(&out);
	fuzz_check(after.bytes.size == bytes.size);
	fuzz_check(amqp_table_validate(after.bytes, AMQP_TABLE_DEPTH_MAX) == 0);
	fuzz_check(amqp_value_equal(&before, &after));
	fuzz_check(!is_by_grammar || slice_equal(bytes, after.bytes));
	buffer_fini(&out);
}

static void check_grammar(struct fuzz_source *source)
{
	struct buffer buffer;

	buffer_init(&buffer);
	check_table(fuzz_table(source, &buffer), true);
	buffer_fini(&buffer);
}

static void check_array(struct slice bytes)
{
	int result = amqp_array_validate(bytes, AMQP_TABLE_DEPTH_MAX);

	fuzz_check(result == 0 || result == -EPROTO);
	check_anything(bytes, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_source source;
	unsigned choice;

	amqp_reader_init(&source, slice_make(data, size));
	choice = amqp_get_octet(&source) % 3;
	if (choice == 0)
		check_table(fuzz_bytes(&source, size), false);
	else if (choice == 1)
		check_array(fuzz_bytes(&source, size));
	else
		check_grammar(&source);
	return 0;
}
