/* SPDX-License-Identifier: MIT */
/*
 * The protocol as data: every class, method, field and property of AMQP 0-9-1 with the extensions
 * of RabbitMQ. Structs, sizes, coding, dispatch and the fuzzers' grammar are generated from these
 * lists by the preprocessor; nothing about a method is written anywhere else.
 *
 * Names are those of the specification, with underscores. Sources: amqp0-9-1.xml, and for what
 * RabbitMQ adds (exchange.bind and unbind, basic.nack, confirm, connection.blocked, unblocked and
 * update-secret, auto-delete and internal exchanges) its amqp0-9-1.extended.xml. exchange.unbind-ok
 * is 51, not 41, as RabbitMQ has it.
 */
#ifndef KERNEL_AMQP_SPEC_H
#define KERNEL_AMQP_SPEC_H

/* clang-format off */

/* X(class, CLASS, class id) */
#define AMQP_CLASSES(X)				\
	X(connection, CONNECTION, 10)		\
	X(channel, CHANNEL, 20)			\
	X(access, ACCESS, 30)			\
	X(exchange, EXCHANGE, 40)		\
	X(queue, QUEUE, 50)			\
	X(basic, BASIC, 60)			\
	X(confirm, CONFIRM, 85)			\
	X(tx, TX, 90)

/*
 * X(class, method, CLASS, METHOD, class id, method id, sender, kind, content)
 *
 * sender:  CLIENT, SERVER, BOTH: who may send it
 * kind:    SYNC: the sender waits for an answer; ASYNC: all others, answers included
 * content: CONTENT: a content header and a body follow; PLAIN: nothing follows
 */
#define AMQP_METHODS(X)										\
	X(connection, start, CONNECTION, START, 10, 10, SERVER, SYNC, PLAIN)			\
	X(connection, start_ok, CONNECTION, START_OK, 10, 11, CLIENT, ASYNC, PLAIN)		\
	X(connection, secure, CONNECTION, SECURE, 10, 20, SERVER, SYNC, PLAIN)			\
	X(connection, secure_ok, CONNECTION, SECURE_OK, 10, 21, CLIENT, ASYNC, PLAIN)		\
	X(connection, tune, CONNECTION, TUNE, 10, 30, SERVER, SYNC, PLAIN)			\
	X(connection, tune_ok, CONNECTION, TUNE_OK, 10, 31, CLIENT, ASYNC, PLAIN)		\
	X(connection, open, CONNECTION, OPEN, 10, 40, CLIENT, SYNC, PLAIN)			\
	X(connection, open_ok, CONNECTION, OPEN_OK, 10, 41, SERVER, ASYNC, PLAIN)		\
	X(connection, close, CONNECTION, CLOSE, 10, 50, BOTH, SYNC, PLAIN)			\
	X(connection, close_ok, CONNECTION, CLOSE_OK, 10, 51, BOTH, ASYNC, PLAIN)		\
	X(connection, blocked, CONNECTION, BLOCKED, 10, 60, SERVER, ASYNC, PLAIN)		\
	X(connection, unblocked, CONNECTION, UNBLOCKED, 10, 61, SERVER, ASYNC, PLAIN)		\
	X(connection, update_secret, CONNECTION, UPDATE_SECRET, 10, 70, CLIENT, SYNC, PLAIN)	\
	X(connection, update_secret_ok, CONNECTION, UPDATE_SECRET_OK, 10, 71, SERVER, ASYNC, PLAIN) \
	X(channel, open, CHANNEL, OPEN, 20, 10, CLIENT, SYNC, PLAIN)				\
	X(channel, open_ok, CHANNEL, OPEN_OK, 20, 11, SERVER, ASYNC, PLAIN)			\
	X(channel, flow, CHANNEL, FLOW, 20, 20, BOTH, SYNC, PLAIN)				\
	X(channel, flow_ok, CHANNEL, FLOW_OK, 20, 21, BOTH, ASYNC, PLAIN)			\
	X(channel, close, CHANNEL, CLOSE, 20, 40, BOTH, SYNC, PLAIN)				\
	X(channel, close_ok, CHANNEL, CLOSE_OK, 20, 41, BOTH, ASYNC, PLAIN)			\
	X(access, request, ACCESS, REQUEST, 30, 10, CLIENT, SYNC, PLAIN)			\
	X(access, request_ok, ACCESS, REQUEST_OK, 30, 11, SERVER, ASYNC, PLAIN)			\
	X(exchange, declare, EXCHANGE, DECLARE, 40, 10, CLIENT, SYNC, PLAIN)			\
	X(exchange, declare_ok, EXCHANGE, DECLARE_OK, 40, 11, SERVER, ASYNC, PLAIN)		\
	X(exchange, delete, EXCHANGE, DELETE, 40, 20, CLIENT, SYNC, PLAIN)			\
	X(exchange, delete_ok, EXCHANGE, DELETE_OK, 40, 21, SERVER, ASYNC, PLAIN)		\
	X(exchange, bind, EXCHANGE, BIND, 40, 30, CLIENT, SYNC, PLAIN)				\
	X(exchange, bind_ok, EXCHANGE, BIND_OK, 40, 31, SERVER, ASYNC, PLAIN)			\
	X(exchange, unbind, EXCHANGE, UNBIND, 40, 40, CLIENT, SYNC, PLAIN)			\
	X(exchange, unbind_ok, EXCHANGE, UNBIND_OK, 40, 51, SERVER, ASYNC, PLAIN)		\
	X(queue, declare, QUEUE, DECLARE, 50, 10, CLIENT, SYNC, PLAIN)				\
	X(queue, declare_ok, QUEUE, DECLARE_OK, 50, 11, SERVER, ASYNC, PLAIN)			\
	X(queue, bind, QUEUE, BIND, 50, 20, CLIENT, SYNC, PLAIN)				\
	X(queue, bind_ok, QUEUE, BIND_OK, 50, 21, SERVER, ASYNC, PLAIN)				\
	X(queue, purge, QUEUE, PURGE, 50, 30, CLIENT, SYNC, PLAIN)				\
	X(queue, purge_ok, QUEUE, PURGE_OK, 50, 31, SERVER, ASYNC, PLAIN)			\
	X(queue, delete, QUEUE, DELETE, 50, 40, CLIENT, SYNC, PLAIN)				\
	X(queue, delete_ok, QUEUE, DELETE_OK, 50, 41, SERVER, ASYNC, PLAIN)			\
	X(queue, unbind, QUEUE, UNBIND, 50, 50, CLIENT, SYNC, PLAIN)				\
	X(queue, unbind_ok, QUEUE, UNBIND_OK, 50, 51, SERVER, ASYNC, PLAIN)			\
	X(basic, qos, BASIC, QOS, 60, 10, CLIENT, SYNC, PLAIN)					\
	X(basic, qos_ok, BASIC, QOS_OK, 60, 11, SERVER, ASYNC, PLAIN)				\
	X(basic, consume, BASIC, CONSUME, 60, 20, CLIENT, SYNC, PLAIN)				\
	X(basic, consume_ok, BASIC, CONSUME_OK, 60, 21, SERVER, ASYNC, PLAIN)			\
	X(basic, cancel, BASIC, CANCEL, 60, 30, BOTH, SYNC, PLAIN)				\
	X(basic, cancel_ok, BASIC, CANCEL_OK, 60, 31, BOTH, ASYNC, PLAIN)			\
	X(basic, publish, BASIC, PUBLISH, 60, 40, CLIENT, ASYNC, CONTENT)			\
	X(basic, return, BASIC, RETURN, 60, 50, SERVER, ASYNC, CONTENT)				\
	X(basic, deliver, BASIC, DELIVER, 60, 60, SERVER, ASYNC, CONTENT)			\
	X(basic, get, BASIC, GET, 60, 70, CLIENT, SYNC, PLAIN)					\
	X(basic, get_ok, BASIC, GET_OK, 60, 71, SERVER, ASYNC, CONTENT)				\
	X(basic, get_empty, BASIC, GET_EMPTY, 60, 72, SERVER, ASYNC, PLAIN)			\
	X(basic, ack, BASIC, ACK, 60, 80, BOTH, ASYNC, PLAIN)					\
	X(basic, reject, BASIC, REJECT, 60, 90, CLIENT, ASYNC, PLAIN)				\
	X(basic, recover_async, BASIC, RECOVER_ASYNC, 60, 100, CLIENT, ASYNC, PLAIN)		\
	X(basic, recover, BASIC, RECOVER, 60, 110, CLIENT, SYNC, PLAIN)				\
	X(basic, recover_ok, BASIC, RECOVER_OK, 60, 111, SERVER, ASYNC, PLAIN)			\
	X(basic, nack, BASIC, NACK, 60, 120, BOTH, ASYNC, PLAIN)				\
	X(confirm, select, CONFIRM, SELECT, 85, 10, CLIENT, SYNC, PLAIN)			\
	X(confirm, select_ok, CONFIRM, SELECT_OK, 85, 11, SERVER, ASYNC, PLAIN)			\
	X(tx, select, TX, SELECT, 90, 10, CLIENT, SYNC, PLAIN)					\
	X(tx, select_ok, TX, SELECT_OK, 90, 11, SERVER, ASYNC, PLAIN)				\
	X(tx, commit, TX, COMMIT, 90, 20, CLIENT, SYNC, PLAIN)					\
	X(tx, commit_ok, TX, COMMIT_OK, 90, 21, SERVER, ASYNC, PLAIN)				\
	X(tx, rollback, TX, ROLLBACK, 90, 30, CLIENT, SYNC, PLAIN)				\
	X(tx, rollback_ok, TX, ROLLBACK_OK, 90, 31, SERVER, ASYNC, PLAIN)

/*
 * AMQP_FIELDS_<class>_<method>(F): F(type, name) for each field in the order of the wire.
 *
 * type: octet, short, long, longlong, bit (up to eight in a row share an octet), shortstr, text
 * (a shortstr that must be UTF-8: RabbitMQ refuses any other, except in the methods that carry
 * content), longstr, table.
 */
#define AMQP_FIELDS_connection_start(F)		\
	F(octet, version_major)			\
	F(octet, version_minor)			\
	F(table, server_properties)		\
	F(longstr, mechanisms)			\
	F(longstr, locales)
#define AMQP_FIELDS_connection_start_ok(F)	\
	F(table, client_properties)		\
	F(text, mechanism)			\
	F(longstr, response)			\
	F(text, locale)
#define AMQP_FIELDS_connection_secure(F)	\
	F(longstr, challenge)
#define AMQP_FIELDS_connection_secure_ok(F)	\
	F(longstr, response)
#define AMQP_FIELDS_connection_tune(F)		\
	F(short, channel_max)			\
	F(long, frame_max)			\
	F(short, heartbeat)
#define AMQP_FIELDS_connection_tune_ok(F)	\
	F(short, channel_max)			\
	F(long, frame_max)			\
	F(short, heartbeat)
#define AMQP_FIELDS_connection_open(F)		\
	F(text, virtual_host)			\
	F(text, reserved_1)			\
	F(bit, reserved_2)
#define AMQP_FIELDS_connection_open_ok(F)	\
	F(text, reserved_1)
#define AMQP_FIELDS_connection_close(F)		\
	F(short, reply_code)			\
	F(text, reply_text)			\
	F(short, class_id)			\
	F(short, method_id)
#define AMQP_FIELDS_connection_close_ok(F)
#define AMQP_FIELDS_connection_blocked(F)	\
	F(text, reason)
#define AMQP_FIELDS_connection_unblocked(F)
#define AMQP_FIELDS_connection_update_secret(F)	\
	F(longstr, new_secret)			\
	F(text, reason)
#define AMQP_FIELDS_connection_update_secret_ok(F)

#define AMQP_FIELDS_channel_open(F)		\
	F(text, reserved_1)
#define AMQP_FIELDS_channel_open_ok(F)		\
	F(longstr, reserved_1)
#define AMQP_FIELDS_channel_flow(F)		\
	F(bit, active)
#define AMQP_FIELDS_channel_flow_ok(F)		\
	F(bit, active)
#define AMQP_FIELDS_channel_close(F)		\
	F(short, reply_code)			\
	F(text, reply_text)			\
	F(short, class_id)			\
	F(short, method_id)
#define AMQP_FIELDS_channel_close_ok(F)

#define AMQP_FIELDS_access_request(F)		\
	F(text, realm)				\
	F(bit, exclusive)			\
	F(bit, passive)				\
	F(bit, active)				\
	F(bit, write)				\
	F(bit, read)
#define AMQP_FIELDS_access_request_ok(F)	\
	F(short, ticket)

#define AMQP_FIELDS_exchange_declare(F)		\
	F(short, reserved_1)			\
	F(text, exchange)			\
	F(text, type)				\
	F(bit, passive)				\
	F(bit, durable)				\
	F(bit, auto_delete)			\
	F(bit, internal)			\
	F(bit, no_wait)				\
	F(table, arguments)
#define AMQP_FIELDS_exchange_declare_ok(F)
#define AMQP_FIELDS_exchange_delete(F)		\
	F(short, reserved_1)			\
	F(text, exchange)			\
	F(bit, if_unused)			\
	F(bit, no_wait)
#define AMQP_FIELDS_exchange_delete_ok(F)
#define AMQP_FIELDS_exchange_bind(F)		\
	F(short, reserved_1)			\
	F(text, destination)			\
	F(text, source)				\
	F(text, routing_key)			\
	F(bit, no_wait)				\
	F(table, arguments)
#define AMQP_FIELDS_exchange_bind_ok(F)
#define AMQP_FIELDS_exchange_unbind(F)		\
	F(short, reserved_1)			\
	F(text, destination)			\
	F(text, source)				\
	F(text, routing_key)			\
	F(bit, no_wait)				\
	F(table, arguments)
#define AMQP_FIELDS_exchange_unbind_ok(F)

#define AMQP_FIELDS_queue_declare(F)		\
	F(short, reserved_1)			\
	F(text, queue)				\
	F(bit, passive)				\
	F(bit, durable)				\
	F(bit, exclusive)			\
	F(bit, auto_delete)			\
	F(bit, no_wait)				\
	F(table, arguments)
#define AMQP_FIELDS_queue_declare_ok(F)		\
	F(text, queue)				\
	F(long, message_count)			\
	F(long, consumer_count)
#define AMQP_FIELDS_queue_bind(F)		\
	F(short, reserved_1)			\
	F(text, queue)				\
	F(text, exchange)			\
	F(text, routing_key)			\
	F(bit, no_wait)				\
	F(table, arguments)
#define AMQP_FIELDS_queue_bind_ok(F)
#define AMQP_FIELDS_queue_purge(F)		\
	F(short, reserved_1)			\
	F(text, queue)				\
	F(bit, no_wait)
#define AMQP_FIELDS_queue_purge_ok(F)		\
	F(long, message_count)
#define AMQP_FIELDS_queue_delete(F)		\
	F(short, reserved_1)			\
	F(text, queue)				\
	F(bit, if_unused)			\
	F(bit, if_empty)			\
	F(bit, no_wait)
#define AMQP_FIELDS_queue_delete_ok(F)		\
	F(long, message_count)
#define AMQP_FIELDS_queue_unbind(F)		\
	F(short, reserved_1)			\
	F(text, queue)				\
	F(text, exchange)			\
	F(text, routing_key)			\
	F(table, arguments)
#define AMQP_FIELDS_queue_unbind_ok(F)

#define AMQP_FIELDS_basic_qos(F)		\
	F(long, prefetch_size)			\
	F(short, prefetch_count)		\
	F(bit, global)
#define AMQP_FIELDS_basic_qos_ok(F)
#define AMQP_FIELDS_basic_consume(F)		\
	F(short, reserved_1)			\
	F(text, queue)				\
	F(text, consumer_tag)			\
	F(bit, no_local)			\
	F(bit, no_ack)				\
	F(bit, exclusive)			\
	F(bit, no_wait)				\
	F(table, arguments)
#define AMQP_FIELDS_basic_consume_ok(F)		\
	F(text, consumer_tag)
#define AMQP_FIELDS_basic_cancel(F)		\
	F(text, consumer_tag)			\
	F(bit, no_wait)
#define AMQP_FIELDS_basic_cancel_ok(F)		\
	F(text, consumer_tag)
#define AMQP_FIELDS_basic_publish(F)		\
	F(short, reserved_1)			\
	F(shortstr, exchange)			\
	F(shortstr, routing_key)		\
	F(bit, mandatory)			\
	F(bit, immediate)
#define AMQP_FIELDS_basic_return(F)		\
	F(short, reply_code)			\
	F(shortstr, reply_text)			\
	F(shortstr, exchange)			\
	F(shortstr, routing_key)
#define AMQP_FIELDS_basic_deliver(F)		\
	F(shortstr, consumer_tag)		\
	F(longlong, delivery_tag)		\
	F(bit, redelivered)			\
	F(shortstr, exchange)			\
	F(shortstr, routing_key)
#define AMQP_FIELDS_basic_get(F)		\
	F(short, reserved_1)			\
	F(text, queue)				\
	F(bit, no_ack)
#define AMQP_FIELDS_basic_get_ok(F)		\
	F(longlong, delivery_tag)		\
	F(bit, redelivered)			\
	F(shortstr, exchange)			\
	F(shortstr, routing_key)		\
	F(long, message_count)
#define AMQP_FIELDS_basic_get_empty(F)		\
	F(text, reserved_1)
#define AMQP_FIELDS_basic_ack(F)		\
	F(longlong, delivery_tag)		\
	F(bit, multiple)
#define AMQP_FIELDS_basic_reject(F)		\
	F(longlong, delivery_tag)		\
	F(bit, requeue)
#define AMQP_FIELDS_basic_recover_async(F)	\
	F(bit, requeue)
#define AMQP_FIELDS_basic_recover(F)		\
	F(bit, requeue)
#define AMQP_FIELDS_basic_recover_ok(F)
#define AMQP_FIELDS_basic_nack(F)		\
	F(longlong, delivery_tag)		\
	F(bit, multiple)			\
	F(bit, requeue)

#define AMQP_FIELDS_confirm_select(F)		\
	F(bit, no_wait)
#define AMQP_FIELDS_confirm_select_ok(F)

#define AMQP_FIELDS_tx_select(F)
#define AMQP_FIELDS_tx_select_ok(F)
#define AMQP_FIELDS_tx_commit(F)
#define AMQP_FIELDS_tx_commit_ok(F)
#define AMQP_FIELDS_tx_rollback(F)
#define AMQP_FIELDS_tx_rollback_ok(F)

/* P(type, name, NAME, bit in the flag word): the properties of class basic, in wire order */
#define AMQP_PROPERTIES(P)					\
	P(shortstr, content_type, CONTENT_TYPE, 15)		\
	P(shortstr, content_encoding, CONTENT_ENCODING, 14)	\
	P(table, headers, HEADERS, 13)				\
	P(octet, delivery_mode, DELIVERY_MODE, 12)		\
	P(octet, priority, PRIORITY, 11)			\
	P(shortstr, correlation_id, CORRELATION_ID, 10)		\
	P(shortstr, reply_to, REPLY_TO, 9)			\
	P(shortstr, expiration, EXPIRATION, 8)			\
	P(shortstr, message_id, MESSAGE_ID, 7)			\
	P(longlong, timestamp, TIMESTAMP, 6)			\
	P(shortstr, type, TYPE, 5)				\
	P(shortstr, user_id, USER_ID, 4)			\
	P(shortstr, app_id, APP_ID, 3)				\
	P(shortstr, cluster_id, CLUSTER_ID, 2)

/* X(NAME, code, scope): the reply codes; SOFT ends the channel, HARD the connection */
#define AMQP_REPLY_CODES(X)			\
	X(CONTENT_TOO_LARGE, 311, SOFT)		\
	X(NO_ROUTE, 312, SOFT)			\
	X(NO_CONSUMERS, 313, SOFT)		\
	X(CONNECTION_FORCED, 320, HARD)		\
	X(INVALID_PATH, 402, HARD)		\
	X(ACCESS_REFUSED, 403, SOFT)		\
	X(NOT_FOUND, 404, SOFT)			\
	X(RESOURCE_LOCKED, 405, SOFT)		\
	X(PRECONDITION_FAILED, 406, SOFT)	\
	X(FRAME_ERROR, 501, HARD)		\
	X(SYNTAX_ERROR, 502, HARD)		\
	X(COMMAND_INVALID, 503, HARD)		\
	X(CHANNEL_ERROR, 504, HARD)		\
	X(UNEXPECTED_FRAME, 505, HARD)		\
	X(RESOURCE_ERROR, 506, HARD)		\
	X(NOT_ALLOWED, 530, HARD)		\
	X(NOT_IMPLEMENTED, 540, HARD)		\
	X(INTERNAL_ERROR, 541, HARD)

/* What a field's type is in a struct. Strings and tables are borrowed. */
#define AMQP_CTYPE_octet uint8_t
#define AMQP_CTYPE_short uint16_t
#define AMQP_CTYPE_long uint32_t
#define AMQP_CTYPE_longlong uint64_t
#define AMQP_CTYPE_bit bool
#define AMQP_CTYPE_shortstr struct slice
#define AMQP_CTYPE_text struct slice
#define AMQP_CTYPE_longstr struct slice
#define AMQP_CTYPE_table struct slice

/* clang-format on */

#endif
