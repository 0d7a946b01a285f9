/* SPDX-License-Identifier: MIT */
#include "broker/message/draft.h"

#include <errno.h>
#include <string.h>

#include "amqp/frame.h"
#include "base/mem.h"
#include "broker/message/draft_functions.h"

uint32_t draft_properties_max(uint32_t frame_max)
{
	const uint32_t fixed = AMQP_FRAME_OVERHEAD + AMQP_CONTENT_HEADER_FIXED;

	if (frame_max == 0 || frame_max > INT32_MAX)
		frame_max = INT32_MAX;
	return frame_max > fixed ? frame_max - fixed : 0;
}

/* Not all of it is cleared: hooks make one for every message. */
void draft_init(struct draft *d, const struct message *base, const struct draft_limits *limits,
		bool is_delivery)
{
	d->functions = draft_functions;
	d->base = base;
	d->exchange = base != NULL ? message_exchange(base) : SLICE_EMPTY;
	d->limits = *limits;
	d->is_delivery = is_delivery;
	d->refused_size = 0;
	d->has_key = d->has_exchange = d->has_body = d->has_properties = false;
	d->has_cc = d->has_bcc = d->is_loaded = false;
	d->key_size = 0;
	d->body = NULL;
	d->body_size = 0;
	buffer_init(&d->headers);
	memset(d->texts, 0, sizeof(d->texts));
}

void draft_set_exchange(struct draft *d, struct slice exchange)
{
	d->exchange = exchange;
}

void draft_fini(struct draft *d)
{
	if (!d->has_body && !d->has_properties)
		return; /* it holds nothing */
	mem_free(d->body);
	buffer_fini(&d->headers);
	for (unsigned i = 0; i < DRAFT_TEXTS; i++)
		mem_free(d->texts[i]);
}

size_t draft_size(const struct draft *d)
{
	return d->body_size + d->headers.capacity;
}

/* ---- The message ---- */

/* Those that were set, and of the others what there was before. */
static int find_keys(const struct draft *d, const struct extra_keys *before,
		     struct extra_keys *fresh, bool *ret_has_bcc, struct amqp_error *error)
{
	struct slice headers = d->properties.headers;

	if (!d->has_cc)
		extra_keys_copy_cc(fresh, before);
	else if (extra_keys_note_cc(fresh, headers, error) != 0)
		return -EPROTO;
	if (!d->has_bcc)
		extra_keys_copy_bcc(fresh, before);
	else if (extra_keys_note_bcc(fresh, headers, ret_has_bcc, error) != 0)
		return -EPROTO;
	return fresh->bytes.failed ? amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory")
				   : 0;
}

/* Flags and values; of a message in which none was set they are its own. */
static int encode(const struct draft *d, bool drop_bcc, struct buffer *out)
{
	struct amqp_properties properties = d->properties;
	struct buffer headers;
	int result = 0;

	buffer_init(&headers);
	if (drop_bcc) {
		result = extra_keys_drop_bcc(properties.headers, &headers);
		properties.headers = buffer_slice(&headers);
	}
	if (result == 0)
		result = amqp_properties_append(&properties, out);
	buffer_fini(&headers);
	return result;
}

static struct slice body_of(const struct draft *d)
{
	if (d->has_body || d->base == NULL)
		return slice_make(d->body, d->body_size);
	return message_body(d->base);
}

static struct slice key_of(const struct draft *d)
{
	if (d->has_key || d->base == NULL)
		return slice_make(d->key, d->key_size);
	return message_routing_key(d->base);
}

static struct message *put_together(const struct draft *d, struct slice properties)
{
	struct slice body = body_of(d);
	struct message *message =
		message_create(d->exchange, key_of(d), properties, (uint32_t)body.size);

	if (message != NULL)
		slice_copy(message_body_bytes(message), body);
	return message;
}

static int make(const struct draft *d, bool drop_bcc, struct message **ret,
		struct amqp_error *error)
{
	static const uint8_t none[AMQP_PROPERTIES_MIN_SIZE];
	struct slice raw = slice_make(none, sizeof(none));
	struct message *message = NULL;
	struct buffer encoded;

	buffer_init(&encoded);
	if (d->has_properties && encode(d, drop_bcc, &encoded) != 0)
		goto out;
	if (d->has_properties)
		raw = buffer_slice(&encoded);
	else if (d->base != NULL)
		raw = message_properties(d->base);
	message = put_together(d, raw);
out:
	buffer_fini(&encoded);
	if (message == NULL)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	/* One on its way to a consumer may have come from a disk with any expiration. */
	if (message_read_properties(message, error) != 0 && !d->is_delivery) {
		message_unref(message);
		return -EPROTO;
	}
	*ret = message;
	return 0;
}

int draft_make(const struct draft *d, struct extra_keys *keys, struct message **ret,
	       struct amqp_error *error)
{
	struct extra_keys fresh;
	bool has_bcc = false;
	int result;

	if (d->refused_size != 0)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "message size %zu is larger than configured max size %u",
				      d->refused_size, d->limits.body_max);
	if (d->is_delivery || (!d->has_cc && !d->has_bcc))
		return make(d, false, ret, error);
	extra_keys_init(&fresh);
	result = find_keys(d, keys, &fresh, &has_bcc, error);
	if (result == 0)
		result = make(d, has_bcc, ret, error);
	if (result == 0) {
		extra_keys_fini(keys);
		*keys = fresh;
		return 0;
	}
	extra_keys_fini(&fresh);
	return result;
}
