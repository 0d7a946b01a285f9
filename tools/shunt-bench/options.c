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

#include "base/mem.h"
#include "options_reading.h"

static const char help_text[] =
	"Usage: shunt-bench [OPTION]...\n"
	"Loads an AMQP 0-9-1 broker and tells how fast it is, and whether it lost anything.\n"
	"\n"
	"The broker:\n"
	"  --host HOST           default 127.0.0.1\n"
	"  --port PORT           default 5672\n"
	"  --url URL             amqp://user:password@host:port/vhost, or amqps: TLS\n"
	"  --tls                 speak TLS (default port 5671)\n"
	"  --cacertfile FILE     who vouches for the broker (the system's certificates)\n"
	"  --certfile FILE       a certificate to show\n"
	"  --keyfile FILE        its key (in the certificate's file)\n"
	"  --verify MODE         verify_peer, or verify_none (without --cacertfile the default)\n"
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
	OPT_TLS,
	OPT_CACERTFILE,
	OPT_CERTFILE,
	OPT_KEYFILE,
	OPT_VERIFY,
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
	{"tls", no_argument, NULL, OPT_TLS},
	{"cacertfile", required_argument, NULL, OPT_CACERTFILE},
	{"certfile", required_argument, NULL, OPT_CERTFILE},
	{"keyfile", required_argument, NULL, OPT_KEYFILE},
	{"verify", required_argument, NULL, OPT_VERIFY},
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

void options_wrong(struct reading *reading, const char *format, ...)
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

uint64_t options_read_count(struct reading *reading, uint64_t min, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(reading->text, &end, 10);
	if (!isdigit((unsigned char)*reading->text) || *end != '\0' || errno != 0 || value < min ||
	    value > max) {
		options_wrong(reading, "--%s takes a number from %llu to %llu", reading->name,
			      (unsigned long long)min, (unsigned long long)max);
		return min;
	}
	return value;
}

static unsigned read_unsigned(struct reading *reading, unsigned min, unsigned max)
{
	return (unsigned)options_read_count(reading, min, max);
}

static double read_positive(struct reading *reading, double min, double max)
{
	double value;
	char *end;

	value = strtod(reading->text, &end);
	if (end == reading->text || *end != '\0' || !isfinite(value) || value < min ||
	    value > max) {
		options_wrong(reading, "--%s takes a number from %g to %g", reading->name, min,
			      max);
		return min;
	}
	return value;
}

void options_set_string(char **string, char *value)
{
	mem_free(*string);
	*string = value;
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
		options_wrong(reading,
			      "--exchange takes default, direct, fanout, topic, headers or x-TYPE");
		return;
	}
	reading->options->exchange = BENCH_EXCHANGE_OTHER;
	options_set_string(&reading->options->exchange_type, mem_strdup(reading->text));
}

/* The properties with it go into one small frame (producer.c). */
static void read_header(struct reading *reading)
{
	if (strlen(reading->text) > 64)
		options_wrong(reading, "--header takes at most 64 bytes");
	else
		options_set_string(&reading->options->header, mem_strdup(reading->text));
}

static void set_mode(struct reading *reading, enum bench_mode mode)
{
	if (reading->options->mode != BENCH_MODE_FLOW && reading->options->mode != mode)
		options_wrong(reading, "only one of --fill, --connections and --churn");
	reading->options->mode = mode;
}

/* False: not one of these. */
static bool read_tls(struct reading *reading, int option)
{
	struct options *options = reading->options;

	switch (option) {
	case OPT_TLS:
		options->is_tls = true;
		break;
	case OPT_CACERTFILE:
		options_set_string(&options->cacertfile, mem_strdup(reading->text));
		break;
	case OPT_CERTFILE:
		options_set_string(&options->certfile, mem_strdup(reading->text));
		break;
	case OPT_KEYFILE:
		options_set_string(&options->keyfile, mem_strdup(reading->text));
		break;
	case OPT_VERIFY:
		reading->has_verify = true;
		options->verify_peer = strcmp(reading->text, "verify_peer") == 0;
		if (!options->verify_peer && strcmp(reading->text, "verify_none") != 0)
			options_wrong(reading, "--verify takes verify_peer or verify_none");
		break;
	default:
		return false;
	}
	return true;
}

/* The broker and the tool. False: not one of these. */
static bool read_common(struct reading *reading, int option)
{
	struct options *options = reading->options;

	switch (option) {
	case OPT_HOST:
		options_set_string(&options->host, mem_strdup(reading->text));
		break;
	case OPT_PORT:
		options->port = (uint16_t)options_read_count(reading, 1, UINT16_MAX);
		break;
	case OPT_URL:
		options_read_url(reading);
		break;
	case OPT_PID:
		options->pid = (pid_t)options_read_count(reading, 1, INT_MAX);
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
		options->size = options_read_count(reading, 0, UINT64_C(512) << 20);
		break;
	case OPT_MESSAGES:
		options->messages = options_read_count(reading, 1, UINT64_C(1) << 40);
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

int options_parse(struct options *options, int argc, char **argv, FILE *out, FILE *err)
{
	struct reading reading = {.options = options, .err = err};
	int option, index = 0;

	*options = (struct options){.producers = 1,
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
		if (!read_tls(&reading, option) && !read_common(&reading, option) &&
		    !read_amount(&reading, option))
			read_load(&reading, option);
	}
	if (optind < argc)
		options_wrong(&reading, "unexpected argument: %s", argv[optind]);
	options_complete(&reading);
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
	mem_free(options->cacertfile);
	mem_free(options->certfile);
	mem_free(options->keyfile);
	*options = (struct options){0};
}
