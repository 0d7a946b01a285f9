/* SPDX-License-Identifier: MIT */
#include "options_reading.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static void apply_fanout(struct reading *reading)
{
	struct options *options = reading->options;

	if (reading->has_queues)
		options_wrong(reading,
			      "--fanout says how many queues: --queues does not go with it");
	if (reading->has_exchange && options->exchange != BENCH_EXCHANGE_FANOUT)
		options_wrong(reading, "--fanout means a fanout exchange");
	options->exchange = BENCH_EXCHANGE_FANOUT;
	options->queues = reading->fanout;
	if (!reading->has_consumers)
		options->consumers = reading->fanout;
}

static void apply_defaults(struct reading *reading)
{
	struct options *options = reading->options;

	if (options->host == NULL)
		options->host = mem_strdup("127.0.0.1");
	if (options->user == NULL)
		options->user = mem_strdup("guest");
	if (options->password == NULL)
		options->password = mem_strdup("guest");
	if (options->vhost == NULL)
		options->vhost = mem_strdup("/");
	if (options->port == 0)
		options->port = options->is_tls ? 5671 : 5672;
	if (options->cacertfile != NULL && !reading->has_verify)
		options->verify_peer = true;
	if (options->threads == 0)
		options->threads = sysconf(_SC_NPROCESSORS_ONLN) >= 4 ? 2 : 1;
	if (options->mode == BENCH_MODE_FILL && options->messages == 0)
		options->messages = 1000000;
}

static void check_tls(struct reading *reading)
{
	const struct options *options = reading->options;

	if (!options->is_tls && (options->cacertfile != NULL || options->certfile != NULL ||
				 options->keyfile != NULL || reading->has_verify))
		options_wrong(reading,
			      "--cacertfile, --certfile, --keyfile and --verify go with --tls");
	if (options->keyfile != NULL && options->certfile == NULL)
		options_wrong(reading, "--keyfile goes with --certfile");
}

static void check_combination(struct reading *reading)
{
	const struct options *options = reading->options;

	if (reading->has_seconds && options->messages > 0)
		options_wrong(reading, "--seconds or --messages, not both");
	if (options->mode == BENCH_MODE_FILL &&
	    (reading->has_seconds || options->warmup_s > 0 || options->rate > 0))
		options_wrong(reading, "--fill goes by --messages, at full speed");
	if (options->mode != BENCH_MODE_FLOW && (options->noise > 0 || options->slow > 0))
		options_wrong(reading,
			      "--noise and --slow go beside publishing and consuming only");
	if (options->mode == BENCH_MODE_FILL && options->consumers == 0)
		options_wrong(reading, "--fill needs a consumer");
	if (options->ack > 0 && options->prefetch > 0 && options->ack > options->prefetch)
		options_wrong(reading, "--ack %u with --prefetch %u would wait for ever",
			      options->ack, options->prefetch);
	if (options->bindings > 0 && (options->exchange == BENCH_EXCHANGE_DEFAULT ||
				      options->exchange == BENCH_EXCHANGE_FANOUT))
		options_wrong(reading,
			      "--bindings needs --exchange direct, topic, headers or x-TYPE");
	if (strlen(options->user) > 255 || strlen(options->password) > 1000 ||
	    strlen(options->vhost) > 255)
		options_wrong(reading, "user, password or vhost is too long");
}

void options_complete(struct reading *reading)
{
	if (reading->fanout > 0)
		apply_fanout(reading);
	apply_defaults(reading);
	check_combination(reading);
	check_tls(reading);
}
