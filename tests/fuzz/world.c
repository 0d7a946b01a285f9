/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/access.h"
#include "access/accounts.h"
#include "amqp/frame.h"
#include "amqp/method.h"
#include "amqp/properties.h"
#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/alarm.h"
#include "broker/broker.h"
#include "broker/change/declare.h"
#include "broker/queue/queue.h"
#include "broker/queue/log.h"
#include "broker/router/router.h"
#include "broker/topology/topology.h"
#include "conn/connection.h"
#include "conn/service.h"
#include "fuzz.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "plugin/loader.h"
#include "store/store.h"
#include "wishes.h"

/* A queue's deletion runs over many turns when it is long; more turns than this are a live-lock. */
#define SETTLE_TURNS_MAX 200000u
#define SPARE_BYTES_MAX	 (1u << 20) /* what the loops' pools may keep */
#define PREDECLARED	 7u	    /* exchanges */

struct world_peer world_peers[WORLD_PEERS];

static struct store *store;
static struct broker *broker;
static struct conn_service *service;
static struct vhost *vhost;
static char queue_name[256], reply_name[256];
static int descriptor; /* the lowest that was free in the beginning */
static int fail_at = -1;
static bool has_failed; /* memory, in this input */

/* ---- The beginning ---- */

/* Where the build has put the plugins: ../../modules, seen from this program. */
static void find_plugins(char *ret_path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret_path, size - 1);

	fuzz_check(n > 0);
	ret_path[n] = '\0';
	for (int i = 0; i < 3; i++) {
		char *slash = strrchr(ret_path, '/');

		fuzz_check(slash != NULL);
		*slash = '\0';
	}
	n = (ssize_t)strlen(ret_path);
	(void)snprintf(ret_path + n, size - (size_t)n, "/modules");
}

static void load_plugins(void)
{
	static const char *const names[] = {
		"exchange-direct",	    "exchange-fanout", "exchange-headers",
		"exchange-topic",	    "exchange-random", "exchange-consistent-hash",
		"exchange-recent-history", "exchange-modulus-hash"};
	static char directory[4096];
	struct plugins *plugins;
	char reason[512];

	find_plugins(directory, sizeof(directory));
	plugins = plugins_create(&(struct plugins_config){
		.topology = broker->topology,
		.directory = directory,
	});
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (plugins_load(plugins, names[i], NULL, reason, sizeof(reason)) == 0)
			continue;
		(void)fprintf(stderr, "%s: %s\n", names[i], reason);
		abort();
	}
}

/* The lowest free one: the same before and after an input. */
static int lowest_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	fuzz_check(fd >= 0);
	(void)close(fd);
	return fd;
}

static void create(void)
{
	static const char *const loopback[] = {"guest", NULL};
	static const struct access_config users = {
		.loopback_users = loopback,
	};
	static const struct access_first first = {
		.user = "guest",
		.pass = "guest",
		.tags = "administrator",
		.vhost = "/",
		.configure = ".*",
		.write = ".*",
		.read = ".*",
	};
	static const struct conn_settings settings = {
		.channel_max = WORLD_CHANNELS,
		.heartbeat_s = 60,
		.frame_max = 131072,
		.handshake_timeout_ms = 600000,
		.max_message_size = 1u << 20,
		.product = "Shunt",
		.version = "0",
		.cluster_name = "fuzz",
		.placement = PLACEMENT_RESTLESS,
	};

	struct access *access;
	char reason[256];

	(void)signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
	fuzz_check(loop_pool_create(WORLD_LOOPS) == 0);
	store = store_memory_create(WORLD_LOOPS);
	broker = broker_create(WORLD_LOOPS, store, "/");
	load_plugins();
	access = access_create(&users);
	fuzz_check(accounts_restore(access, store, &first, reason, sizeof(reason)) == 0);
	service = conn_service_create(broker, access, &settings, WORLD_LOOPS);
	vhost = topology_vhost(broker->topology, SLICE_LITERAL("/"));
	for (unsigned i = 0; i < WORLD_PEERS; i++) {
		world_peers[i].fd = -1;
		world_peers[i].loop = i % WORLD_LOOPS;
	}
}

void world_begin(void)
{
	if (broker == NULL)
		create();
	descriptor = lowest_descriptor();
	has_failed = false;
}

struct slice world_queue_name(void)
{
	return slice_cstr(queue_name);
}

struct slice world_reply_name(void)
{
	return slice_cstr(reply_name);
}

void world_limit_memory(uint64_t bytes)
{
	alarms_set_memory_limit(broker->alarms, bytes);
}

void world_fail_memory(int n)
{
	fail_at = n;
	has_failed = true;
}

static void shutdown_here(void *cut)
{
	struct conn_loop *home = conn_loop_self(service);

	if (*(bool *)cut)
		conn_service_cut(service);
	else
		conn_service_shutdown(service, 600000);
	home->is_stopping = false;
}

void world_shutdown(unsigned loop, bool cut)
{
	loop_pool_visit(loop, shutdown_here, &cut);
}

/* ---- Clients ---- */

static void accept_here(void *fd)
{
	conn_service_accept(service, *(int *)fd);
}

void world_connect(struct world_peer *peer)
{
	int fds[2];

	fuzz_check(peer->fd < 0);
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	peer->fd = fds[0];
	peer->is_deaf = false;
	peer->wants_protocol_header = true;
	peer->frame_max = 0;
	memset(peer->contents, 0, sizeof(peer->contents));
	buffer_init(&peer->in);
	buffer_init(&peer->out);
	loop_pool_visit(peer->loop, accept_here, &fds[1]);
}

static void forget(struct world_peer *peer)
{
	if (peer->fd < 0)
		return;
	(void)close(peer->fd);
	peer->fd = -1;
	buffer_fini(&peer->in);
	buffer_fini(&peer->out);
}

static void write_out(struct world_peer *peer)
{
	ssize_t n;

	if (peer->fd < 0 || peer->out.size == 0)
		return;
	n = write(peer->fd, peer->out.data, peer->out.size);
	if (n > 0) {
		memmove(peer->out.data, peer->out.data + n, peer->out.size - (size_t)n);
		peer->out.size -= (size_t)n;
	} else if (errno != EAGAIN) {
		peer->out.size = 0;
	}
}

void world_disconnect(struct world_peer *peer, bool hard)
{
	if (peer->fd < 0)
		return;
	if (!hard) {
		write_out(peer);
		(void)shutdown(peer->fd, SHUT_WR);
		world_turn(peer->loop);
	}
	forget(peer);
}

void world_send(struct world_peer *peer, struct slice bytes)
{
	if (peer->fd >= 0)
		buffer_append_slice(&peer->out, bytes);
}

static void send_method(struct world_peer *peer, uint16_t channel, const struct amqp_method *method)
{
	uint8_t bytes[1024];
	size_t size = amqp_method_size(method) + AMQP_FRAME_OVERHEAD;
	struct amqp_writer w;

	fuzz_check(size <= sizeof(bytes));
	amqp_writer_init(&w, bytes, size);
	amqp_frame_put_method(&w, channel, method);
	world_send(peer, slice_make(bytes, size));
}

/* ---- What the broker says ---- */

static void note_name(char *name, struct slice bytes)
{
	if (bytes.size == 0 || bytes.size >= 256 || memchr(bytes.data, '\0', bytes.size))
		return;
	memcpy(name, bytes.data, bytes.size);
	name[bytes.size] = '\0';
}

static void answer(struct world_peer *peer, uint16_t channel, uint32_t id)
{
	struct amqp_method m = {.id = id == AMQP_CHANNEL_CLOSE ? AMQP_CHANNEL_CLOSE_OK
							       : AMQP_CONNECTION_CLOSE_OK};

	if (!peer->is_polite)
		return;
	send_method(peer, channel, &m);
	if (id == AMQP_CHANNEL_CLOSE) {
		memset(&m, 0, sizeof(m));
		m.id = AMQP_CHANNEL_OPEN;
		send_method(peer, channel, &m);
	}
}

static void check_method(struct world_peer *peer, const struct amqp_frame *frame)
{
	struct world_content *content = &peer->contents[frame->channel];
	struct amqp_method m;

	fuzz_check(!content->wants_header && content->missing == 0);
	fuzz_check(amqp_method_decode(&m, frame->payload) == 0);
	fuzz_check(amqp_method_is_from_server(m.id));
	fuzz_check((frame->channel == 0) == (amqp_method_class(m.id) == AMQP_CLASS_CONNECTION));
	content->wants_header = amqp_method_is_content(m.id);
	if (m.id == AMQP_QUEUE_DECLARE_OK)
		note_name(queue_name, m.queue_declare_ok.queue);
	if (m.id == AMQP_CHANNEL_CLOSE || m.id == AMQP_CONNECTION_CLOSE) {
		uint16_t code = m.id == AMQP_CHANNEL_CLOSE ? m.channel_close.reply_code
							   : m.connection_close.reply_code;

		fuzz_check(code != AMQP_INTERNAL_ERROR || has_failed);
		fuzz_check(amqp_error_is_soft(code) == (m.id == AMQP_CHANNEL_CLOSE) ||
			   code == AMQP_ACCESS_REFUSED);
		answer(peer, frame->channel, m.id);
	}
}

static void check_header(struct world_peer *peer, const struct amqp_frame *frame)
{
	struct world_content *content = &peer->contents[frame->channel];
	struct amqp_content_header header;
	struct amqp_properties properties;

	fuzz_check(content->wants_header);
	fuzz_check(amqp_content_header_decode(&header, frame->payload) == 0);
	fuzz_check(header.class_id == AMQP_CLASS_BASIC);
	fuzz_check(amqp_properties_decode(&properties, header.properties) == 0);
	if (amqp_properties_has(&properties, AMQP_PROPERTY_REPLY_TO) &&
	    slice_starts_with(properties.reply_to, SLICE_LITERAL(ROUTER_REPLY_PREFIX)))
		note_name(reply_name, properties.reply_to);
	content->wants_header = false;
	content->missing = header.body_size;
}

static void check_frame(struct world_peer *peer, const struct amqp_frame *frame)
{
	struct world_content *content;

	if (frame->type == AMQP_FRAME_HEARTBEAT) {
		fuzz_check(frame->channel == 0 && frame->payload.size == 0);
		return;
	}
	fuzz_check(frame->channel < WORLD_CHANNELS);
	content = &peer->contents[frame->channel];
	if (frame->type == AMQP_FRAME_METHOD) {
		check_method(peer, frame);
	} else if (frame->type == AMQP_FRAME_HEADER) {
		check_header(peer, frame);
	} else {
		fuzz_check(!content->wants_header && frame->payload.size > 0);
		fuzz_check(frame->payload.size <= content->missing);
		content->missing -= frame->payload.size;
	}
}

static void check_in(struct world_peer *peer)
{
	struct slice in = buffer_slice(&peer->in);
	struct amqp_frame frame;
	size_t used;

	if (peer->wants_protocol_header && in.size > 0 && in.data[0] == 'A') {
		if (in.size < AMQP_PROTOCOL_HEADER_SIZE)
			return;
		fuzz_check(memcmp(in.data, amqp_protocol_header, AMQP_PROTOCOL_HEADER_SIZE) == 0);
		in = slice_make(in.data + AMQP_PROTOCOL_HEADER_SIZE,
				in.size - AMQP_PROTOCOL_HEADER_SIZE);
		fuzz_check(in.size == 0);
	}
	while (in.size > 0) {
		int result = amqp_frame_parse(in, 0, &frame, &used);

		fuzz_check(result >= 0);
		if (result == 0)
			break;
		peer->wants_protocol_header = false;
		fuzz_check(peer->frame_max == 0 || used <= peer->frame_max);
		check_frame(peer, &frame);
		in = slice_make(in.data + used, in.size - used);
	}
	if (in.size > 0)
		memmove(peer->in.data, in.data, in.size);
	peer->in.size = in.size;
}

/* Returns whether anything came, the end included. */
static bool read_in(struct world_peer *peer)
{
	static uint8_t bytes[65536];
	bool any = false;
	ssize_t n;

	if (peer->fd < 0 || peer->is_deaf)
		return false;
	while ((n = read(peer->fd, bytes, sizeof(bytes))) > 0) {
		any = true;
		buffer_append(&peer->in, bytes, (size_t)n);
		check_in(peer);
	}
	if (n == 0 || errno != EAGAIN) {
		forget(peer);
		return true;
	}
	return any;
}

/* ---- Turning ---- */

static void turn_here(void *unused)
{
	(void)unused;
	mem_fault_after(fail_at);
	loop_run_once(false);
	mem_fault_after(-1);
	fail_at = -1;
}

void world_turn(unsigned loop)
{
	for (unsigned i = 0; i < WORLD_PEERS; i++)
		if (world_peers[i].loop == loop)
			write_out(&world_peers[i]);
	loop_pool_visit(loop, turn_here, NULL);
	for (unsigned i = 0; i < WORLD_PEERS; i++)
		if (world_peers[i].loop == loop)
			(void)read_in(&world_peers[i]);
}

/* What changes when anything happens. */
static uint64_t happened(void)
{
	return counter_sum(COUNTER_BYTES_IN) + counter_sum(COUNTER_BYTES_OUT) +
	       counter_sum(COUNTER_LETTERS) + counter_sum(COUNTER_CONNECTIONS_CLOSED);
}

void world_settle(void)
{
	unsigned quiet = 0;

	for (unsigned n = 0; quiet < 2; n++) {
		uint64_t before = happened();

		fuzz_check(n < SETTLE_TURNS_MAX);
		for (unsigned i = 0; i < WORLD_LOOPS; i++)
			world_turn(i);
		quiet = happened() == before && !world_has_work() ? quiet + 1 : 0;
	}
}

/* ---- The end ---- */

static void clear_alarm(void)
{
	world_limit_memory(0);
	/* its timer, which clears it, looks four times a second */
	while (alarms_memory_is_set(broker->alarms)) {
		usleep(5000);
		world_settle();
	}
}

static void disconnect_all(void)
{
	for (unsigned i = 0; i < WORLD_PEERS; i++)
		forget(&world_peers[i]);
	world_settle();
	for (unsigned i = 0; i < WORLD_LOOPS; i++)
		fuzz_check(service->loops[i].n_connections == 0);
	fuzz_check(account_kind_total(ACCOUNT_CONNECTION) == 0);
}

/* Settles, which are in no hurry. */
static void flush_here(void *unused)
{
	(void)unused;
	queue_log_flush(broker_loop_self(broker)->log);
}

static void flush_logs(void)
{
	for (unsigned i = 0; i < WORLD_LOOPS; i++)
		loop_pool_visit(i, flush_here, NULL);
	world_settle();
}

static void check_empty(void)
{
	unsigned n_standard;

	wishes_topology(&n_standard);
	fuzz_check(!wishes_are_left() && n_standard == PREDECLARED);
	fuzz_check(map_count(&vhost->queues) == 0 && map_count(&vhost->bindings) == 0);
	fuzz_check(map_count(&vhost->exchanges) == PREDECLARED);
	for (unsigned i = 0; i < WORLD_LOOPS; i++)
		fuzz_check(broker->loops[i].n_queues == 0);
	fuzz_check(account_kind_total(ACCOUNT_MESSAGE) == 0);
	fuzz_check(account_kind_total(ACCOUNT_QUEUE) <= SPARE_BYTES_MAX);
}

void world_clean(void)
{
	unsigned n_standard;

	clear_alarm();
	disconnect_all();
	wishes_use(broker, vhost);
	for (unsigned i = 0; i < WORLD_LOOPS; i++)
		loop_pool_visit(i, wishes_queues_here, NULL);
	wishes_fulfil();
	wishes_topology(&n_standard);
	wishes_fulfil();
	flush_logs();
	check_empty();
	fuzz_check(lowest_descriptor() == descriptor);
	queue_name[0] = '\0';
	reply_name[0] = '\0';
}
