/* SPDX-License-Identifier: MIT */
/* Properties that mean something to the publish itself. */
#include "amqp/properties.h"

#include <errno.h>

#include "broker/router/router.h"
#include "conn/audit.h"
#include "conn/channel.h"
#include "conn/connection.h"
#include "conn/publish/publish.h"

/* The user_id must be the user's own name, but for those who may speak for others. RabbitMQ:
 * docs/validated-user-id. */
static int publish_check_user(struct channel *ch, const struct amqp_properties *properties,
			      struct amqp_error *error)
{
	const struct access *access = ch->connection->service->access;
	const struct access_user *user = ch->connection->user;

	if (!amqp_properties_has(properties, AMQP_PROPERTY_USER_ID) ||
	    slice_equal(properties->user_id, slice_cstr(user->name)) ||
	    access_user_has_tag(access, user, "impersonator"))
		return 0;
	conn_audit_refusal(ch->connection, "user-id", "user", properties->user_id, SLICE_EMPTY);
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
			      "user_id property set to '" SLICE_FMT
			      "' but authenticated user was '%s'",
			      SLICE_ARG(properties->user_id), user->name);
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
		result = extra_keys_drop_bcc(properties->headers, &headers);
		properties->headers = buffer_slice(&headers);
	}
	if (is_fast_reply) {
		router_reply_name(&ch->endpoint, reply_to, sizeof(reply_to));
		properties->reply_to = slice_cstr(reply_to);
	}
	if (result == 0)
		result = amqp_properties_append(properties, out);
	buffer_fini(&headers);
	return result == 0 ? 0 : amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
}

int publish_examine(struct channel *ch, struct amqp_properties *properties, struct buffer *out,
		    struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	bool is_fast_reply = amqp_properties_has(properties, AMQP_PROPERTY_REPLY_TO) &&
			     slice_equal(properties->reply_to, SLICE_LITERAL(ROUTER_REPLY_PREFIX));
	bool has_bcc = false;

	if (publish_check_user(ch, properties, error) != 0)
		return -EPROTO;
	if (amqp_properties_has(properties, AMQP_PROPERTY_HEADERS)) {
		if (extra_keys_note_cc(&p->extra, properties->headers, error) != 0 ||
		    extra_keys_note_bcc(&p->extra, properties->headers, &has_bcc, error) != 0)
			return -EPROTO;
		if (p->extra.bytes.failed)
			return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	if (is_fast_reply && ch->reply_tag_size == 0)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "fast reply consumer does not exist");
	if (!has_bcc && !is_fast_reply)
		return 0;
	return publish_rewrite(ch, properties, has_bcc, is_fast_reply, out, error);
}
