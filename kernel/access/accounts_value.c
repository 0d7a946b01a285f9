/* SPDX-License-Identifier: MIT */
/* Accounts and permissions in the store, and which of them may be. docs/store-format.md. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "access/accounts_state.h"
#include "access/password.h"
#include "amqp/cursor.h"
#include "store/fields.h"

/* Never given another meaning. */
enum field {
	FIELD_VHOST = 1,
	FIELD_NAME = 2, /* of the user */
	FIELD_EXCHANGE = 3,
	FIELD_TAGS = 32,
	FIELD_ALGORITHM = 33, /* its name (access/password.h); one that is not known is damage */
	FIELD_HASH = 34,
	FIELD_MAX_CONNECTIONS = 35, /* one more than the limit; 0: none */
	FIELD_MAX_CHANNELS = 36,
	FIELD_CONFIGURE = 37,
	FIELD_WRITE = 38,
	FIELD_READ = 39,
};

enum {
	KIND_USER = 'u',
	KIND_PERMISSION = 'p',
	KIND_TOPIC_PERMISSION = 't',
};

/* ---- Writing ---- */

void account_put_key(struct buffer *buffer, struct slice name)
{
	buffer_append_cstr(buffer, "user/");
	buffer_append_slice(buffer, name);
}

void account_put_value(struct buffer *buffer, const struct account_view *account)
{
	fields_begin(buffer, KIND_USER);
	fields_put(buffer, FIELD_NAME, account->name);
	fields_put(buffer, FIELD_TAGS, account->tags);
	fields_put(buffer, FIELD_ALGORITHM,
		   slice_cstr(password_algorithm_name(account->algorithm)));
	fields_put(buffer, FIELD_HASH, account->password_hash);
	fields_put_number(buffer, FIELD_MAX_CONNECTIONS, (uint64_t)(account->max_connections + 1));
	fields_put_number(buffer, FIELD_MAX_CHANNELS, (uint64_t)(account->max_channels + 1));
}

void permission_put_key(struct buffer *buffer, struct slice vhost, struct slice user)
{
	buffer_append_cstr(buffer, "permission/");
	fields_put_key_part(buffer, vhost);
	buffer_append_slice(buffer, user);
}

void permission_put_value(struct buffer *buffer, const struct permission_view *permission)
{
	fields_begin(buffer, KIND_PERMISSION);
	fields_put(buffer, FIELD_VHOST, permission->vhost);
	fields_put(buffer, FIELD_NAME, permission->user);
	fields_put(buffer, FIELD_CONFIGURE, permission->configure);
	fields_put(buffer, FIELD_WRITE, permission->write);
	fields_put(buffer, FIELD_READ, permission->read);
}

void topic_permission_put_key(struct buffer *buffer, struct slice vhost, struct slice user,
			      struct slice exchange)
{
	buffer_append_cstr(buffer, "topic-permission/");
	fields_put_key_part(buffer, vhost);
	fields_put_key_part(buffer, user);
	buffer_append_slice(buffer, exchange);
}

void topic_permission_put_value(struct buffer *buffer,
				const struct topic_permission_view *permission)
{
	fields_begin(buffer, KIND_TOPIC_PERMISSION);
	fields_put(buffer, FIELD_VHOST, permission->vhost);
	fields_put(buffer, FIELD_NAME, permission->user);
	fields_put(buffer, FIELD_EXCHANGE, permission->exchange);
	fields_put(buffer, FIELD_WRITE, permission->write);
	fields_put(buffer, FIELD_READ, permission->read);
}

/* ---- Reading ---- */

/* What a value may hold, of all kinds. */
struct values {
	struct account_view account;
	bool has_algorithm;
	struct slice vhost, exchange, configure, write, read;
};

static int64_t read_limit(struct fields_reader *reader)
{
	uint64_t number = fields_number(reader);

	if (number > INT64_MAX)
		amqp_reader_fail(&reader->reader);
	return (int64_t)(number - 1);
}

static void read_account_field(struct values *values, struct fields_reader *reader)
{
	if (reader->field == FIELD_TAGS)
		values->account.tags = reader->bytes;
	else if (reader->field == FIELD_ALGORITHM)
		values->has_algorithm =
			password_algorithm_find(reader->bytes, &values->account.algorithm);
	else if (reader->field == FIELD_HASH)
		values->account.password_hash = reader->bytes;
	else if (reader->field == FIELD_MAX_CONNECTIONS)
		values->account.max_connections = read_limit(reader);
	else if (reader->field == FIELD_MAX_CHANNELS)
		values->account.max_channels = read_limit(reader);
}

static void read_field(struct values *values, struct fields_reader *reader)
{
	if (reader->field == FIELD_VHOST)
		values->vhost = reader->bytes;
	else if (reader->field == FIELD_NAME)
		values->account.name = reader->bytes;
	else if (reader->field == FIELD_EXCHANGE)
		values->exchange = reader->bytes;
	else if (reader->field == FIELD_CONFIGURE)
		values->configure = reader->bytes;
	else if (reader->field == FIELD_WRITE)
		values->write = reader->bytes;
	else if (reader->field == FIELD_READ)
		values->read = reader->bytes;
	else
		read_account_field(values, reader);
}

static int read_value(struct slice value, uint8_t kind, struct values *ret)
{
	struct fields_reader reader;

	*ret = (struct values){
		.account = {.max_connections = ACCESS_NO_LIMIT, .max_channels = ACCESS_NO_LIMIT}};
	if (fields_open(&reader, value) != 0 || reader.kind != kind)
		return -EBADMSG;
	while (fields_next(&reader))
		read_field(ret, &reader);
	return fields_are_good(&reader) ? 0 : -EBADMSG;
}

int account_read_value(struct slice value, struct account_view *ret)
{
	struct values values;
	char reason[128];

	if (read_value(value, KIND_USER, &values) != 0 || !values.has_algorithm ||
	    !account_view_is_valid(&values.account, reason, sizeof(reason)))
		return -EBADMSG;
	*ret = values.account;
	return 0;
}

static bool texts_are_valid(const struct values *values)
{
	char reason[128];

	return values->configure.size <= ACCESS_PATTERN_MAX &&
	       values->write.size <= ACCESS_PATTERN_MAX &&
	       values->read.size <= ACCESS_PATTERN_MAX &&
	       permission_names_are_valid(values->vhost, values->account.name, values->exchange,
					  reason, sizeof(reason));
}

int permission_read_value(struct slice value, struct permission_view *ret)
{
	struct values values;

	if (read_value(value, KIND_PERMISSION, &values) != 0 || !texts_are_valid(&values))
		return -EBADMSG;
	*ret = (struct permission_view){
		.vhost = values.vhost,
		.user = values.account.name,
		.configure = values.configure,
		.write = values.write,
		.read = values.read,
	};
	return 0;
}

int topic_permission_read_value(struct slice value, struct topic_permission_view *ret)
{
	struct values values;

	if (read_value(value, KIND_TOPIC_PERMISSION, &values) != 0 || !texts_are_valid(&values))
		return -EBADMSG;
	*ret = (struct topic_permission_view){
		.vhost = values.vhost,
		.user = values.account.name,
		.exchange = values.exchange,
		.write = values.write,
		.read = values.read,
	};
	return 0;
}

/* ---- What may be ---- */

/* They become C strings, and are shown as JSON. */
static bool text_is_valid(const char *what, struct slice text, size_t max, char *ret_reason,
			  size_t size)
{
	if (text.size > max)
		(void)snprintf(ret_reason, size, "the %s is longer than %zu bytes", what, max);
	else if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)
		(void)snprintf(ret_reason, size, "the %s contains a zero byte", what);
	else if (!amqp_is_utf8(text))
		(void)snprintf(ret_reason, size, "the %s is not UTF-8", what);
	else
		return true;
	return false;
}

static bool name_is_valid(const char *what, struct slice name, char *ret_reason, size_t size)
{
	if (name.size > 0)
		return text_is_valid(what, name, ACCESS_NAME_MAX, ret_reason, size);
	(void)snprintf(ret_reason, size, "the %s is empty", what);
	return false;
}

bool account_view_is_valid(const struct account_view *account, char *ret_reason, size_t size)
{
	if (!name_is_valid("user's name", account->name, ret_reason, size) ||
	    !text_is_valid("list of tags", account->tags, ACCESS_TAGS_MAX, ret_reason, size) ||
	    !text_is_valid("password's hash", account->password_hash, ACCESS_HASH_MAX - 1,
			   ret_reason, size))
		return false;
	if (password_algorithm_name(account->algorithm) == NULL) {
		(void)snprintf(ret_reason, size, "the password's algorithm is not known");
		return false;
	}
	if (account->max_connections >= ACCESS_NO_LIMIT && account->max_channels >= ACCESS_NO_LIMIT)
		return true;
	(void)snprintf(ret_reason, size, "a limit is negative");
	return false;
}

bool permission_names_are_valid(struct slice vhost, struct slice user, struct slice exchange,
				char *ret_reason, size_t size)
{
	return name_is_valid("vhost's name", vhost, ret_reason, size) &&
	       name_is_valid("user's name", user, ret_reason, size) &&
	       text_is_valid("exchange's name", exchange, ACCESS_NAME_MAX, ret_reason, size);
}
