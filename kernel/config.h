/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONFIG_H
#define KERNEL_CONFIG_H

/*
 * The configuration: `key = value` a line, with RabbitMQ's key names where RabbitMQ has one. Read
 * once at start, on one thread; constant afterwards. docs/shunt.conf.5 describes every key.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_settings.h"
#include "conn/service.h"
#include "net/tls.h"
#include "plugin/loader.h"
#include "store/store.h"

#define CONFIG_LISTENERS_MAX 64

struct config_listener {
	char *name;    /* "default", "1": the last part of its key */
	char *address; /* as net/listener.h takes it */
	bool is_tls;
};

/* Values of keys that differ in their last part, in the order in which these came. */
struct config_list {
	char **names, **values;
	size_t n;
};

/* ssl_options.*; texts may be NULL. config_tls.c */
struct config_tls {
	char *certificate_file, *key_file, *password, *authorities_file, *dh_file;
	char *where[TLS_PART_COUNT]; /* "file:line" of what a failure may be about; NULL: nowhere */
	bool verifies_peer, demands_certificate, prefers_own_order, has_sessions;
	uint32_t depth;
	struct config_list versions; /* "tlsv1.2", "tlsv1.3"; none: both */
	struct config_list ciphers;
	uint32_t handshake_timeout_ms;	   /* 0: the same as for all */
	bool has_no_listeners;		   /* listeners.ssl = none */
	bool has_alert_log, has_quiet_log; /* log_alert; log_level is above a warning */
};

struct config_written {
	char *key, *value;
};

struct config_plugin {
	char *name;  /* or a path */
	char *where; /* "file:line" that names it; NULL: it is of the built-in list */
};

struct config {
	struct config_listener listeners[CONFIG_LISTENERS_MAX];
	size_t n_listeners;
	bool has_no_listeners; /* listeners.tcp = none */
	unsigned backlog;
	struct config_tls tls;
	bool proxy_protocol;
	struct config_list proxies; /* that are trusted, as net/range.h takes them; none: those on
				       the loopback */

	/* What a broker without any user begins with. */
	char *default_user, *default_pass, *default_vhost, *default_user_tags;
	char *default_configure, *default_write, *default_read;
	bool has_default_user_tags; /* named by the user */
	char **loopback_users;	    /* NULL-terminated */
	size_t n_loopback_users;
	bool loopback_users_are_none; /* loopback_users = none */

	struct sasl_settings sasl; /* its texts are ours */
	char *anonymous_user, *anonymous_pass; /* "none": NULL */

	uint16_t heartbeat_s, channel_max;
	uint32_t frame_max, max_message_size, handshake_timeout_ms;
	uint64_t memory_limit;	  /* bytes; 0: none */
	uint64_t disk_free_limit; /* bytes; 0: none */
	struct log_settings log;
	char *log_dir, *log_file; /* NULL: none */
	char *product, *version; /* what clients are told */
	char *cluster_name;

	char *definitions; /* a file or a directory, imported at each start; NULL: none */
	bool definitions_if_changed;
	char *data_dir, *control_socket, *plugins_dir, *scripts_dir;
	enum store_sync store_sync;
	uint32_t store_sync_interval_ms; /* of STORE_SYNC_INTERVAL */
	uint64_t store_segment_size;	 /* bytes */
	unsigned loops;			 /* 0: one per core */
	enum placement placement;	 /* of connections on loops */

	struct config_plugin *plugins; /* in order */
	size_t n_plugins;
	bool has_plugins; /* named by the user: the built-in list does not count */
	struct config_plugin *scripts; /* in order, behind the plugins */
	size_t n_scripts;
	struct plugin_setting *settings;
	size_t n_settings;

	struct config_written *notes; /* what was set: config_show.h */
	size_t n_notes;
};

#define CONFIG_ERROR_MAX 512

/* The defaults. Texts of the configuration are its own. */
void config_init(struct config *config);
void config_fini(struct config *config);

/* What a configuration is read from, in this order; borrowed. */
struct config_source {
	const char *path;     /* of the file; NULL: none */
	char *const *options; /* "KEY=VALUE", as after -o */
	size_t n_options;
};

/* 0, or -1 with one line "file:line: what is wrong" in ret_error. */
int config_read(struct config *config, const struct config_source *source,
		char ret_error[CONFIG_ERROR_MAX]);
int config_read_file(struct config *config, const char *path, char ret_error[CONFIG_ERROR_MAX]);
/* "KEY=VALUE", as after -o. */
int config_read_option(struct config *config, const char *option, char ret_error[CONFIG_ERROR_MAX]);
/* SHUNT_DEFAULT_USER, _PASS and _VHOST: they count for more than the file, and for less than -o. */
int config_read_environment(struct config *config, char ret_error[CONFIG_ERROR_MAX]);
/* The first user's, once that is made, and the key's, which has been read; a reload reads anew. */
void config_forget_password(struct config *config);
/* After all was read: fills in what was left out. */
void config_complete(struct config *config);

#endif
