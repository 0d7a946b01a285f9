/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"

static const char help_text[] =
	"Usage: shunt-bench [OPTION]...\n"
	"Loads an AMQP 0-9-1 broker and tells how fast it is, and whether it lost anything.\n"
	"\n"
	"The broker:\n"
	"  --host HOST           default 127.0.0.1\n"
	"  --port PORT           default 5672\n"
	"  --url URL             amqp://user:password@host:port/vhost\n"
	"  --pid PID             the broker's process: tells its CPU time per message and memory\n"
	"\n"
	"The load (by default one producer and one consumer of one queue, for 5 seconds):\n"
	"  --producers N         connections that publish (1)\n"
	"  --consumers N         connections that consume (1; 0: none)\n"
	"  --queues N            (1)\n"
	"  --size BYTES          of each body (100)\n"
	"  --messages N          publish so many in all\n"
	"  --seconds S           publish so long (5)\n"
	"  --warmup S            leave the first S seconds out of the figures (0)\n"
	"  --rate R              publish R messages per second in all, whatever the broker does\n"
	"  --confirm WINDOW      publisher confirms, at most WINDOW outstanding per producer\n"
	"  --ack N               acknowledge every N deliveries (0: auto-ack)\n"
	"  --prefetch N          basic.qos of each consumer (0: no limit)\n"
	"  --durable             durable queues and exchange\n"
	"  --persistent          persistent messages (implies --durable)\n"
	"  --exchange TYPE       default, direct, fanout, topic, headers, or x-TYPE\n"
	"  --header NAME         each message has a header NAME with its routing key\n"
	"  --bindings N          N further bindings that match no message\n"
	"  --fanout N            a fanout exchange to N queues, with a consumer each\n"
	"\n"
	"Beside it, on connections and queues of their own, and not in the figures:\n"
	"  --noise N             N producers that publish flat out, with a consumer each\n"
	"  --slow N              N consumers that read slower than theirs publish\n"
	"\n"
	"Other things to measure:\n"
	"  --fill                publish all --messages first (1000000), then consume them\n"
	"  --connections N       open N connections with a channel each, and keep them\n"
	"  --hold S              how long they are kept (1)\n"
	"  --churn               open and close connections, for --seconds or --messages times\n"
	"  --concurrency N       handshakes under way at the same time (64)\n"
	"\n"
	"The tool:\n"
	"  --threads N           (1, on a machine of 4 cores and more 2)\n"
	"  --timeout S           give up when nothing moves for so long (10)\n"
	"  --json                print the figures as JSON\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0, 1 a message was lost, doubled or reordered, 64 usage, 69 no connection.\n";

enum {
	OPT_HOST = 256,
	OPT_PORT,
	OPT_URL,
	OPT_PID,
	OPT_PRODUCERS,
	OPT_CONSUMERS,
	OPT_QUEUES,
	OPT_SIZE,
	OPT_MESSAGES,
	OPT_SECONDS,
	OPT_WARMUP,
	OPT_RATE,
	OPT_CONFIRM,
	OPT_ACK,
	OPT_PREFETCH,
	OPT_DURABLE,
	OPT_PERSISTENT,
	OPT_EXCHANGE,
	OPT_HEADER,
	OPT_BINDINGS,
	OPT_FANOUT,
	OPT_NOISE,
	OPT_SLOW,
	OPT_FILL,
	OPT_CONNECTIONS,
	OPT_HOLD,
	OPT_CHURN,
	OPT_CONCURRENCY,
	OPT_THREADS,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option longs[] = {
	{"host", required_argument, NULL, OPT_HOST},
	{"port", required_argument, NULL, OPT_PORT},
	{"url", required_argument, NULL, OPT_URL},
	{"pid", required_argument, NULL, OPT_PID},
	{"producers", required_argument, NULL, OPT_PRODUCERS},
	{"consumers", required_argument, NULL, OPT_CONSUMERS},
	{"queues", required_argument, NULL, OPT_QUEUES},
	{"size", required_argument, NULL, OPT_SIZE},
	{"messages", required_argument, NULL, OPT_MESSAGES},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"warmup", required_argument, NULL, OPT_WARMUP},
	{"rate", required_argument, NULL, OPT_RATE},
	{"confirm", required_argument, NULL, OPT_CONFIRM},
	{"ack", required_argument, NULL, OPT_ACK},
	{"prefetch", required_argument, NULL, OPT_PREFETCH},
	{"durable", no_argument, NULL, OPT_DURABLE},
	{"persistent", no_argument, NULL, OPT_PERSISTENT},
	{"exchange", required_argument, NULL, OPT_EXCHANGE},
	{"header", required_argument, NULL, OPT_HEADER},
	{"bindings", required_argument, NULL, OPT_BINDINGS},
	{"fanout", required_argument, NULL, OPT_FANOUT},
	{"noise", required_argument, NULL, OPT_NOISE},
	{"slow", required_argument, NULL, OPT_SLOW},
	{"fill", no_argument, NULL, OPT_FILL},
	{"connections", required_argument, NULL, OPT_CONNECTIONS},
	{"hold", required_argument, NULL, OPT_HOLD},
	{"churn", no_argument, NULL, OPT_CHURN},
	{"concurrency", required_argument, NULL, OPT_CONCURRENCY},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

/* What is gathered while the arguments are read. */
struct reading {
	struct options *options;
	FILE *err;
	const char *name; /* of the option at hand */
	const char *text; /* its argument */
	unsigned fanout;
	bool has_queues, has_consumers, has_seconds, has_exchange, is_wrong;
};

PRINTF_FORMAT(2, 3) static void wrong(struct reading *reading, const char *format, ...)
{
	va_list arguments;

	if (reading->is_wrong)
		return;
	reading->is_wrong = true;
	(void)fputs("shunt-bench: ", reading->err);
	va_start(arguments, format);
	(void)vfprintf(reading->err, format, arguments);
	va_end(arguments);
	(void)fputs(" (see --help)\n", reading->err);
}

static uint64_t read_count(struct reading *reading, uint64_t min, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(reading->text, &end, 10);
	if (!isdigit((unsigned char)*reading->text) || *end != '\0' || errno != 0 || value < min ||
	    value > max) {
		wrong(reading, "--%s takes a number from %llu to %llu", reading->name,
		      (unsigned long long)min, (unsigned long long)max);
		return min;
	}
	return value;
}

static unsigned read_unsigned(struct reading *reading, unsigned min, unsigned max)
{
	return (unsigned)read_count(reading, min, max);
}

static double read_positive(struct reading *reading, double min, double max)
{
	double value;
	char *end;

	value = strtod(reading->text, &end);
	if (end == reading->text || *end != '\0' || !isfinite(value) || value < min ||
	    value > max) {
		wrong(reading, "--%s takes a number from %g to %g", reading->name, min, max);
		return min;
	}
	return value;
}

static void set_string(char **string, char *value)
{
	mem_free(*string);
	*string = value;
}

/* The bytes up to `end`, with %XX read. NULL: a malformed escape, or a NUL in it. */
static char *unescape(const char *text, const char *end)
{
	char *out = mem_alloc((size_t)(end - text) + 1);
	char *p = out;

	for (; text < end; text++) {
		char hex[3] = {0};

		if (*text != '%') {
			*p++ = *text;
			continue;
		}
		if (end - text < 3 || !isxdigit((unsigned char)text[1]) ||
		    !isxdigit((unsigned char)text[2]) || strncmp(text, "%00", 3) == 0) {
			mem_free(out);
			return NULL;
		}
		memcpy(hex, text + 1, 2);
		*p++ = (char)strtoul(hex, NULL, 16);
		text += 2;
	}
	*p = '\0';
	return out;
}

/* user[:password] up to `at` */
static void read_url_user(struct reading *reading, const char *text, const char *at)
{
	const char *colon = memchr(text, ':', (size_t)(at - text));
	char *user = unescape(text, colon != NULL ? colon : at);
	char *password = colon != NULL ? unescape(colon + 1, at) : mem_strdup("");

	if (user == NULL || password == NULL)
		wrong(reading, "--url: malformed user or password");
	if (user != NULL)
		set_string(&reading->options->user, user);
	if (password != NULL)
		set_string(&reading->options->password, password);
}

/* host[:port] or [v6 address][:port], up to `end` */
static void read_url_host(struct reading *reading, const char *text, const char *end)
{
	const char *colon = NULL;
	const char *host_end = end;

	if (*text == '[') {
		host_end = memchr(text, ']', (size_t)(end - text));
		if (host_end == NULL) {
			wrong(reading, "--url: [ without ]");
			return;
		}
		text++;
		colon = host_end + 1 < end && host_end[1] == ':' ? host_end + 1 : NULL;
	} else {
		colon = memchr(text, ':', (size_t)(end - text));
		host_end = colon != NULL ? colon : end;
	}
	if (host_end > text)
		set_string(&reading->options->host, unescape(text, host_end));
	if (reading->options->host == NULL) {
		reading->options->host = mem_strdup("");
		wrong(reading, "--url: malformed host");
	}
	if (colon != NULL) {
		char *port = unescape(colon + 1, end);

		reading->text = port != NULL ? port : "";
		reading->options->port = (uint16_t)read_count(reading, 1, UINT16_MAX);
		mem_free(port);
	}
}

static void read_url(struct reading *reading)
{
	const char *text = reading->text;
	const char *slash, *at, *end;
	char *vhost;

	if (strncasecmp(text, "amqp://", 7) != 0) {
		wrong(reading, "--url takes amqp://user:password@host:port/vhost");
		return;
	}
	text += 7;
	slash = strchr(text, '/');
	end = slash != NULL ? slash : text + strlen(text);
	at = memchr(text, '@', (size_t)(end - text));
	if (at != NULL)
		read_url_user(reading, text, at);
	read_url_host(reading, at != NULL ? at + 1 : text, end);
	if (slash == NULL)
		return;
	vhost = unescape(slash + 1, slash + strlen(slash));
	if (vhost == NULL)
		wrong(reading, "--url: malformed vhost");
	else if (*vhost == '\0') /* amqp://host/ as most clients read it */
		set_string(&vhost, mem_strdup("/"));
	if (vhost != NULL)
		set_string(&reading->options->vhost, vhost);
}

static const char *const exchange_names[] = {
	[BENCH_EXCHANGE_DEFAULT] = "default", [BENCH_EXCHANGE_DIRECT] = "direct",
	[BENCH_EXCHANGE_FANOUT] = "fanout",   [BENCH_EXCHANGE_TOPIC] = "topic",
	[BENCH_EXCHANGE_HEADERS] = "headers",
};

const char *options_exchange_name(const struct options *options)
{
	return options->exchange == BENCH_EXCHANGE_OTHER ? options->exchange_type
							 : exchange_names[options->exchange];
}

static void read_exchange(struct reading *reading)
{
	reading->has_exchange = true;
	for (unsigned i = 0; i < sizeof(exchange_names) / sizeof(*exchange_names); i++) {
		if (strcmp(reading->text, exchange_names[i]) == 0) {
			reading->options->exchange = (enum bench_exchange)i;
			return;
		}
	}
	if (strncmp(reading->text, "x-", 2) != 0 || strlen(reading->text) > 127) {
		wrong(reading, "--exchange takes default, direct, fanout, topic, headers or x-TYPE");
		return;
	}
	reading->options->exchange = BENCH_EXCHANGE_OTHER;
	set_string(&reading->options->exchange_type, mem_strdup(reading->text));
}

/* The properties with it go into one small frame (producer.c). */
static void read_header(struct reading *reading)
{
	if (strlen(reading->text) > 64)
		wrong(reading, "--header takes at most 64 bytes");
	else
		set_string(&reading->options->header, mem_strdup(reading->text));
}

static void set_mode(struct reading *reading, enum bench_mode mode)
{
	if (reading->options->mode != BENCH_MODE_FLOW && reading->options->mode != mode)
		wrong(reading, "only one of --fill, --connections and --churn");
	reading->options->mode = mode;
}

/* The broker and the tool. False: not one of these. */
static bool read_common(struct reading *reading, int option)
{
	struct options *options = reading->options;

	switch (option) {
	case OPT_HOST:
		set_string(&options->host, mem_strdup(reading->text));
		break;
	case OPT_PORT:
		options->port = (uint16_t)read_count(reading, 1, UINT16_MAX);
		break;
	case OPT_URL:
		read_url(reading);
		break;
	case OPT_PID:
		options->pid = (pid_t)read_count(reading, 1, INT_MAX);
		break;
	case OPT_THREADS:
		options->threads = read_unsigned(reading, 1, 256);
		break;
	case OPT_TIMEOUT:
		options->timeout_s = read_positive(reading, 0.1, 86400);
		break;
	case OPT_JSON:
		options->json = true;
		break;
	case OPT_FILL:
		set_mode(reading, BENCH_MODE_FILL);
		break;
	case OPT_CONNECTIONS:
		set_mode(reading, BENCH_MODE_CONNECTIONS);
		options->connections = read_unsigned(reading, 1, 1000000);
		break;
	case OPT_HOLD:
		options->hold_s = read_positive(reading, 0, 86400);
		break;
	case OPT_CHURN:
		set_mode(reading, BENCH_MODE_CHURN);
		break;
	case OPT_CONCURRENCY:
		options->concurrency = read_unsigned(reading, 1, 100000);
		break;
	default:
		return false;
	}
	return true;
}

/* How much, and how long. */
static bool read_amount(struct reading *reading, int option)
{
	struct options *options = reading->options;

	switch (option) {
	case OPT_SIZE:
		options->size = read_count(reading, 0, UINT64_C(512) << 20);
		break;
	case OPT_MESSAGES:
		options->messages = read_count(reading, 1, UINT64_C(1) << 40);
		break;
	case OPT_SECONDS:
		options->seconds = read_positive(reading, 0.01, 1e6);
		reading->has_seconds = true;
		break;
	case OPT_WARMUP:
		options->warmup_s = read_positive(reading, 0, 1e6);
		break;
	case OPT_NOISE:
		options->noise = read_unsigned(reading, 0, 1000);
		break;
	case OPT_SLOW:
		options->slow = read_unsigned(reading, 0, 1000);
		break;
	case OPT_RATE:
		options->rate = read_positive(reading, 0.001, 1e9);
		break;
	default:
		return false;
	}
	return true;
}

static void read_load(struct reading *reading, int option)
{
	struct options *options = reading->options;

	switch (option) {
	case OPT_PRODUCERS:
		options->producers = read_unsigned(reading, 1, OPTIONS_PEERS_MAX);
		break;
	case OPT_CONSUMERS:
		options->consumers = read_unsigned(reading, 0, OPTIONS_PEERS_MAX);
		reading->has_consumers = true;
		break;
	case OPT_QUEUES:
		options->queues = read_unsigned(reading, 1, 100000);
		reading->has_queues = true;
		break;
	case OPT_CONFIRM:
		options->confirm = read_unsigned(reading, 1, 1000000);
		break;
	case OPT_ACK:
		options->ack = read_unsigned(reading, 0, 1000000);
		break;
	case OPT_PREFETCH:
		options->prefetch = read_unsigned(reading, 0, UINT16_MAX);
		break;
	case OPT_PERSISTENT:
		options->persistent = true;
		options->durable = true;
		break;
	case OPT_DURABLE:
		options->durable = true;
		break;
	case OPT_EXCHANGE:
		read_exchange(reading);
		break;
	case OPT_HEADER:
		read_header(reading);
		break;
	case OPT_BINDINGS:
		options->bindings = read_unsigned(reading, 0, 10000000);
		break;
	case OPT_FANOUT:
		reading->fanout = read_unsigned(reading, 1, OPTIONS_PEERS_MAX);
		break;
	default: /* getopt has said what is wrong */
		reading->is_wrong = true;
		break;
	}
}

static void apply_fanout(struct reading *reading)
{
	struct options *options = reading->options;

	if (reading->has_queues)
		wrong(reading, "--fanout says how many queues: --queues does not go with it");
	if (reading->has_exchange && options->exchange != BENCH_EXCHANGE_FANOUT)
		wrong(reading, "--fanout means a fanout exchange");
	options->exchange = BENCH_EXCHANGE_FANOUT;
	options->queues = reading->fanout;
	if (!reading->has_consumers)
		options->consumers = reading->fanout;
}

static void apply_defaults(struct options *options)
{
	if (options->host == NULL)
		options->host = mem_strdup("127.0.0.1");
	if (options->user == NULL)
		options->user = mem_strdup("guest");
	if (options->password == NULL)
		options->password = mem_strdup("guest");
	if (options->vhost == NULL)
		options->vhost = mem_strdup("/");
	if (options->threads == 0)
		options->threads = sysconf(_SC_NPROCESSORS_ONLN) >= 4 ? 2 : 1;
	if (options->mode == BENCH_MODE_FILL && options->messages == 0)
		options->messages = 1000000;
}

static void check_combination(struct reading *reading)
{
	const struct options *options = reading->options;

	if (reading->has_seconds && options->messages > 0)
		wrong(reading, "--seconds or --messages, not both");
	if (options->mode == BENCH_MODE_FILL &&
	    (reading->has_seconds || options->warmup_s > 0 || options->rate > 0))
		wrong(reading, "--fill goes by --messages, at full speed");
	if (options->mode != BENCH_MODE_FLOW && (options->noise > 0 || options->slow > 0))
		wrong(reading, "--noise and --slow go beside publishing and consuming only");
	if (options->mode == BENCH_MODE_FILL && options->consumers == 0)
		wrong(reading, "--fill needs a consumer");
	if (options->ack > 0 && options->prefetch > 0 && options->ack > options->prefetch)
		wrong(reading, "--ack %u with --prefetch %u would wait for ever", options->ack,
		      options->prefetch);
	if (options->bindings > 0 && (options->exchange == BENCH_EXCHANGE_DEFAULT ||
				      options->exchange == BENCH_EXCHANGE_FANOUT))
		wrong(reading, "--bindings needs --exchange direct, topic, headers or x-TYPE");
	if (strlen(options->user) > 255 || strlen(options->password) > 1000 ||
	    strlen(options->vhost) > 255)
		wrong(reading, "user, password or vhost is too long");
}

int options_parse(struct options *options, int argc, char **argv, FILE *out, FILE *err)
{
	struct reading reading = {.options = options, .err = err};
	int option, index = 0;

	*options = (struct options){.port = 5672,
				    .producers = 1,
				    .consumers = 1,
				    .queues = 1,
				    .size = 100,
				    .seconds = 5,
				    .concurrency = 64,
				    .hold_s = 1,
				    .timeout_s = 10};
	optind = 0;
	while ((option = getopt_long(argc, argv, "h", longs, &index)) != -1) {
		if (option == OPT_HELP || option == 'h') {
			(void)fputs(help_text, out);
			return 1;
		}
		if (option == OPT_VERSION) {
			(void)fputs("shunt-bench " PACKAGE_VERSION "\n", out);
			return 1;
		}
		reading.name = longs[index].name;
		reading.text = optarg;
		if (!read_common(&reading, option) && !read_amount(&reading, option))
			read_load(&reading, option);
	}
	if (optind < argc)
		wrong(&reading, "unexpected argument: %s", argv[optind]);
	if (reading.fanout > 0)
		apply_fanout(&reading);
	apply_defaults(options);
	check_combination(&reading);
	return reading.is_wrong ? -EINVAL : 0;
}

void options_fini(struct options *options)
{
	mem_free(options->host);
	mem_free(options->user);
	mem_free(options->password);
	mem_free(options->vhost);
	mem_free(options->exchange_type);
	mem_free(options->header);
	*options = (struct options){0};
}
