/* SPDX-License-Identifier: MIT */
/*
 * Channel 0: from connection.start to connection.open-ok, and connection.close. AMQP 0-9-1
 * section 2.2.4; texts are RabbitMQ's (rabbit_reader).
 */
#include "conn/entry/handshake.h"

#include <errno.h>
#include <string.h>

#include "access/audit.h"
#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "base/buffer.h"
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "conn/channel.h"
#include "conn/connection.h"
#include "conn/entry/opening.h"
#include "conn/placement/pressure.h"

/* A login under way: in place until done(), or until its connection goes. */
struct handshake_login {
	struct access_login login;
	struct connection *connection;
	size_t size;
	char bytes[]; /* user and password, wiped at the end */
};

void handshake_prepare(const struct conn_settings *settings, struct buffer *ret_properties)
{
	static const char *const capabilities[] = {
		"publisher_confirms",		"exchange_exchange_bindings", "basic.nack",
		"consumer_cancel_notify",	"connection.blocked",	      "consumer_priorities",
		"authentication_failure_close", "per_consumer_qos",	      "direct_reply_to",
	};
	struct amqp_table_writer w;

	buffer_init(ret_properties);
	amqp_table_writer_init(&w, ret_properties);
	amqp_table_begin_table(&w, "capabilities");
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
		amqp_table_put_bool(&w, capabilities[i], true);
	amqp_table_end(&w);
	amqp_table_put_string(&w, "cluster_name", slice_cstr(settings->cluster_name));
	amqp_table_put_string(&w, "copyright", slice_cstr("Copyright (c) The Shunt authors"));
	amqp_table_put_string(&w, "information", slice_cstr("Licensed under the MIT licence"));
	amqp_table_put_string(&w, "platform", slice_cstr("C on Linux"));
	amqp_table_put_string(&w, "product", slice_cstr(settings->product));
	amqp_table_put_string(&w, "version", slice_cstr(settings->version));
	bug_on(amqp_table_writer_finish(&w) != 0);
}

void handshake_begin(struct connection *c)
{
	struct amqp_method m = {.id = AMQP_CONNECTION_START};
	char mechanisms[SASL_OFFER_MAX];

	sasl_offer(&c->service->settings.sasl, &c->peer, mechanisms);
	c->state = CONNECTION_START_OK;
	m.connection_start.version_major = 0;
	m.connection_start.version_minor = 9;
	m.connection_start.server_properties = buffer_slice(&c->service->server_properties);
	m.connection_start.mechanisms = slice_cstr(mechanisms);
	m.connection_start.locales = slice_cstr("en_US");
	connection_send(c, 0, &m);
}

/* ---- Logging in ---- */

static bool handshake_capability(struct slice capabilities, const char *name)
{
	struct amqp_value value;

	return amqp_table_find(capabilities, name, &value) && value.type == AMQP_VALUE_BOOL &&
	       value.boolean;
}

static int handshake_keep_properties(struct connection *c, struct slice properties)
{
	struct amqp_value value;

	c->client_properties = mem_alloc(sizeof(*c->client_properties));
	buffer_init(c->client_properties);
	buffer_append_slice(c->client_properties, properties);
	if (c->client_properties->failed)
		return -ENOMEM;
	if (amqp_table_find(properties, "capabilities", &value) && value.type == AMQP_VALUE_TABLE)
		c->capabilities = (struct connection_capabilities){
			.authentication_failure_close =
				handshake_capability(value.bytes, "authentication_failure_close"),
			.blocked = handshake_capability(value.bytes, "connection.blocked"),
			.consumer_cancel_notify =
				handshake_capability(value.bytes, "consumer_cancel_notify"),
		};
	c->capabilities.expects_qos_at_once = amqp_table_find(properties, "product", &value) &&
					      value.type == AMQP_VALUE_STRING &&
					      slice_equal(value.bytes, SLICE_LITERAL("py-amqp"));
	return 0;
}

/* Where from, and how; the user is whom the client claims to be. */
static void handshake_audit(const struct connection *c, const char *mechanism, struct slice user,
			    const char *reason)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char name[CONNECTION_NAME_MAX], quoted[400];
	struct audit_actor actor = {.by = user};

	if (!audit_is_on())
		return;
	connection_print_name(c, name);
	actor.from = slice_cstr(name);
	if (reason == NULL)
		audit(&actor, NULL, "user.authentication.success", "mechanism=\"%s\"", mechanism);
	else
		audit(&actor, &limit, "user.authentication.failure", "mechanism=\"%s\" reason=%s",
		      mechanism, log_quote(quoted, sizeof(quoted), slice_cstr(reason)));
}

/* The line begins as RabbitMQ's does, which is what operators look for. */
static void handshake_refuse(struct connection *c, const char *mechanism, const char *reason)
{
	static struct log_limit limit = LOG_LIMIT(20);
	struct amqp_error error = {.method_id = 0};
	char name[CONNECTION_NAME_MAX];

	connection_print_name(c, name);
	log_limited(&limit, LOG_LEVEL_WARNING, "conn",
		    "%s login refused: %s: name=\"%s\"", mechanism, reason, name);
	if (c->capabilities.authentication_failure_close) {
		amqp_error_set(&error, AMQP_ACCESS_REFUSED,
			       "Login was refused using authentication mechanism %s. For details "
			       "see the broker logfile.",
			       mechanism);
		connection_fail_silently(c, &error);
		return;
	}
	c->state = CONNECTION_CLOSING;
	pressure_resume(c, CONNECTION_PAUSE_LOGIN);
	connection_hold(c);
}

static void handshake_tune(struct connection *c)
{
	const struct conn_settings *settings = &c->service->settings;
	struct amqp_method m = {.id = AMQP_CONNECTION_TUNE};

	m.connection_tune.channel_max = settings->channel_max;
	m.connection_tune.frame_max = settings->frame_max;
	m.connection_tune.heartbeat = settings->heartbeat_s;
	c->state = CONNECTION_TUNE_OK;
	connection_send(c, 0, &m);
	pressure_resume(c, CONNECTION_PAUSE_LOGIN);
}

static void handshake_forget_login(struct access_login *login)
{
	struct handshake_login *attempt = container_of(login, struct handshake_login, login);

	attempt->connection->login = NULL;
	access_user_unref(login->result);
	explicit_bzero(attempt->bytes, attempt->size);
	mem_free(attempt);
}

/* The connection may have begun to close meanwhile. */
static void handshake_login_done(struct access_login *login)
{
	struct connection *c = container_of(login, struct handshake_login, login)->connection;
	const char *mechanism = login->mechanism;
	struct access_user *user = login->result != NULL ? access_user_ref(login->result) : NULL;
	char reason[sizeof(login->reason)];

	memcpy(reason, login->reason, sizeof(reason));
	handshake_audit(c, mechanism, user != NULL ? slice_cstr(user->name) : login->user,
			user != NULL ? NULL : reason);
	handshake_forget_login(login);
	if (c->state != CONNECTION_LOGIN) {
		access_user_unref(user);
	} else if (user != NULL) {
		c->user = user;
		handshake_tune(c);
	} else {
		handshake_refuse(c, mechanism, reason);
	}
}

void handshake_abandon_login(struct connection *c)
{
	struct access_login *login = c->login;

	if (login == NULL)
		return;
	access_abandon(login);
	handshake_forget_login(login);
}

static int handshake_login(struct connection *c, const char *mechanism,
			   const struct sasl_claim *claim, struct amqp_error *error)
{
	struct slice user = claim->user, password = claim->password;
	struct handshake_login *attempt =
		mem_try_zalloc(sizeof(*attempt) + user.size + password.size);

	if (attempt == NULL)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	attempt->size = user.size + password.size;
	if (user.size != 0)
		memcpy(attempt->bytes, user.data, user.size);
	if (password.size != 0)
		memcpy(attempt->bytes + user.size, password.data, password.size);
	attempt->connection = c;
	attempt->login = (struct access_login){
		.user = slice_make(attempt->bytes, user.size),
		.password = slice_make(attempt->bytes + user.size, password.size),
		.mechanism = mechanism,
		.is_proven = claim->is_proven,
		.peer = &c->peer,
		.done = handshake_login_done,
	};
	c->state = CONNECTION_LOGIN;
	c->login = &attempt->login;
	access_authenticate(c->service->access, &attempt->login);
	if (c->login != NULL) /* not done in the call */
		pressure_pause(c, CONNECTION_PAUSE_LOGIN);
	return 0;
}

static int handshake_begin_login(struct connection *c, const struct amqp_connection_start_ok *m,
				 struct amqp_error *error)
{
	const struct sasl_settings *settings = &c->service->settings.sasl;
	enum sasl_mechanism mechanism;
	struct sasl_claim claim;
	char quoted[300], reason[128];

	if (handshake_keep_properties(c, m->client_properties) != 0)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	if (!sasl_find(m->mechanism, &mechanism) ||
	    !sasl_is_offered(settings, mechanism, &c->peer)) {
		snprintf(quoted, sizeof(quoted), SLICE_FMT, SLICE_ARG(m->mechanism));
		return amqp_error_set(error, AMQP_COMMAND_INVALID,
				      "unknown authentication mechanism '%s'", quoted);
	}
	if (sasl_read(settings, mechanism, &c->peer, m->response, &claim, reason, sizeof(reason)) !=
	    0) {
		handshake_audit(c, sasl_name(mechanism), SLICE_EMPTY, reason);
		handshake_refuse(c, sasl_name(mechanism), reason);
		return 0;
	}
	return handshake_login(c, sasl_name(mechanism), &claim, error);
}

/* The frame is ours, in the loop's chunk or among the connection's bytes, and will be overwritten
 * some time: with a password in it, better now. */
static int handshake_start_ok(struct connection *c, const struct amqp_connection_start_ok *m,
			      struct amqp_error *error)
{
	int result = handshake_begin_login(c, m, error);

	if (m->response.size != 0)
		explicit_bzero((void *)(uintptr_t)m->response.data, m->response.size);
	return result;
}

/* ---- Tuning and opening ---- */

/* 0 means no limit, which is above every limit. */
static int handshake_negotiated(const char *what, uint32_t asked, uint32_t minimum,
				uint32_t offered, struct amqp_error *error)
{
	if (asked != 0 && asked < minimum)
		return amqp_error_set(
			error, AMQP_NOT_ALLOWED,
			"negotiated %s = %u is lower than the minimum allowed value (%u)", what,
			asked, minimum);
	if (offered != 0 && (asked == 0 || asked > offered))
		return amqp_error_set(
			error, AMQP_NOT_ALLOWED,
			"negotiated %s = %u%s is higher than the maximum allowed value (%u)", what,
			asked, asked == 0 ? " (no limit)" : "", offered);
	return 0;
}

static int handshake_tune_ok(struct connection *c, const struct amqp_connection_tune_ok *m,
			     struct amqp_error *error)
{
	const struct conn_settings *settings = &c->service->settings;

	if (handshake_negotiated("frame_max", m->frame_max, AMQP_FRAME_MIN_SIZE,
				 settings->frame_max, error) != 0 ||
	    handshake_negotiated("channel_max", m->channel_max, 0, settings->channel_max, error) !=
		    0)
		return -EPROTO;
	c->frame_max = m->frame_max;
	c->channel_max = m->channel_max;
	c->heartbeat_s = m->heartbeat;
	c->state = CONNECTION_OPEN;
	return 0;
}

static int handshake_unexpected(struct connection *c, struct amqp_error *error)
{
	static const char *const states[] = {
		[CONNECTION_START_OK] = "starting", [CONNECTION_LOGIN] = "securing",
		[CONNECTION_TUNE_OK] = "tuning",    [CONNECTION_OPEN] = "opening",
		[CONNECTION_RUNNING] = "running",
	};

	return amqp_error_set(error, AMQP_CHANNEL_ERROR, "unexpected method in connection state %s",
			      states[c->state]);
}

int handshake_method(struct connection *c, const struct amqp_method *m, struct amqp_error *error)
{
	struct amqp_method ok;

	if (m->id == AMQP_CONNECTION_CLOSE && c->state != CONNECTION_START_OK) {
		connection_answer_close(c);
		return 0;
	}
	if (c->state == CONNECTION_START_OK && m->id == AMQP_CONNECTION_START_OK)
		return handshake_start_ok(c, &m->connection_start_ok, error);
	if (c->state == CONNECTION_TUNE_OK && m->id == AMQP_CONNECTION_TUNE_OK)
		return handshake_tune_ok(c, &m->connection_tune_ok, error);
	if (c->state == CONNECTION_OPEN && m->id == AMQP_CONNECTION_OPEN)
		return opening_connection(c, &m->connection_open, error);
	if (c->state == CONNECTION_RUNNING && m->id == AMQP_CONNECTION_UPDATE_SECRET) {
		/* A password that was right stays right: there is nothing that would expire. As
		 * RabbitMQ's internal back end. */
		ok.id = AMQP_CONNECTION_UPDATE_SECRET_OK;
		connection_send(c, 0, &ok);
		return 0;
	}
	return handshake_unexpected(c, error);
}
