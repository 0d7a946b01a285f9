/* SPDX-License-Identifier: MIT */
#include "plugin/host.h"

#include <stdio.h>
#include <string.h>

#include "amqp/properties.h"
#include "amqp/table.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/argument_schema.h"
#include "broker/exchange_type.h"
#include "broker/router.h"
#include "loop/loop.h"
#include "plugin/host_argument.h"
#include "plugin/host_hold.h"
#include "plugin/loader.h"

#define EXCHANGE_TYPE_NAME_MAX 127

static struct slice host_slice(struct shunt_bytes bytes)
{
	return slice_make(bytes.data, bytes.size);
}

static struct shunt_bytes host_bytes(struct slice slice)
{
	return (struct shunt_bytes){slice.data, slice.size};
}

/* ---- Registering, configuration, log ---- */

/* What is wrong with it, or NULL. The size comes first: a smaller structure has not got the rest.
 * ABI 1.0 ended before routes_by_key; what a newer minor added is not looked at. */
static const char *host_fault_of_type(const struct shunt_exchange_type *type)
{
	if (type->size < offsetof(struct shunt_exchange_type, routes_by_key))
		return "struct shunt_exchange_type has another size";
	if (type->name == NULL || type->name[0] == '\0')
		return "an exchange type has no name";
	if (strlen(type->name) > EXCHANGE_TYPE_NAME_MAX)
		return "an exchange type has a name of more than 127 bytes";
	if (type->create == NULL || type->route == NULL || type->destroy == NULL)
		return "an exchange type lacks create, route or destroy";
	return NULL;
}

/* Its lists of arguments; of a newer minor, so they may not be there. */
static const char *host_fault_of_arguments(const struct shunt_exchange_type *type)
{
	const char *fault = NULL;

	if (SHUNT_HAS(type, struct shunt_exchange_type, declare_arguments))
		fault = argument_schema_fault(type->declare_arguments);
	if (fault == NULL && SHUNT_HAS(type, struct shunt_exchange_type, bind_arguments))
		fault = argument_schema_fault(type->bind_arguments);
	return fault;
}

static int host_register_exchange_type(const struct shunt_host *host,
				       const struct shunt_exchange_type *type,
				       struct shunt_error *error)
{
	const char *fault = host_fault_of_type(type);

	if (fault == NULL)
		fault = host_fault_of_arguments(type);
	if (fault == NULL)
		return plugin_add_exchange_type(plugin_of_host(host), type, error);
	error->code = SHUNT_INTERNAL_ERROR;
	snprintf(error->text, sizeof(error->text), "%s", fault);
	return -1;
}

static const char *host_config(const struct shunt_host *host, const char *key)
{
	return plugin_config(plugin_of_host(host), key);
}

static void host_log(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	static const enum log_level levels[] = {
		[SHUNT_LOG_ERROR] = LOG_LEVEL_ERROR,
		[SHUNT_LOG_WARNING] = LOG_LEVEL_WARNING,
		[SHUNT_LOG_INFO] = LOG_LEVEL_INFO,
		[SHUNT_LOG_DEBUG] = LOG_LEVEL_DEBUG,
	};

	if ((unsigned)level > SHUNT_LOG_DEBUG)
		level = SHUNT_LOG_INFO;
	log_write(levels[level], "plugin", "%s: %s", plugin_name(plugin_of_host(host)), text);
}

/* ---- Memory and hashing ---- */

static void *host_allocate(const struct shunt_host *host, size_t size)
{
	(void)host;
	return mem_try_alloc(size);
}

static void *host_reallocate(const struct shunt_host *host, void *memory, size_t size)
{
	(void)host;
	return mem_try_realloc(memory, size);
}

static void host_free(const struct shunt_host *host, void *memory)
{
	(void)host;
	mem_free(memory);
}

static uint64_t host_hash(const struct shunt_host *host, const void *data, size_t size)
{
	(void)host;
	return slice_hash(slice_make(data, size));
}

/* ---- Tables ---- */

static void host_value(const struct amqp_value *from, struct shunt_value *ret)
{
	*ret = (struct shunt_value){.type = from->type};
	switch ((enum amqp_value_type)from->type) {
	case AMQP_VALUE_BOOL:
		ret->boolean = from->boolean;
		break;
	case AMQP_VALUE_BYTE:
	case AMQP_VALUE_UNSIGNED_BYTE:
	case AMQP_VALUE_SHORT:
	case AMQP_VALUE_UNSIGNED_SHORT:
	case AMQP_VALUE_INT:
	case AMQP_VALUE_UNSIGNED_INT:
	case AMQP_VALUE_LONG:
	case AMQP_VALUE_LONG_ALSO:
		ret->integer = from->integer;
		break;
	case AMQP_VALUE_FLOAT:
	case AMQP_VALUE_DOUBLE:
		ret->real = from->real;
		break;
	case AMQP_VALUE_DECIMAL:
		ret->scale = from->decimal.scale;
		ret->integer = from->decimal.value;
		break;
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
	case AMQP_VALUE_ARRAY:
	case AMQP_VALUE_TABLE:
		ret->bytes = host_bytes(from->bytes);
		break;
	case AMQP_VALUE_TIMESTAMP:
		ret->integer = (int64_t)from->timestamp;
		break;
	case AMQP_VALUE_VOID:
		break;
	}
}

static bool host_table_next(const struct shunt_host *host, struct shunt_bytes table,
			    size_t *position, struct shunt_bytes *ret_name,
			    struct shunt_value *ret_value)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	(void)host;
	if (*position >= table.size)
		return false;
	amqp_table_iter_init(&iter, slice_make(table.data + *position, table.size - *position));
	if (amqp_table_iter_next(&iter, &key, &value) != 1)
		return false;
	*position = (size_t)(iter.reader.p - table.data);
	*ret_name = host_bytes(key);
	host_value(&value, ret_value);
	return true;
}

static bool host_table_find(const struct shunt_host *host, struct shunt_bytes table,
			    const char *name, struct shunt_value *ret_value)
{
	struct amqp_value value;

	(void)host;
	if (!amqp_table_find(host_slice(table), name, &value))
		return false;
	host_value(&value, ret_value);
	return true;
}

static bool host_array_next(const struct shunt_host *host, struct shunt_bytes array,
			    size_t *position, struct shunt_value *ret_value)
{
	struct amqp_array_iter iter;
	struct amqp_value value;

	(void)host;
	if (*position >= array.size)
		return false;
	amqp_array_iter_init(&iter, slice_make(array.data + *position, array.size - *position));
	if (amqp_array_iter_next(&iter, &value) != 1)
		return false;
	*position = (size_t)(iter.reader.p - array.data);
	host_value(&value, ret_value);
	return true;
}

/* ---- Messages ---- */

static bool host_properties(const struct shunt_message *view, struct amqp_properties *ret)
{
	const struct routed_message *routed = container_of(view, const struct routed_message, view);

	return amqp_properties_decode(ret, message_properties(routed->message)) == 0;
}

static struct shunt_bytes host_message_headers(const struct shunt_host *host,
					       const struct shunt_message *message)
{
	const struct routed_message *routed =
		container_of(message, const struct routed_message, view);
	struct amqp_properties properties;

	(void)host;
	amqp_properties_decode_to(&properties, message_properties(routed->message),
				  AMQP_PROPERTY_HEADERS);
	if (!amqp_properties_has(&properties, AMQP_PROPERTY_HEADERS))
		return (struct shunt_bytes){NULL, 0};
	return host_bytes(properties.headers);
}

static bool host_text(const struct amqp_properties *p, enum amqp_property property,
		      struct slice text, struct shunt_value *ret)
{
	if (!amqp_properties_has(p, property))
		return false;
	*ret = (struct shunt_value){.type = AMQP_VALUE_STRING, .bytes = host_bytes(text)};
	return true;
}

static bool host_number(const struct amqp_properties *p, enum amqp_property property, char type,
			uint64_t number, struct shunt_value *ret)
{
	if (!amqp_properties_has(p, property))
		return false;
	*ret = (struct shunt_value){.type = type, .integer = (int64_t)number};
	return true;
}

static bool host_message_property(const struct shunt_host *host,
				  const struct shunt_message *message, enum shunt_property property,
				  struct shunt_value *ret)
{
	struct amqp_properties p;

	(void)host;
	if (!host_properties(message, &p))
		return false;
	switch (property) {
	case SHUNT_CONTENT_TYPE:
		return host_text(&p, AMQP_PROPERTY_CONTENT_TYPE, p.content_type, ret);
	case SHUNT_CONTENT_ENCODING:
		return host_text(&p, AMQP_PROPERTY_CONTENT_ENCODING, p.content_encoding, ret);
	case SHUNT_DELIVERY_MODE:
		return host_number(&p, AMQP_PROPERTY_DELIVERY_MODE, AMQP_VALUE_UNSIGNED_BYTE,
				   p.delivery_mode, ret);
	case SHUNT_PRIORITY:
		return host_number(&p, AMQP_PROPERTY_PRIORITY, AMQP_VALUE_UNSIGNED_BYTE, p.priority,
				   ret);
	case SHUNT_CORRELATION_ID:
		return host_text(&p, AMQP_PROPERTY_CORRELATION_ID, p.correlation_id, ret);
	case SHUNT_REPLY_TO:
		return host_text(&p, AMQP_PROPERTY_REPLY_TO, p.reply_to, ret);
	case SHUNT_EXPIRATION:
		return host_text(&p, AMQP_PROPERTY_EXPIRATION, p.expiration, ret);
	case SHUNT_MESSAGE_ID:
		return host_text(&p, AMQP_PROPERTY_MESSAGE_ID, p.message_id, ret);
	case SHUNT_TIMESTAMP:
		return host_number(&p, AMQP_PROPERTY_TIMESTAMP, AMQP_VALUE_TIMESTAMP, p.timestamp,
				   ret);
	case SHUNT_TYPE:
		return host_text(&p, AMQP_PROPERTY_TYPE, p.type, ret);
	case SHUNT_USER_ID:
		return host_text(&p, AMQP_PROPERTY_USER_ID, p.user_id, ret);
	case SHUNT_APP_ID:
		return host_text(&p, AMQP_PROPERTY_APP_ID, p.app_id, ret);
	}
	return false;
}

/* ---- Loops ---- */

static unsigned host_loop_count(const struct shunt_host *host)
{
	(void)host;
	return loop_count();
}

static unsigned host_loop_index(const struct shunt_host *host)
{
	const struct loop *self = loop_self();

	(void)host;
	return self != NULL ? loop_index(self) : 0;
}

void host_init(struct shunt_host *host)
{
	*host = (struct shunt_host){
		.size = sizeof(*host),
		.abi_major = SHUNT_ABI_MAJOR,
		.abi_minor = SHUNT_ABI_MINOR,
		.broker_version = PACKAGE_VERSION,
		.register_exchange_type = host_register_exchange_type,
		.config = host_config,
		.log = host_log,
		.allocate = host_allocate,
		.reallocate = host_reallocate,
		.free = host_free,
		.hash = host_hash,
		.table_next = host_table_next,
		.table_find = host_table_find,
		.array_next = host_array_next,
		.message_headers = host_message_headers,
		.message_property = host_message_property,
		.loop_count = host_loop_count,
		.loop_index = host_loop_index,
		.argument = host_argument,
		.message_hold = host_message_hold,
		.message_release = host_message_release,
	};
}
