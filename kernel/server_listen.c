/* SPDX-License-Identifier: MIT */
#include "server_listen.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "conn/placement/placement.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/workers.h"
#include "net/range.h"

/* A ticket is good for two hours, with the key of its time or the one after that. */
#define LISTEN_TICKET_KEY_MS (UINT64_C(2) * 3600 * 1000)
/* More would not be faster, as the loops want the cores first. */
#define LISTEN_WORKERS_MAX 8u
/* On each loop, without having shown who they are: 3 MiB. */
#define LISTEN_ARRIVALS_MAX 4096u

/* ---- Certificates ---- */

static bool listen_has_tls(const struct config *config)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].is_tls)
			return true;
	return false;
}

/* "file:line: what is wrong", by the setting that has led there. */
static void listen_explain(const struct config *config, const struct tls_failure *failure,
			   char *ret_reason, size_t size)
{
	static const char *const keys[] = {
		[TLS_PART_CERTIFICATE] = "ssl_options.certfile",
		[TLS_PART_KEY] = "ssl_options.keyfile",
		[TLS_PART_AUTHORITIES] = "ssl_options.cacertfile",
		[TLS_PART_DH] = "ssl_options.dhfile",
		[TLS_PART_VERIFY] = "ssl_options.verify",
		[TLS_PART_VERSIONS] = "ssl_options.versions",
		[TLS_PART_CIPHERS] = "ssl_options.ciphers",
	};
	const char *where = config->tls.where[failure->part];

	if (failure->part == TLS_PART_KEY && where == NULL)
		where = config->tls.where[TLS_PART_CERTIFICATE];
	snprintf(ret_reason, size, "%s%s%s: %s", where != NULL ? where : "",
		 where != NULL ? ": " : "", keys[failure->part], failure->text);
}

static bool listen_speaks(const struct config *config, const char *version)
{
	const struct config_list *versions = &config->tls.versions;

	for (size_t i = 0; i < versions->n; i++)
		if (strcmp(versions->values[i], version) == 0)
			return true;
	return versions->n == 0;
}

/* *ret_tls stays NULL where there is nothing of TLS to be looked at. */
static int listen_load(const struct config *config, struct tls_tickets *tickets, SSL_CTX **ret_tls,
		       char *ret_reason, size_t size)
{
	const struct config_tls *tls = &config->tls;
	const struct tls_options options = {
		.certificate_file = tls->certificate_file,
		.key_file = tls->key_file,
		.password = tls->password,
		.authorities_file = tls->authorities_file,
		.dh_file = tls->dh_file,
		.verifies_peer = tls->verifies_peer,
		.demands_certificate = tls->demands_certificate,
		.depth = tls->depth,
		.has_1_2 = listen_speaks(config, "tlsv1.2"),
		.has_1_3 = listen_speaks(config, "tlsv1.3"),
		.ciphers = (const char *const *)tls->ciphers.values,
		.n_ciphers = tls->ciphers.n,
		.prefers_own_order = tls->prefers_own_order,
		.has_sessions = tls->has_sessions,
	};
	struct tls_failure failure;

	if (!listen_has_tls(config) && tls->certificate_file == NULL)
		return 0;
	if (tls_context_create(&options, tickets, &failure, ret_tls) == 0)
		return 0;
	listen_explain(config, &failure, ret_reason, size);
	return -1;
}

enum server_status server_listen_prepare(struct server_listen *listen, const struct config *config)
{
	char reason[CONFIG_ERROR_MAX];

	listen->tickets = tls_tickets_create(LISTEN_TICKET_KEY_MS);
	if (listen_load(config, listen->tickets, &listen->tls, reason, sizeof(reason)) == 0)
		return SERVER_OK;
	log_error("config", "%s", reason);
	return SERVER_CONFIG;
}

/* A connection that was accepted before keeps the context that it was given. */
int server_listen_reload(struct server_listen *listen, const struct config *fresh, char *ret_reason,
			 size_t size)
{
	SSL_CTX *tls = NULL;

	if (listen->workers == NULL)
		return 0;
	if (listen_load(fresh, listen->tickets, &tls, ret_reason, size) != 0)
		return -1;
	if (tls == NULL) {
		snprintf(ret_reason, size, "ssl_options.certfile is needed by listeners.ssl");
		return -1;
	}
	SSL_CTX_free(listen->tls);
	listen->tls = tls;
	return 0;
}

/* ---- Accepting ---- */

struct listen_accept {
	struct letter letter;
	struct server_listen *listen;
	int fd;
	SSL_CTX *tls; /* a reference */
};

static void listen_accept_deliver(struct letter *letter)
{
	struct listen_accept *accept = container_of(letter, struct listen_accept, letter);

	if (loop_pool_is_stopping()) {
		close(accept->fd);
		SSL_CTX_free(accept->tls);
	} else {
		arrivals_add(accept->listen->arrivals, accept->fd, accept->tls);
	}
	mem_free(accept);
}

/* Connections go round the loops in turn; some loops may be passed by. */
static void listen_accepted(struct server_listen *listen, int fd, SSL_CTX *tls)
{
	unsigned target = placement_accept(listen->connections, listen->next_loop++ % loop_count());
	struct listen_accept *accept;

	if (target == loop_index(loop_self())) {
		arrivals_add(listen->arrivals, fd, tls);
		return;
	}
	accept = mem_zalloc(sizeof(*accept));
	accept->letter.deliver = listen_accept_deliver;
	accept->listen = listen;
	accept->fd = fd;
	accept->tls = tls;
	loop_post(target, &accept->letter);
}

static void listen_accepted_plain(void *context, int fd, const struct sockaddr_storage *peer)
{
	(void)peer;
	listen_accepted(context, fd, NULL);
}

static void listen_accepted_tls(void *context, int fd, const struct sockaddr_storage *peer)
{
	struct server_listen *listen = context;

	(void)peer;
	(void)SSL_CTX_up_ref(listen->tls);
	listen_accepted(listen, fd, listen->tls);
}

static void listen_resting(void *context, bool resting, int error)
{
	(void)context;
	if (resting)
		log_warning("net", "accepting connections rests: reason=\"%s\"", strerror(error));
	else
		log_info("net", "accepting connections goes on");
}

static const struct listener_handler listen_plain = {
	.protocol = "amqp",
	.accepted = listen_accepted_plain,
	.resting = listen_resting,
};
static const struct listener_handler listen_tls = {
	.protocol = "amqp/ssl",
	.accepted = listen_accepted_tls,
	.resting = listen_resting,
};

/* Listeners are on loop 0, which may be another. They look again by themselves soon. */
void server_listen_again(void *context)
{
	struct server_listen *listen = context;

	if (loop_index(loop_self()) != 0)
		return;
	for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
		if (listen->listeners[i] != NULL && listener_is_resting(listen->listeners[i]))
			listener_resume(listen->listeners[i]);
}

/* ---- What arrives ---- */

static void listen_arrived(void *context, const struct arrived *arrived)
{
	struct server_listen *listen = context;

	conn_service_take(listen->connections, arrived);
}

/* What is wrong with a handshake is RabbitMQ's log_alert and log_level of ssl_options. */
static void listen_failed(void *context, const struct net_address *peer, const char *what,
			  const char *reason)
{
	static struct log_limit limit = LOG_LIMIT(20);
	const struct server_listen *listen = context;
	char text[NET_ADDRESS_TEXT_MAX];

	if (!listen->has_alert_log)
		return;
	net_address_print(peer, text);
	log_limited(&limit, LOG_LEVEL_WARNING, "net", "%s: peer=%s reason=\"%s\"", what, text,
		    reason);
}

static const struct arrivals_handler listen_arrivals = {
	.arrived = listen_arrived,
	.failed = listen_failed,
	.gone = server_listen_again,
};

/* Returns how many there are. */
static size_t listen_find_proxies(struct server_listen *listen, const struct config *config)
{
	static const char *const loopback[] = {"127.0.0.0/8", "::1"};
	const struct config_list *named = &config->proxies;
	size_t n = named->n != 0 ? named->n : 2;

	listen->proxies = mem_zalloc(n * sizeof(*listen->proxies));
	for (size_t i = 0; i < n; i++)
		bug_on(net_range_parse(named->n != 0 ? named->values[i] : loopback[i],
				       &listen->proxies[i]) != 0);
	return n;
}

static enum server_status listen_make_arrivals(struct server_listen *listen,
					       const struct config *config)
{
	unsigned n = loop_count() < LISTEN_WORKERS_MAX ? loop_count() : LISTEN_WORKERS_MAX;
	int result = listen_has_tls(config)
			     ? workers_create("tls", WORKERS_BEHIND, n, &listen->workers)
			     : 0;

	if (result != 0) {
		log_error("net", "cannot start threads: reason=\"%s\"", strerror(-result));
		return SERVER_OWN_FAULT;
	}
	listen->has_alert_log = config->tls.has_alert_log && !config->tls.has_quiet_log;
	listen->arrivals_config = (struct arrivals_config){
		.handler = &listen_arrivals,
		.context = listen,
		.workers = listen->workers,
		.timeout_ms = config->tls.handshake_timeout_ms != 0
				      ? config->tls.handshake_timeout_ms
				      : config->handshake_timeout_ms,
		.max = LISTEN_ARRIVALS_MAX,
		.expects_proxy = config->proxy_protocol,
		.n_trusted = listen_find_proxies(listen, config),
	};
	listen->arrivals_config.trusted = listen->proxies;
	listen->arrivals = arrivals_create(&listen->arrivals_config);
	return SERVER_OK;
}

/* ---- Listening ---- */

static enum server_status listen_at(struct server_listen *listen, size_t i,
				    const struct config *config)
{
	const struct listener_handler *handler =
		config->listeners[i].is_tls ? &listen_tls : &listen_plain;
	const char *address = config->listeners[i].address;
	char text[NET_ADDRESS_TEXT_MAX];
	int result = listener_create(slice_cstr(address), (int)config->backlog, handler, listen,
				     &listen->listeners[i]);

	if (result != 0) {
		log_error("net", "cannot listen: address=\"%s\" reason=\"%s\"", address,
			  strerror(-result));
		return SERVER_CONFIG;
	}
	net_address_print(listener_address(listen->listeners[i]), text);
	log_info("net", "listening: address=%s protocol=%s", text, handler->protocol);
	return SERVER_OK;
}

enum server_status server_listen_start(struct server_listen *listen, const struct config *config,
				       struct conn_service *connections)
{
	enum server_status status;

	listen->connections = connections;
	status = listen_make_arrivals(listen, config);
	for (size_t i = 0; status == SERVER_OK && i < config->n_listeners; i++)
		status = listen_at(listen, i, config);
	return status;
}

void server_listen_stop(struct server_listen *listen)
{
	for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++) {
		if (listen->listeners[i] != NULL)
			listener_destroy(listen->listeners[i]);
		listen->listeners[i] = NULL;
	}
}

void server_listen_cut(struct server_listen *listen)
{
	if (listen->arrivals != NULL)
		arrivals_cut(listen->arrivals);
}

void server_listen_end(struct server_listen *listen)
{
	workers_destroy(listen->workers);
	listen->workers = NULL;
}

void server_listen_fini(struct server_listen *listen)
{
	arrivals_destroy(listen->arrivals);
	mem_free(listen->proxies);
	SSL_CTX_free(listen->tls);
	tls_tickets_destroy(listen->tickets);
}
