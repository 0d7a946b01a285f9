/* SPDX-License-Identifier: MIT */
/*
 * Start: loops, store, broker, access, plugins, what the store holds, connections, listeners; loop
 * 0 is the calling thread's. Stop: listeners close, every loop sends connection.close 320 to its
 * connections and waits for them a while, then the loops leave and all is taken down in the reverse
 * order, each object in the name of its loop.
 */
#include "server.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "access/accounts.h"
#include "admin/admin.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/mem.h"
#include "broker/alarm.h"
#include "broker/broker.h"
#include "conn/service.h"
#include "control/control.h"
#include "data_dir.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/meter.h"
#include "loop/pool.h"
#include "loop/timer.h"
#include "machine.h"
#include "plugin/change.h"
#include "plugin/file.h"
#include "plugin/publisher.h"
#include "server_access.h"
#include "server_admin.h"
#include "server_definitions.h"
#include "server_listen.h"
#include "server_plugins.h"
#include "server_reload.h"
#include "server_signals.h"
#include "server_store.h"
#include "store/store.h"

#define SERVER_DRAIN_MS	     5000u /* for clients to answer connection.close when stopping */
#define SERVER_DRAIN_LOOK_MS 10u
#define SERVER_LONG_TURN_NS  UINT64_C(100000000) /* of a loop: everybody on it has noticed */

struct server {
	struct config *config;
	const struct config_source *source;
	int data_dir;
	bool has_pool;
	struct store *store;
	struct server_store store_reports;
	struct broker *broker;
	struct access *access;
	struct admin *admin;
	struct access_config access_config;
	struct plugins *plugins;
	struct server_plugins plugin_control;
	char *plugin_copies;	     /* the directory of their files */
	struct hooks hooks;	     /* of the plugins */
	struct publisher *publisher; /* of what they publish */
	struct conn_service *connections;
	struct control *control;
	struct server_listen listen;
	bool is_stopping;
	struct loop_timer drain; /* looks whether all connections are gone */
	uint64_t drain_deadline_ms;
};

/* ---- Stopping ---- */

struct server_shutdown {
	struct letter letter;
	struct server *server;
	bool cut;
};

static void server_shutdown_here(struct server *server, bool cut)
{
	server_listen_cut(&server->listen);
	if (cut)
		conn_service_cut(server->connections);
	else
		conn_service_shutdown(server->connections, SERVER_DRAIN_MS);
}

static void server_shutdown_deliver(struct letter *letter)
{
	struct server_shutdown *shutdown = container_of(letter, struct server_shutdown, letter);

	server_shutdown_here(shutdown->server, shutdown->cut);
	mem_free(shutdown);
}

static void server_shutdown_all(struct server *server, bool cut)
{
	for (unsigned i = 1; i < loop_count(); i++) {
		struct server_shutdown *shutdown = mem_zalloc(sizeof(*shutdown));

		shutdown->letter.deliver = server_shutdown_deliver;
		shutdown->server = server;
		shutdown->cut = cut;
		loop_post(i, &shutdown->letter);
	}
	server_shutdown_here(server, cut);
}

static uint64_t server_connection_count(void)
{
	uint64_t closed = counter_sum(COUNTER_CONNECTIONS_CLOSED);

	return counter_sum(COUNTER_CONNECTIONS_OPENED) - closed;
}

static void server_drain(struct loop_timer *timer)
{
	struct server *server = container_of(timer, struct server, drain);

	if (server_connection_count() == 0 || loop_now_ms() >= server->drain_deadline_ms)
		loop_pool_stop();
	else
		loop_timer_start_ms(timer, SERVER_DRAIN_LOOK_MS);
}

/* The first time connections are asked to close; the second time they are cut. */
static void server_stop(void *context)
{
	struct server *server = context;

	if (server->is_stopping) {
		server_shutdown_all(server, true);
		if (server->drain_deadline_ms > loop_now_ms() + SERVER_DRAIN_LOOK_MS)
			server->drain_deadline_ms = loop_now_ms() + SERVER_DRAIN_LOOK_MS;
		return;
	}
	log_info("server", "stopping: connections=%llu",
		 (unsigned long long)server_connection_count());
	server->is_stopping = true;
	server_listen_stop(&server->listen);
	server_shutdown_all(server, false);
	server->drain_deadline_ms = loop_now_ms() + SERVER_DRAIN_MS;
	loop_timer_start_ms(&server->drain,
			    server_connection_count() == 0 ? 0 : SERVER_DRAIN_LOOK_MS);
}

static struct server_reload server_reload_of(struct server *server)
{
	return (struct server_reload){server->config, server->source, server->broker->alarms,
				      &server->listen, &server->plugin_control};
}

static int server_control_reload(void *context, char *ret_said, size_t size)
{
	const struct server_reload reload = server_reload_of(context);

	return server_reload(&reload, ret_said, size);
}

static json_t *server_control_environment(void *context)
{
	const struct server_reload reload = server_reload_of(context);

	return server_environment(&reload);
}

static void server_signal(void *context, int number)
{
	char said[CONFIG_ERROR_MAX];

	if (number == SIGHUP)
		(void)server_control_reload(context, said, sizeof(said));
	else
		server_stop(context);
}

static enum server_status server_catch_signals(struct server *server)
{
	int result;

	(void)signal(SIGPIPE, SIG_IGN);
	result = server_signals_catch(server_signal, server);
	if (result == 0)
		return SERVER_OK;
	log_error("server", "cannot catch signals: reason=\"%s\"", strerror(-result));
	return SERVER_OWN_FAULT;
}

/* ---- Start ---- */

/* Looking at the configuration does not touch the data directory. */
static enum server_status server_prepare_plugins(struct server *server, bool only_check)
{
	const struct config *config = server->config;
	struct plugins_config plugins = {
		.topology = server->broker->topology,
		.access = server->access,
		.directory = config->plugins_dir,
		.scripts = config->scripts_dir,
		.settings = config->settings,
		.n_settings = config->n_settings,
		.hooks = &server->hooks,
		.only_looks = only_check,
	};
	const struct draft_limits limits = {config->max_message_size,
					    draft_properties_max(config->frame_max)};
	char reason[512];

	if (!only_check) {
		server->plugin_copies = mem_printf("%s/plugins", config->data_dir);
		plugins.copies = server->plugin_copies;
		if (plugin_files_prepare(plugins.copies, reason, sizeof(reason)) != 0) {
			log_error("plugin", "%s", reason);
			return SERVER_DATA;
		}
	}
	server->publisher = publisher_create(server->broker, &limits);
	publisher_rest(server->publisher);
	plugins.publisher = server->publisher;
	server->plugins = plugins_create(&plugins);
	server->plugin_control = (struct server_plugins){
		server->plugins, plugin_changes_create(server->plugins, server->broker)};
	return SERVER_OK;
}

static void server_create_connections(struct server *server)
{
	const struct config *config = server->config;
	const struct conn_settings settings = {
		.channel_max = config->channel_max,
		.heartbeat_s = config->heartbeat_s,
		.frame_max = config->frame_max,
		.handshake_timeout_ms = config->handshake_timeout_ms,
		.max_message_size = config->max_message_size,
		.placement = config->placement,
		.product = config->product,
		.version = config->version,
		.cluster_name = config->cluster_name,
		.sasl = config->sasl,
		.hooks = &server->hooks,
	};

	server->broker->connections_follow = config->placement != PLACEMENT_FIXED;
	server->connections =
		conn_service_create(server->broker, server->access, &settings, config->loops);
	server->connections->connection_gone = server_listen_again;
	server->connections->context = &server->listen;
	server_connect_closing(server->broker, server->access, server->connections);
}

/* Looking at the configuration does not touch the data directory. */
static enum server_status server_make_store(struct server *server, bool only_check)
{
	char reason[512];

	if (only_check) {
		server->store = store_memory_create(server->config->loops);
		return SERVER_OK;
	}
	if (server_open_store(&server->store_reports, server->config, &server->store, reason,
			      sizeof(reason)) == 0)
		return SERVER_OK;
	log_error("store", "%s", reason);
	return SERVER_DATA;
}

static enum server_status server_restore(struct server *server)
{
	char reason[512];

	if (server_restore_from(server->config, server->broker, server->access, server->store,
				&server->admin, reason, sizeof(reason)) == 0) {
		config_forget_password(server->config);
		return SERVER_OK;
	}
	log_error("server", "%s", reason);
	return SERVER_DATA;
}

static void server_long_turn(const struct loop_long_turn *turn)
{
	static struct log_limit limit = LOG_LIMIT(1);

	log_limited(&limit, LOG_LEVEL_WARNING, "loop",
		    "a turn has taken long: ms=%llu events=%llu letters=%llu tasks=%llu",
		    (unsigned long long)turn->ns / 1000000, (unsigned long long)turn->events_ms,
		    (unsigned long long)turn->letters_ms, (unsigned long long)turn->tasks_ms);
}

static enum server_status server_start(struct server *server, bool only_check)
{
	struct config *config = server->config;
	enum server_status status;
	char reason[512];
	int result;

	status = server_listen_prepare(&server->listen, config);
	if (status != SERVER_OK)
		return status;
	if (!only_check) {
		server->data_dir = data_dir_lock(config->data_dir, reason, sizeof(reason));
		if (server->data_dir < 0) {
			log_error("server", "%s", reason);
			return SERVER_DATA;
		}
	}
	result = loop_pool_create(config->loops);
	if (result != 0) {
		log_error("server", "cannot make event loops: reason=\"%s\"", strerror(-result));
		return SERVER_OWN_FAULT;
	}
	server->has_pool = true;
	loop_watch_turns(SERVER_LONG_TURN_NS, server_long_turn);
	loop_timer_init(&server->drain, server_drain);
	status = server_make_store(server, only_check);
	if (status != SERVER_OK)
		return status;
	server->broker = broker_create(config->loops, server->store,
				       only_check ? config->default_vhost : NULL);
	alarms_set_memory_limit(server->broker->alarms, config->memory_limit);
	if (!only_check)
		alarms_watch_disk(server->broker->alarms, config->data_dir,
				  config->disk_free_limit);
	server->access = server_make_access(config, &server->access_config);
	status = server_prepare_plugins(server, only_check);
	if (status == SERVER_OK)
		status = server_plugins_load(server->plugins, config);
	result = status == SERVER_OK && !only_check ? server_start_workers(server->access) : 0;
	if (result != 0) {
		log_error("server", "cannot start threads: reason=\"%s\"", strerror(-result));
		return SERVER_OWN_FAULT;
	}
	if (status != SERVER_OK)
		return status;
	return only_check ? server_check_definitions(config) : server_restore(server);
}

static enum server_status server_open(struct server *server)
{
	const struct control_config control = {
		.broker = server->broker,
		.connections = server->connections,
		.access = server->access,
		.admin = server->admin,
		.plugins = server->plugins,
		.plugins_for_each = plugins_for_each,
		.plugin = server_plugins_for_control(&server->plugin_control),
		.listeners = server->listen.listeners,
		.n_listeners = CONFIG_LISTENERS_MAX,
		.version = PACKAGE_VERSION,
		.cluster_name = server->config->cluster_name,
		.data_dir = server->config->data_dir,
		.config_file = server->source->path,
		.started_at_ms = clock_monotonic_ms(),
		.memory_bytes = machine_memory_bytes(),
		.stop = server_stop,
		.reload = server_control_reload,
		.environment = server_control_environment,
		.context = server,
	};
	int result = data_dir_make_parents(server->config->control_socket);

	if (result == 0)
		result = control_create(server->config->control_socket, &control, &server->control);
	if (result != 0) {
		log_error("control", "cannot open the control socket: path=\"%s\" reason=\"%s\"",
			  server->config->control_socket, strerror(-result));
		return SERVER_CONFIG;
	}
	return server_listen_start(&server->listen, server->config, server->connections);
}

/* The loops turn, and nobody can connect yet: the sockets open when what is to be there is there. */
static enum server_status server_begin(struct server *server)
{
	enum server_status status = server_load_definitions(server->admin, server->config);

	publisher_go_on(server->publisher);
	if (status == SERVER_OK && !loop_pool_is_stopping())
		status = server_open(server);
	if (status == SERVER_OK)
		log_starting(false);
	if (status == SERVER_OK && !loop_pool_is_stopping())
		log_info("server", "started: version=%s pid=%ld loops=%u descriptors=%llu",
			 PACKAGE_VERSION, (long)getpid(), loop_count(),
			 (unsigned long long)descriptors_limit());
	if (status != SERVER_OK)
		loop_pool_stop();
	return status;
}

/*
 * What is small and quick comes from slabs (base/slab.h), so this is for large messages and what
 * stays. Few arenas: each holds on to what was once a peak. Messages of some 10 KiB come and go,
 * and with the defaults the heap's end is given back to the system, and taken from it, at every
 * other one of them; those above 128 KiB would be mappings of their own. No fast bins: what is
 * freed stays in them as it is until some free() of 64 KiB happens to merge all of it in one call,
 * which was 19 ms after 100 000 unbinds, 330 ms after a million.
 */
static void tune_malloc(void)
{
	mallopt(M_ARENA_MAX, 4);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_MXFAST, 0);
}

enum server_status server_create(struct config *config, const struct config_source *source,
				 bool only_check, struct server **ret_server)
{
	struct server *server = mem_zalloc(sizeof(*server));
	enum server_status status;

	*ret_server = NULL;
	server->config = config;
	server->source = source;
	server->data_dir = -1;
	hooks_init(&server->hooks);
	tune_malloc();
	status = server_start(server, only_check);
	if (status == SERVER_OK && !only_check) {
		server_create_connections(server);
		status = server_catch_signals(server);
	}
	if (status == SERVER_OK)
		*ret_server = server;
	else
		server_destroy(server);
	return status;
}

enum server_status server_run(struct server *server)
{
	enum server_status status;
	int result = loop_pool_start();

	if (result != 0) {
		log_error("server", "cannot start threads: reason=\"%s\"", strerror(-result));
		return SERVER_OWN_FAULT;
	}
	status = server_begin(server);
	loop_run();
	log_info("server", "stopped");
	return status;
}

/* ---- End ---- */

static void server_cut_here(void *arg)
{
	struct server *server = arg;

	server_listen_cut(&server->listen);
	conn_service_cut(server->connections);
}

void server_destroy(struct server *server)
{
	if (server == NULL)
		return;
	server_listen_stop(&server->listen);
	control_destroy(server->control);
	/* What comes late must not end the store's end. */
	server_signals_ignore();
	if (server->has_pool)
		loop_timer_stop(&server->drain);
	for (unsigned i = 0; server->connections != NULL && i < loop_count(); i++)
		loop_pool_visit(i, server_cut_here, server);
	server_listen_end(&server->listen);
	admin_end(server->admin);
	/* What the connections have given back goes to its queues, and from there to the store. */
	if (server->has_pool)
		loop_pool_drain();
	conn_service_destroy(server->connections);
	publisher_end(server->publisher);
	if (server->access != NULL)
		access_end_edits(server->access);
	broker_destroy(server->broker);
	admin_destroy(server->admin);
	plugins_destroy(server->plugins);
	hooks_fini(&server->hooks);
	publisher_destroy(server->publisher);
	plugin_changes_destroy(server->plugin_control.changes);
	access_destroy(server->access);
	server_listen_fini(&server->listen);
	mem_free(server->plugin_copies);
	store_destroy(server->store);
	if (server->has_pool)
		loop_pool_destroy();
	data_dir_unlock(server->data_dir);
	mem_free(server);
}
