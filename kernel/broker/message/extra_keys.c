/* SPDX-License-Identifier: MIT */
#include "broker/message/extra_keys.h"

#include <errno.h>

#include "amqp/cursor.h"
#include "amqp/table.h"
#include "base/mem.h"

#define FEW_KEYS 16u /* a power of two: so many may be repeated */

void extra_keys_init(struct extra_keys *keys)
{
	*keys = (struct extra_keys){0};
	buffer_init(&keys->bytes);
}

void extra_keys_fini(struct extra_keys *keys)
{
	buffer_fini(&keys->bytes);
	extra_keys_init(keys);
}

void extra_keys_clear(struct extra_keys *keys)
{
	buffer_clear(&keys->bytes);
	keys->n = 0;
	keys->n_cc = 0;
	keys->cc_size = 0;
}

static void add(struct extra_keys *keys, struct slice key)
{
	uint8_t size[4];
	struct amqp_writer w;

	amqp_writer_init(&w, size, sizeof(size));
	amqp_put_long(&w, (uint32_t)key.size);
	buffer_append(&keys->bytes, size, sizeof(size));
	buffer_append_slice(&keys->bytes, key);
	keys->n++;
}

static NO_INLINE int add_all(struct extra_keys *keys, const char *name,
			     const struct amqp_value *value, struct amqp_error *error)
{
	struct amqp_array_iter iter;
	struct amqp_value item;

	if (value->type != AMQP_VALUE_ARRAY)
		return amqp_error_set(
			error, AMQP_PRECONDITION_FAILED,
			"invalid message: {unacceptable_type_in_mandatory_header,\"%s\",%s}", name,
			amqp_value_type_name(value->type));
	amqp_array_iter_init(&iter, value->bytes);
	while (amqp_array_iter_next(&iter, &item) == 1)
		if (item.type == AMQP_VALUE_STRING)
			add(keys, item.bytes);
	return 0;
}

/* Mostly it is not there. */
static inline int note(struct extra_keys *keys, struct slice headers, const char *name,
		       bool *ret_is_there, struct amqp_error *error)
{
	struct amqp_value value;

	*ret_is_there = amqp_table_find(headers, name, &value);
	return *ret_is_there ? add_all(keys, name, &value, error) : 0;
}

static void end_cc(struct extra_keys *keys)
{
	keys->n_cc = keys->n;
	keys->cc_size = keys->bytes.size;
}

int extra_keys_note_cc(struct extra_keys *keys, struct slice headers, struct amqp_error *error)
{
	bool is_there;
	int result = note(keys, headers, "CC", &is_there, error);

	end_cc(keys);
	return result;
}

int extra_keys_note_bcc(struct extra_keys *keys, struct slice headers, bool *ret_is_there,
			struct amqp_error *error)
{
	return note(keys, headers, "BCC", ret_is_there, error);
}

void extra_keys_copy_cc(struct extra_keys *keys, const struct extra_keys *from)
{
	buffer_append(&keys->bytes, from->bytes.data, from->cc_size);
	keys->n += from->n_cc;
	end_cc(keys);
}

void extra_keys_copy_bcc(struct extra_keys *keys, const struct extra_keys *from)
{
	if (from->n == from->n_cc)
		return;
	buffer_append(&keys->bytes, from->bytes.data + from->cc_size,
		      from->bytes.size - from->cc_size);
	keys->n += from->n - from->n_cc;
}

/* The place of the key in a table of 2^k places that is not full, or the free one for it. */
static uint32_t *place_of(uint32_t *places, uint32_t mask, const struct slice *keys,
			  struct slice key)
{
	uint32_t at = (uint32_t)slice_hash(key) & mask;

	while (places[at] != 0 && !slice_equal(keys[places[at] - 1], key))
		at = (at + 1) & mask;
	return &places[at];
}

/* Each key costs what all the bindings cost that it matches, and a frame has room for 20 000 of
 * them. Without memory for the table all stay, which comes to the same. */
static uint32_t drop_repeated(struct slice *keys, uint32_t n)
{
	uint32_t n_places = FEW_KEYS, n_kept = 0, *places;

	while (n_places < 2 * (uint64_t)n)
		n_places *= 2;
	places = mem_try_zalloc(n_places * sizeof(*places));
	if (places == NULL)
		return n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *place = place_of(places, n_places - 1, keys, keys[i]);

		if (*place != 0)
			continue;
		keys[n_kept++] = keys[i];
		*place = n_kept;
	}
	mem_free(places);
	return n_kept;
}

uint32_t extra_keys_read(struct slice bytes, uint32_t n, struct slice *ret_keys)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, bytes);
	for (uint32_t i = 0; i < n; i++)
		ret_keys[i] = amqp_get_longstr(&reader);
	return n <= FEW_KEYS ? n : drop_repeated(ret_keys, n);
}

int extra_keys_drop_bcc(struct slice headers, struct buffer *out)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	amqp_table_iter_init(&iter, headers);
	for (;;) {
		const uint8_t *entry = iter.reader.p;

		if (amqp_table_iter_next(&iter, &key, &value) != 1)
			break;
		if (!slice_equal(key, SLICE_LITERAL("BCC")))
			buffer_append(out, entry, (size_t)(iter.reader.p - entry));
	}
	return out->failed ? -ENOMEM : 0;
}
