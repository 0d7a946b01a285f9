/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <jansson.h>

static json_t *number(double value)
{
	return json_real(value);
}

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static double per(double whole, double parts)
{
	return parts > 0 ? whole / parts : 0;
}

static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static json_t *latency(const struct histogram *histogram)
{
	json_t *object = json_object();

	set(object, "count", integer(histogram->count));
	set(object, "p50_us", number((double)histogram_quantile(histogram, 0.5) / 1e3));
	set(object, "p90_us", number((double)histogram_quantile(histogram, 0.9) / 1e3));
	set(object, "p99_us", number((double)histogram_quantile(histogram, 0.99) / 1e3));
	set(object, "p999_us", number((double)histogram_quantile(histogram, 0.999) / 1e3));
	set(object, "max_us", number((double)histogram->max / 1e3));
	return object;
}

static void set_latency(json_t *object, const char *key, const struct histogram *histogram)
{
	if (histogram->count > 0)
		set(object, key, latency(histogram));
}

static json_t *rate(uint64_t count, double seconds, size_t size)
{
	json_t *object = json_object();
	double rate = per((double)count, seconds);

	set(object, "count", integer(count));
	set(object, "seconds", number(seconds));
	set(object, "rate", number(rate));
	if (size > 0)
		set(object, "bytes_per_second", number(rate * (double)size));
	return object;
}

static void set_cpu(json_t *object, const struct result_cpu *cpu, uint64_t count, bool has_process)
{
	set(object, "own_cpu_us_each", number(per((double)cpu->own_ns / 1e3, (double)count)));
	set(object, "own_cores", number(per((double)cpu->own_ns / 1e9, cpu->wall_s)));
	if (!has_process)
		return;
	set(object, "broker_cpu_us_each", number(per((double)cpu->cpu_ns / 1e3, (double)count)));
	set(object, "broker_cores", number(per((double)cpu->cpu_ns / 1e9, cpu->wall_s)));
	set(object, "broker_user_s", number((double)cpu->user_ns / 1e9));
	set(object, "broker_system_s", number((double)cpu->system_ns / 1e9));
}

static void set_memory(json_t *root, const struct result *result, uint64_t count)
{
	double growth = (double)result->rss_after - (double)result->rss_before;
	json_t *object = json_object();

	if (result->has_process) {
		set(object, "before", integer(result->rss_before));
		set(object, "after", integer(result->rss_after));
		set(object, "each", number(per(growth, (double)count)));
		if (result->rss_end > 0)
			set(object, "drained", integer(result->rss_end));
		set(root, "rss", json_incref(object));
	}
	json_decref(object);
}

static json_t *load(const struct options *options)
{
	json_t *object = json_object();

	set(object, "producers", integer(options->producers));
	set(object, "consumers", integer(options->consumers));
	set(object, "queues", integer(options->queues));
	set(object, "size", integer(options->size));
	set(object, "exchange", json_string(options_exchange_name(options)));
	set(object, "bindings", integer(options->bindings));
	set(object, "confirm", integer(options->confirm));
	set(object, "ack", integer(options->ack));
	set(object, "prefetch", integer(options->prefetch));
	set(object, "rate", number(options->rate));
	set(object, "durable", json_boolean(options->durable));
	set(object, "persistent", json_boolean(options->persistent));
	return object;
}

static json_t *check(const struct options *options, const struct result *result)
{
	const struct faults *faults = &result->faults;
	json_t *object = json_object();

	set(object, "ok", json_boolean(!faults_any(faults)));
	set(object, "by_number", json_boolean(result->is_checked_by_number));
	set(object, "published", integer(result->published_all));
	set(object, options->consumers > 0 ? "delivered" : "queued", integer(result->received));
	set(object, "expected", integer(result->expected));
	set(object, "lost", integer(faults->lost));
	set(object, "doubled", integer(faults->doubled));
	set(object, "reordered", integer(faults->reordered));
	set(object, "mixed", integer(faults->mixed));
	set(object, "redelivered", integer(faults->redelivered));
	set(object, "foreign", integer(faults->foreign));
	set(object, "nacked", integer(faults->nacked));
	set(object, "unconfirmed", integer(faults->unconfirmed));
	set(object, "confirmed_wrongly", integer(faults->confirmed_wrongly));
	set(object, "returned", integer(faults->returned));
	set(object, "stalled", json_boolean(result->is_stalled));
	return object;
}

static void set_noise(json_t *root, const char *key, const struct result_noise *noise)
{
	json_t *object;

	if (noise->peers == 0)
		return;
	object = json_object();
	set(object, "peers", integer(noise->peers));
	set(object, "published", rate(noise->published, noise->seconds, 0));
	set(object, "delivered", rate(noise->delivered, noise->seconds, 0));
	set(root, key, object);
}

static void set_flow(json_t *root, const struct options *options, const struct result *result)
{
	const struct result_flow *flow = &result->flow;
	bool is_fill = options->mode == BENCH_MODE_FILL;
	json_t *published = rate(flow->published, flow->publish_s, options->size);
	json_t *delivered =
		is_fill ? rate(result->drain.delivered, result->drain.deliver_s, options->size)
			: rate(flow->delivered, flow->deliver_s, options->size);

	set(root, "load", load(options));
	set_cpu(published, &flow->cpu, flow->published, result->has_process);
	if (is_fill)
		set_cpu(delivered, &result->drain.cpu, result->drain.delivered,
			result->has_process);
	else
		set_cpu(delivered, &flow->cpu, flow->delivered, result->has_process);
	if (!is_fill && options->messages == 0 && options->consumers > 0)
		set(delivered, "behind", integer(flow->behind));
	if (options->consumers > 1) {
		set(delivered, "least", integer(result->received_least));
		set(delivered, "most", integer(result->received_most));
	}
	set(root, is_fill ? "fill" : "published", published);
	set(root, is_fill ? "drain" : "delivered", delivered);
	set_latency(root, "confirm_latency", &result->confirm_latency);
	if (!is_fill)
		set_latency(root, "latency", &result->latency);
	set_latency(root, "send_lag", &result->lag);
	set_noise(root, "noise", &result->noise);
	set_noise(root, "slow", &result->slow);
	set_memory(root, result, flow->published);
	if (!(is_fill && result->is_interrupted))
		set(root, "check", check(options, result));
}

static void set_opened(json_t *root, const struct options *options, const struct result *result)
{
	json_t *opened = rate(result->opened, result->opening.publish_s, 0);

	set_cpu(opened, &result->opening.cpu, result->opened, result->has_process);
	set(root, options->mode == BENCH_MODE_CHURN ? "cycles" : "opened", opened);
	set(root, "concurrency", integer(options->concurrency));
	set_latency(root, "handshake", &result->open_latency);
	if (options->mode == BENCH_MODE_CONNECTIONS && result->has_process)
		set(root, "idle_cpu_us_per_second",
		    number(per((double)result->hold.cpu_ns / 1e3, result->hold.wall_s)));
	set_memory(root, result, result->opened);
}

void report_json(FILE *out, const struct options *options, const struct result *result)
{
	static const char *const modes[] = {
		[BENCH_MODE_FLOW] = "flow",
		[BENCH_MODE_FILL] = "fill",
		[BENCH_MODE_CONNECTIONS] = "connections",
		[BENCH_MODE_CHURN] = "churn",
	};
	json_t *root = json_object();

	set(root, "broker", json_string(result->broker));
	set(root, "tls", options->is_tls ? json_string(result->tls) : json_null());
	set(root, "mode", json_string(modes[options->mode]));
	set(root, "threads", integer(options->threads));
	set(root, "interrupted", json_boolean(result->is_interrupted));
	if (options->mode == BENCH_MODE_FLOW || options->mode == BENCH_MODE_FILL)
		set_flow(root, options, result);
	else
		set_opened(root, options, result);
	(void)json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	(void)fputc('\n', out);
	json_decref(root);
}
