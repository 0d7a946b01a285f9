/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#include "../unit.h"

static struct config config;
static char error[CONFIG_ERROR_MAX];

static void set(void)
{
	config_init(&config);
	strcpy(error, "untouched");
}

static void clear(void)
{
	config_fini(&config);
}

static bool takes(const char *option)
{
	int result = config_read_option(&config, option, error);

	if (result != 0 && result != -1)
		CU_FAIL("neither 0 nor -1");
	return result == 0;
}

/* The option is refused, with this line. */
static void refused(const char *option, const char *line)
{
	CU_ASSERT_FALSE(takes(option));
	CU_ASSERT_STRING_EQUAL(error, line);
	if (strcmp(error, line) != 0)
		printf("for %s: %s\n", option, error);
}

/* Reads a file of this text; the error's path is cut off: "N: what". */
static int read_text(const char *text)
{
	char path[] = "/tmp/shunt-config-XXXXXX";
	int fd = mkstemp(path), result;

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	result = config_read_file(&config, path, error);
	if (result != 0) {
		CU_ASSERT_EQUAL(strncmp(error, path, strlen(path)), 0);
		memmove(error, error + strlen(path) + 1, strlen(error) - strlen(path));
	}
	unlink(path);
	return result;
}

/* ---- Defaults ---- */

static void defaults(void)
{
	static const char *const plugins[] = { "exchange-direct", "exchange-fanout", "exchange-topic",
					       "exchange-headers", "exchange-consistent-hash", "exchange-random",
					       "exchange-recent-history", "exchange-modulus-hash" };

	set();
	config_complete(&config);
	CU_ASSERT_EQUAL_FATAL(config.n_listeners, 1);
	CU_ASSERT_STRING_EQUAL(config.listeners[0].name, "default");
	CU_ASSERT_STRING_EQUAL(config.listeners[0].address, "5672");
	CU_ASSERT_STRING_EQUAL(config.default_user, "guest");
	CU_ASSERT_STRING_EQUAL(config.default_pass, "guest");
	CU_ASSERT_STRING_EQUAL(config.default_vhost, "/");
	CU_ASSERT_STRING_EQUAL(config.loopback_users[0], "guest");
	CU_ASSERT_PTR_NULL(config.loopback_users[1]);
	CU_ASSERT_EQUAL(config.heartbeat_s, 60);
	CU_ASSERT_EQUAL(config.channel_max, 2047);
	CU_ASSERT_EQUAL(config.frame_max, 131072);
	CU_ASSERT_EQUAL(config.max_message_size, 128u << 20);
	CU_ASSERT_EQUAL(config.handshake_timeout_ms, 10000);
	CU_ASSERT_TRUE(config.memory_limit > 0);
	CU_ASSERT_EQUAL(config.log.level, LOG_LEVEL_INFO);
	CU_ASSERT_TRUE(config.log.console.is_on);
	CU_ASSERT_PTR_NULL(config.log_file);
	CU_ASSERT_STRING_EQUAL(config.product, "Shunt");
	CU_ASSERT_EQUAL(strncmp(config.cluster_name, "shunt@", 6), 0);
	CU_ASSERT_TRUE(config.loops >= 1);
	CU_ASSERT_EQUAL_FATAL(config.n_plugins, sizeof(plugins) / sizeof(*plugins));
	for (size_t i = 0; i < config.n_plugins; i++)
		CU_ASSERT_STRING_EQUAL(config.plugins[i].name, plugins[i]);
	clear();
}

/* ---- Values ---- */

static void paths_of_sockets_are_short(void)
{
	char option[200];

	set();
	(void)snprintf(option, sizeof(option), "control.socket=/%0106d", 0);
	CU_ASSERT_TRUE(takes(option));
	(void)snprintf(option, sizeof(option), "control.socket=/%0107d", 0);
	CU_ASSERT_FALSE(takes(option));
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "expected a path of at most 107 bytes"));
	clear();
}

static void texts(void)
{
	set();
	CU_ASSERT_TRUE(takes("default_user=bob"));
	CU_ASSERT_TRUE(takes("  default_pass  =  with = and # and blanks  "));
	CU_ASSERT_TRUE(takes("data_dir=/a"));
	CU_ASSERT_TRUE(takes("data_dir=/b"));
	CU_ASSERT_STRING_EQUAL(config.default_user, "bob");
	CU_ASSERT_STRING_EQUAL(config.default_pass, "with = and # and blanks");
	CU_ASSERT_STRING_EQUAL(config.data_dir, "/b");
	refused("data_dir=", "-o: bad value '' for 'data_dir': expected some text");
	refused("control.socket=  ", "-o: bad value '' for 'control.socket': expected some text");
	CU_ASSERT_STRING_EQUAL(config.data_dir, "/b");
	clear();
}

static void numbers(void)
{
	static const char *const bad[] = {
		"heartbeat=",	   "heartbeat=x",	  "heartbeat=-1",	       "heartbeat=+1",
		"heartbeat= 1 2",  "heartbeat=1.5",	  "heartbeat=65536",	       "heartbeat=0x10",
		"heartbeat=60s",   "channel_max=65536",	  "handshake_timeout=99",      "handshake_timeout=3600001",
		"max_message_size=0", "max_message_size=536870913", "tcp_listen_options.backlog=0",
		"heartbeat=99999999999999999999999", "loops=100000",
	};

	set();
	CU_ASSERT_TRUE(takes("heartbeat=0"));
	CU_ASSERT_TRUE(takes("channel_max = 65535"));
	CU_ASSERT_TRUE(takes("handshake_timeout=100"));
	CU_ASSERT_TRUE(takes("max_message_size=536870912"));
	CU_ASSERT_TRUE(takes("tcp_listen_options.backlog=128"));
	CU_ASSERT_TRUE(takes("loops=3"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_FALSE(takes(bad[i]));
		CU_ASSERT_PTR_NOT_NULL(strstr(error, "expected a whole number from "));
	}
	CU_ASSERT_EQUAL(config.heartbeat_s, 0);
	CU_ASSERT_EQUAL(config.channel_max, 65535);
	CU_ASSERT_EQUAL(config.handshake_timeout_ms, 100);
	CU_ASSERT_EQUAL(config.max_message_size, 512u << 20);
	CU_ASSERT_EQUAL(config.backlog, 128);
	CU_ASSERT_EQUAL(config.loops, 3);
	refused("heartbeat=70000", "-o: bad value '70000' for 'heartbeat': expected a whole number from 0 to 65535");
	clear();
}

/* 0: no limit; else not below the smallest that AMQP allows. */
static void frame_max(void)
{
	set();
	CU_ASSERT_TRUE(takes("frame_max=4096"));
	CU_ASSERT_EQUAL(config.frame_max, 4096);
	CU_ASSERT_FALSE(takes("frame_max=4095"));
	CU_ASSERT_FALSE(takes("frame_max=1"));
	CU_ASSERT_EQUAL(config.frame_max, 4096);
	CU_ASSERT_TRUE(takes("frame_max=0"));
	CU_ASSERT_EQUAL(config.frame_max, 0);
	clear();
}

static void memory_with_units(void)
{
	static const struct {
		const char *option;
		uint64_t bytes;
	} good[] = {
		{ "1000", 1000 },	   { "1k", 1024 },	    { "1kiB", 1024 },	     { "1KiB", 1024 },
		{ "2kB", 2000 },	   { "2KB", 2000 },	    { "3M", 3u << 20 },	     { "3MiB", 3u << 20 },
		{ "3MB", 3000000 },	   { "4G", 4ull << 30 },    { "4GiB", 4ull << 30 },  { "4GB", 4000000000ull },
	};
	static const char *const bad[] = { "0", "1T", "1 MB x", "MB", "-1", "1e9", "99999999999GB", "18446744073709551616" };

	set();
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		char *option = mem_printf("vm_memory_high_watermark.absolute=%s", good[i].option);

		CU_ASSERT_TRUE(takes(option));
		CU_ASSERT_EQUAL(config.memory_limit, good[i].bytes);
		mem_free(option);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *option = mem_printf("vm_memory_high_watermark.absolute=%s", bad[i]);

		CU_ASSERT_FALSE(takes(option));
		mem_free(option);
	}
	CU_ASSERT_EQUAL(config.memory_limit, 4000000000ull);
	clear();
}

static void memory_as_a_share(void)
{
	static const char *const bad[] = { "", "1.1", "-0.1", "nan", "inf", "half", "0.5x", "1e999" };
	uint64_t all;

	set();
	CU_ASSERT_TRUE(takes("vm_memory_high_watermark.relative=1"));
	all = config.memory_limit;
	CU_ASSERT_TRUE(all > 1 << 20);
	CU_ASSERT_TRUE(takes("vm_memory_high_watermark.relative=0.5"));
	CU_ASSERT_TRUE(config.memory_limit >= all / 2 - 1 && config.memory_limit <= all / 2 + 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *option = mem_printf("vm_memory_high_watermark.relative=%s", bad[i]);

		CU_ASSERT_FALSE(takes(option));
		mem_free(option);
	}
	/* blocks all publishers, and is not "no limit" */
	CU_ASSERT_TRUE(takes("vm_memory_high_watermark.relative=0"));
	CU_ASSERT_EQUAL(config.memory_limit, 1);
	clear();
}

static void disk_limits(void)
{
	static const char *const bad[] = { "absolute=", "absolute=-1", "absolute=1TB", "absolute=half",
					   "relative=", "relative=-1", "relative=nan", "relative=1e9",
					   "relative=1x", "=1" };
	uint64_t all;

	set();
	CU_ASSERT_EQUAL(config.disk_free_limit, 50000000);
	CU_ASSERT_TRUE(takes("disk_free_limit.absolute=2GiB"));
	CU_ASSERT_EQUAL(config.disk_free_limit, 2ull << 30);
	CU_ASSERT_TRUE(takes("disk_free_limit.relative=1"));
	all = config.disk_free_limit;
	CU_ASSERT_TRUE(all > 1 << 20);
	CU_ASSERT_TRUE(takes("disk_free_limit.relative=2.5"));
	CU_ASSERT_TRUE(config.disk_free_limit >= all / 2 * 5 - 5 && config.disk_free_limit <= all / 2 * 5 + 5);
	all = config.disk_free_limit;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *option = mem_printf("disk_free_limit.%s", bad[i]);

		CU_ASSERT_FALSE(takes(option));
		mem_free(option);
	}
	CU_ASSERT_EQUAL(config.disk_free_limit, all);
	/* no limit, by either key */
	CU_ASSERT_TRUE(takes("disk_free_limit.relative=0"));
	CU_ASSERT_EQUAL(config.disk_free_limit, 0);
	CU_ASSERT_TRUE(takes("disk_free_limit.absolute=1"));
	CU_ASSERT_TRUE(takes("disk_free_limit.absolute=0"));
	CU_ASSERT_EQUAL(config.disk_free_limit, 0);
	clear();
}

static void store_keys(void)
{
	static const char *const bad[] = { "sync=", "sync=sometimes", "sync=interval", "sync=interval:",
					   "sync=interval:0", "sync=interval:60001", "sync=interval:5s",
					   "sync=Always", "segment_size=65535", "segment_size=2GiB",
					   "segment_size=", "segment_size=big" };

	set();
	CU_ASSERT_EQUAL(config.store_sync, STORE_SYNC_ALWAYS);
	CU_ASSERT_EQUAL(config.store_segment_size, 16u << 20);
	CU_ASSERT_TRUE(takes("store.sync=never"));
	CU_ASSERT_EQUAL(config.store_sync, STORE_SYNC_NEVER);
	CU_ASSERT_TRUE(takes("store.sync=interval:1"));
	CU_ASSERT_TRUE(takes("store.sync=interval:60000"));
	CU_ASSERT_EQUAL(config.store_sync, STORE_SYNC_INTERVAL);
	CU_ASSERT_EQUAL(config.store_sync_interval_ms, 60000);
	CU_ASSERT_TRUE(takes("store.segment_size=64KiB"));
	CU_ASSERT_EQUAL(config.store_segment_size, 64u << 10);
	CU_ASSERT_TRUE(takes("store.segment_size=1GiB"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *option = mem_printf("store.%s", bad[i]);

		CU_ASSERT_FALSE(takes(option));
		mem_free(option);
	}
	refused("store.sync=interval:0", "-o: bad value 'interval:0' for 'store.sync': expected always, never, or "
					 "interval:MS with MS from 1 to 60000 milliseconds");
	CU_ASSERT_EQUAL(config.store_sync_interval_ms, 60000);
	CU_ASSERT_EQUAL(config.store_segment_size, 1u << 30);
	CU_ASSERT_TRUE(takes("store.sync=always"));
	CU_ASSERT_EQUAL(config.store_sync, STORE_SYNC_ALWAYS);
	clear();
}

static void logins(void)
{
	set();
	CU_ASSERT_EQUAL(config.sasl.mechanisms, 0);
	CU_ASSERT_TRUE(takes("auth_mechanisms.1=PLAIN"));
	CU_ASSERT_TRUE(takes("auth_mechanisms.2=EXTERNAL"));
	CU_ASSERT_EQUAL(config.sasl.mechanisms, 1u << SASL_PLAIN | 1u << SASL_EXTERNAL);
	refused("auth_mechanisms.3=plain", "-o: bad value 'plain' for 'auth_mechanisms.3': expected PLAIN, AMQPLAIN, "
					   "EXTERNAL or ANONYMOUS");
	CU_ASSERT_EQUAL(config.sasl.certificate.from, CERTIFICATE_DISTINGUISHED_NAME);
	CU_ASSERT_TRUE(takes("ssl_cert_login_from=common_name"));
	CU_ASSERT_EQUAL(config.sasl.certificate.from, CERTIFICATE_COMMON_NAME);
	CU_ASSERT_TRUE(takes("ssl_cert_login_from=subject_alt_name"));
	CU_ASSERT_EQUAL(config.sasl.certificate.from, CERTIFICATE_ALTERNATIVE_NAME);
	CU_ASSERT_TRUE(takes("ssl_cert_login_from=subject_alternative_name"));
	CU_ASSERT_EQUAL(config.sasl.certificate.from, CERTIFICATE_ALTERNATIVE_NAME);
	refused("ssl_cert_login_from=name", "-o: bad value 'name' for 'ssl_cert_login_from': expected distinguished_name, "
					    "common_name or subject_alternative_name");
	CU_ASSERT_TRUE(takes("ssl_cert_login_san_type=other_name"));
	CU_ASSERT_EQUAL(config.sasl.certificate.san_type, CERTIFICATE_SAN_OTHER_NAME);
	refused("ssl_cert_login_san_type=x", "-o: bad value 'x' for 'ssl_cert_login_san_type': expected dns, ip, email, uri or "
					     "other_name");
	CU_ASSERT_TRUE(takes("ssl_cert_login_san_index=2"));
	CU_ASSERT_EQUAL(config.sasl.certificate.san_index, 2);
	CU_ASSERT_TRUE(takes("anonymous_login_user=a"));
	CU_ASSERT_TRUE(takes("anonymous_login_pass=b"));
	CU_ASSERT_TRUE(takes("anonymous_login_user=c"));
	config_complete(&config);
	CU_ASSERT_STRING_EQUAL(config.sasl.anonymous_user, "c");
	CU_ASSERT_STRING_EQUAL(config.sasl.anonymous_pass, "b");
	clear();
	set();
	CU_ASSERT_TRUE(takes("anonymous_login_user=a"));
	CU_ASSERT_TRUE(takes("anonymous_login_user=none"));
	config_complete(&config);
	CU_ASSERT_PTR_NULL(config.sasl.anonymous_user);
	clear();
}

/* ---- Listeners ---- */

static void listeners(void)
{
	static const char *const bad[] = { "listeners.tcp.1=", "listeners.tcp.1=x", "listeners.tcp.1=65536",
					   "listeners.tcp.1=127.0.0.1:", "listeners.tcp.1=[::1", "listeners.tcp=5672",
					   "listeners.tcp.=5672" };

	set();
	CU_ASSERT_TRUE(takes("listeners.tcp.1=127.0.0.1:5672"));
	CU_ASSERT_TRUE(takes("listeners.tcp.2=[::1]:5672"));
	CU_ASSERT_TRUE(takes("listeners.tcp.1=5673"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_FALSE(takes(bad[i]));
	config_complete(&config);
	CU_ASSERT_EQUAL_FATAL(config.n_listeners, 2);
	CU_ASSERT_STRING_EQUAL(config.listeners[0].name, "1");
	CU_ASSERT_STRING_EQUAL(config.listeners[0].address, "5673");
	CU_ASSERT_STRING_EQUAL(config.listeners[1].address, "[::1]:5672");
	clear();
}

static void no_listeners(void)
{
	set();
	CU_ASSERT_TRUE(takes("listeners.tcp=none"));
	CU_ASSERT_TRUE(takes("listeners.tcp.1=5673")); /* as in RabbitMQ, whatever else is said */
	CU_ASSERT_TRUE(takes("listeners.ssl.1=5671"));
	config_complete(&config);
	CU_ASSERT_EQUAL_FATAL(config.n_listeners, 1);
	CU_ASSERT_TRUE(config.listeners[0].is_tls);
	clear();
}

static void too_many_listeners(void)
{
	set();
	for (unsigned i = 0; i <= CONFIG_LISTENERS_MAX; i++) {
		char *option = mem_printf("listeners.tcp.%u=5672", i);

		CU_ASSERT_EQUAL(takes(option), i < CONFIG_LISTENERS_MAX);
		mem_free(option);
	}
	CU_ASSERT_EQUAL(config.n_listeners, CONFIG_LISTENERS_MAX);
	clear();
}

/* ---- Loopback users ---- */

static void loopback_users(void)
{
	set();
	CU_ASSERT_TRUE(takes("loopback_users.bob=true"));
	CU_ASSERT_TRUE(takes("loopback_users.guest=false"));
	CU_ASSERT_TRUE(takes("loopback_users.bob=true"));
	CU_ASSERT_FALSE(takes("loopback_users.bob=yes"));
	CU_ASSERT_FALSE(takes("loopback_users=all"));
	config_complete(&config);
	CU_ASSERT_EQUAL_FATAL(config.n_loopback_users, 1);
	CU_ASSERT_STRING_EQUAL(config.loopback_users[0], "bob");
	CU_ASSERT_PTR_NULL(config.loopback_users[1]);
	clear();
}

static void no_loopback_users(void)
{
	set();
	CU_ASSERT_TRUE(takes("loopback_users=none"));
	CU_ASSERT_TRUE(takes("loopback_users.bob=true"));
	config_complete(&config);
	CU_ASSERT_EQUAL(config.n_loopback_users, 0);
	CU_ASSERT_PTR_NULL(config.loopback_users[0]);
	clear();
}

/* ---- Plugins ---- */

static void named_plugins_replace_the_list(void)
{
	set();
	CU_ASSERT_EQUAL(read_text("plugin = exchange-topic\n"), 0);
	CU_ASSERT_TRUE(takes("plugin=/p/mine.so"));
	refused("plugin=", "-o: bad value '' for 'plugin': expected a plugin's name or the path of its file");
	config_complete(&config);
	CU_ASSERT_EQUAL_FATAL(config.n_plugins, 2);
	CU_ASSERT_STRING_EQUAL(config.plugins[0].name, "exchange-topic");
	CU_ASSERT_STRING_EQUAL(config.plugins[1].name, "/p/mine.so");
	clear();
}

static void plugin_settings(void)
{
	set();
	CU_ASSERT_TRUE(takes("plugin.lua.path.more=/x"));
	CU_ASSERT_TRUE(takes("plugin.lua.empty="));
	CU_ASSERT_EQUAL_FATAL(config.n_settings, 2);
	CU_ASSERT_STRING_EQUAL(config.settings[0].plugin, "lua");
	CU_ASSERT_STRING_EQUAL(config.settings[0].key, "path.more");
	CU_ASSERT_STRING_EQUAL(config.settings[0].value, "/x");
	CU_ASSERT_STRING_EQUAL(config.settings[0].where, "-o");
	CU_ASSERT_STRING_EQUAL(config.settings[1].value, "");
	refused("plugin.lua=x", "-o: 'plugin.lua' is not plugin.NAME.KEY");
	refused("plugin.lua.=x", "-o: 'plugin.lua.' is not plugin.NAME.KEY");
	refused("plugin..key=x", "-o: 'plugin..key' is not plugin.NAME.KEY");
	CU_ASSERT_EQUAL(config.n_settings, 2);
	/* a setting alone does not name the plugin */
	config_complete(&config);
	CU_ASSERT_EQUAL(config.n_plugins, 8);
	clear();
}

/* ---- Lines ---- */

static void a_file(void)
{
	set();
	CU_ASSERT_EQUAL(read_text("# a comment\n"
				  "\n"
				  "   \t \r\n"
				  "heartbeat = 10\n"
				  "  channel_max=20 # behind a value\r\n"
				  "default_user\t=\tbob\n"
				  "data_dir = /without/newline"),
			0);
	CU_ASSERT_STRING_EQUAL(error, "untouched");
	CU_ASSERT_EQUAL(config.heartbeat_s, 10);
	CU_ASSERT_EQUAL(config.channel_max, 20);
	CU_ASSERT_STRING_EQUAL(config.default_user, "bob");
	CU_ASSERT_STRING_EQUAL(config.data_dir, "/without/newline");
	clear();
}

static void an_empty_file(void)
{
	set();
	CU_ASSERT_EQUAL(read_text(""), 0);
	CU_ASSERT_EQUAL(config.heartbeat_s, 60);
	clear();
}

static void errors_name_the_line(void)
{
	set();
	CU_ASSERT_EQUAL(read_text("\n# x\nno.such.key = 1\n"), -1);
	CU_ASSERT_STRING_EQUAL(error, "3: unknown key 'no.such.key'");
	CU_ASSERT_EQUAL(read_text("heartbeat = 1\nheartbeat\n"), -1);
	CU_ASSERT_STRING_EQUAL(error, "2: expected key = value");
	CU_ASSERT_EQUAL(read_text("= 1\n"), -1);
	CU_ASSERT_STRING_EQUAL(error, "1: unknown key ''");
	CU_ASSERT_EQUAL(read_text("heartbeat = soon\n"), -1);
	CU_ASSERT_STRING_EQUAL(error,
			       "1: bad value 'soon' for 'heartbeat': expected a whole number from 0 to 65535");
	CU_ASSERT_EQUAL(read_text("plugin.lua.k = v\n"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(config.settings[0].where, ":1"));
	clear();
}

/* Keys are whole: none is taken for one that it begins with. */
static void keys_are_exact(void)
{
	set();
	refused("heartbeats=1", "-o: unknown key 'heartbeats'");
	refused("heart=1", "-o: unknown key 'heart'");
	refused("Heartbeat=1", "-o: unknown key 'Heartbeat'");
	refused("plugins=1", "-o: unknown key 'plugins'");
	refused("listeners=1", "-o: unknown key 'listeners'");
	refused("heartbeat", "-o: expected key = value");
	refused("", "-o: expected key = value");
	clear();
}

static void long_lines(void)
{
	char *text = mem_zalloc(8200);

	set();
	memset(text, 'x', 8000);
	memcpy(text, "data_dir=/", 10);
	text[4000] = '\n';
	text[4001] = '\0';
	CU_ASSERT_EQUAL(read_text(text), 0);
	CU_ASSERT_EQUAL(strlen(config.data_dir), 4000 - 9);
	text[4000] = 'x';
	text[4001] = 'x';
	CU_ASSERT_EQUAL(read_text(text), -1);
	CU_ASSERT_STRING_EQUAL(error, "1: the line is too long");
	/* an error with a long value is cut, not overrun */
	memset(text, 'x', 8000);
	memcpy(text, "heartbeat=", 10);
	CU_ASSERT_FALSE(takes(text));
	CU_ASSERT_TRUE(strlen(error) < CONFIG_ERROR_MAX);
	mem_free(text);
	clear();
}

static void files_that_cannot_be_read(void)
{
	set();
	CU_ASSERT_EQUAL(config_read_file(&config, "/no/such/file", error), -1);
	CU_ASSERT_STRING_EQUAL(error, "/no/such/file: No such file or directory");
	CU_ASSERT_EQUAL(config_read_file(&config, "/tmp", error), -1);
	CU_ASSERT_STRING_EQUAL(error, "/tmp: Is a directory");
	clear();
}

static void definitions(void)
{
	set();
	CU_ASSERT_PTR_NULL(config.definitions);
	CU_ASSERT_TRUE(takes("load_definitions=/a.json"));
	CU_ASSERT_STRING_EQUAL(config.definitions, "/a.json");
	CU_ASSERT_TRUE(takes("definitions.local.path=/b"));
	CU_ASSERT_STRING_EQUAL(config.definitions, "/b");
	CU_ASSERT_TRUE(takes("definitions.import_backend=local_filesystem"));
	refused("definitions.import_backend=https", "-o: bad value 'https' for 'definitions.import_backend': expected "
						    "local_filesystem");
	CU_ASSERT_FALSE(config.definitions_if_changed);
	CU_ASSERT_TRUE(takes("definitions.skip_if_unchanged=true"));
	CU_ASSERT_TRUE(config.definitions_if_changed);
	CU_ASSERT_TRUE(takes("definitions.hashing.algorithm=sha256"));
	refused("definitions.hashing.algorithm=crc", "-o: bad value 'crc' for 'definitions.hashing.algorithm': expected sha, "
						     "sha224, sha256, sha384 or sha512, or sha3_224 and so on");
	clear();
}

UNIT_MAIN("config", UNIT_TEST(defaults), UNIT_TEST(texts), UNIT_TEST(paths_of_sockets_are_short), UNIT_TEST(numbers), UNIT_TEST(frame_max),
	  UNIT_TEST(memory_with_units), UNIT_TEST(memory_as_a_share), UNIT_TEST(disk_limits), UNIT_TEST(store_keys), UNIT_TEST(definitions), UNIT_TEST(logins), UNIT_TEST(listeners),
	  UNIT_TEST(no_listeners), UNIT_TEST(too_many_listeners), UNIT_TEST(loopback_users),
	  UNIT_TEST(no_loopback_users), UNIT_TEST(named_plugins_replace_the_list), UNIT_TEST(plugin_settings),
	  UNIT_TEST(a_file), UNIT_TEST(an_empty_file), UNIT_TEST(errors_name_the_line), UNIT_TEST(keys_are_exact),
	  UNIT_TEST(long_lines), UNIT_TEST(files_that_cannot_be_read))
