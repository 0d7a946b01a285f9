/* SPDX-License-Identifier: MIT */
/* Properties that mean something to the publish itself. */
#include "amqp/properties.h"

#include <errno.h>

#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "broker/router.h"
#include "conn/channel.h"
#include "conn/connection.h"
#include "conn/publish.h"

/* Notes the routing keys in an array of long strings under the name. 406 when it is anything else,
 * as RabbitMQ. */
static int publish_note_keys(struct channel_publish *p, struct slice headers, const char *name,
			     bool *ret_is_there, struct amqp_error *error)
{
	struct amqp_value value, item;
	struct amqp_array_iter iter;
	uint8_t size[4];
	struct amqp_writer w;

	*ret_is_there = amqp_table_find(headers, name, &value);
	if (!*ret_is_there)
		return 0;
	if (value.type != AMQP_VALUE_ARRAY)
		return amqp_error_set(
			error, AMQP_PRECONDITION_FAILED,
			"invalid message: {unacceptable_type_in_mandatory_header,\"%s\",%s}", name,
			amqp_value_type_name(value.type));
	amqp_array_iter_init(&iter, value.bytes);
	while (amqp_array_iter_next(&iter, &item) == 1) {
		if (item.type != AMQP_VALUE_STRING)
			continue;
		amqp_writer_init(&w, size, sizeof(size));
		amqp_put_long(&w, (uint32_t)item.bytes.size);
		buffer_append(&p->extra, size, sizeof(size));
		buffer_append_slice(&p->extra, item.bytes);
		p->n_extra++;
	}
	return 0;
}

/* The table without its BCC entry. */
static int publish_drop_bcc(struct slice headers, struct buffer *out)
{
	struct amqp_table_writer w;
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	amqp_table_writer_init(&w, out);
	amqp_table_iter_init(&iter, headers);
	while (amqp_table_iter_next(&iter, &key, &value) == 1)
		if (!slice_equal(key, SLICE_LITERAL("BCC")))
			amqp_table_put_value(&w, key, &value);
	return amqp_table_writer_finish(&w);
}

/* The properties anew, in `out`. */
static int publish_encode(const struct amqp_properties *properties, struct buffer *out)
{
	size_t size = amqp_properties_size(properties);
	uint8_t *room = buffer_reserve(out, size);
	struct amqp_writer w;

	if (room == NULL)
		return -ENOMEM;
	amqp_writer_init(&w, room, size);
	amqp_properties_encode(&w, properties);
	out->size += size;
	return w.failed ? -EPROTO : 0;
}

/* The user_id must be the user's own name. RabbitMQ: docs/validated-user-id. */
static int publish_check_user(struct channel *ch, const struct amqp_properties *properties,
			      struct amqp_error *error)
{
	const char *user = ch->connection->user->name;

	if (!amqp_properties_has(properties, AMQP_PROPERTY_USER_ID) ||
	    slice_equal(properties->user_id, slice_cstr(user)))
		return 0;
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
			      "user_id property set to '" SLICE_FMT
			      "' but authenticated user was '%s'",
			      SLICE_ARG(properties->user_id), user);
}

/* Replaces what the receiver must not see, or must see in full: `out` holds the new properties, if
 * there are any. */
static int publish_rewrite(struct channel *ch, struct amqp_properties *properties, bool has_bcc,
			   bool is_fast_reply, struct buffer *out, struct amqp_error *error)
{
	char reply_to[256];
	struct buffer headers;
	int result = 0;

	buffer_init(&headers);
	if (has_bcc) {
		result = publish_drop_bcc(properties->headers, &headers);
		properties->headers = buffer_slice(&headers);
	}
	if (is_fast_reply) {
		router_reply_name(&ch->endpoint, reply_to, sizeof(reply_to));
		properties->reply_to = slice_cstr(reply_to);
	}
	if (result == 0)
		result = publish_encode(properties, out);
	buffer_fini(&headers);
	return result == 0 ? 0 : amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
}

int publish_examine(struct channel *ch, struct amqp_properties *properties, struct buffer *out,
		    struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	bool is_fast_reply = amqp_properties_has(properties, AMQP_PROPERTY_REPLY_TO) &&
			     slice_equal(properties->reply_to, SLICE_LITERAL(ROUTER_REPLY_PREFIX));
	bool has_bcc = false, has_cc;

	if (publish_check_user(ch, properties, error) != 0)
		return -EPROTO;
	if (amqp_properties_has(properties, AMQP_PROPERTY_HEADERS)) {
		if (publish_note_keys(p, properties->headers, "CC", &has_cc, error) != 0 ||
		    publish_note_keys(p, properties->headers, "BCC", &has_bcc, error) != 0)
			return -EPROTO;
		if (p->extra.failed)
			return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	if (is_fast_reply && ch->reply_tag_size == 0)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "fast reply consumer does not exist");
	if (!has_bcc && !is_fast_reply)
		return 0;
	return publish_rewrite(ch, properties, has_bcc, is_fast_reply, out, error);
}

void publish_read_keys(struct slice extra, uint32_t n, struct slice *ret_keys)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, extra);
	for (uint32_t i = 0; i < n; i++)
		ret_keys[i] = amqp_get_longstr(&reader);
}
