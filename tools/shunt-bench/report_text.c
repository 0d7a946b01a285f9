/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>

static double per(double whole, double parts)
{
	return parts > 0 ? whole / parts : 0;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_load(FILE *out, const struct options *options)
{
	(void)fprintf(out, "load          %u producer%s, %u consumer%s, %u queue%s, %s exchange",
		      options->producers, plural(options->producers), options->consumers,
		      plural(options->consumers), options->queues, plural(options->queues),
		      options_exchange_name(options));
	if (options->bindings > 0)
		(void)fprintf(out, " with %u more binding%s", options->bindings,
			      plural(options->bindings));
	if (options->noise > 0 || options->slow > 0)
		(void)fprintf(out,
			      "\n              beside %u flat-out producer%s, %u slow consumer%s",
			      options->noise, plural(options->noise), options->slow,
			      plural(options->slow));
	(void)fprintf(out, "\n              %zu byte%s, %s", options->size, plural(options->size),
		      options->persistent ? "persistent" : "transient");
	if (options->rate > 0)
		(void)fprintf(out, ", %g/s", options->rate);
	if (options->confirm > 0)
		(void)fprintf(out, ", confirm window %u", options->confirm);
	if (options->ack == 0)
		(void)fprintf(out, ", auto-ack");
	else
		(void)fprintf(out, ", ack every %u", options->ack);
	if (options->prefetch > 0)
		(void)fprintf(out, ", prefetch %u", options->prefetch);
	(void)fprintf(out, ", %u thread%s\n", options->threads, plural(options->threads));
}

static void print_rate(FILE *out, const char *name, uint64_t count, double seconds, size_t size)
{
	double rate = per((double)count, seconds);

	(void)fprintf(out, "%-13s %.0f/s", name, rate);
	if (size > 0)
		(void)fprintf(out, ", %.1f MB/s", rate * (double)size / 1e6);
	(void)fprintf(out, " (%" PRIu64 " in %.3f s)\n", count, seconds);
}

static void print_latency(FILE *out, const char *name, const struct histogram *histogram)
{
	if (histogram->count == 0)
		return;
	(void)fprintf(out, "%-13s p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us\n", name,
		      (double)histogram_quantile(histogram, 0.5) / 1e3,
		      (double)histogram_quantile(histogram, 0.99) / 1e3,
		      (double)histogram_quantile(histogram, 0.999) / 1e3,
		      (double)histogram->max / 1e3);
}

/* CPU for each of `count` things called `unit`, and of `other_count` (0: none) others. */
struct shares {
	uint64_t count;
	const char *unit;
	uint64_t other_count;
	const char *other_unit;
};

static void print_shares(FILE *out, const char *name, uint64_t cpu_ns, double wall_s,
			 const struct shares *shares)
{
	double cpu_us = (double)cpu_ns / 1e3;

	(void)fprintf(out, "%-13s %.3f us a %s", name, per(cpu_us, (double)shares->count),
		      shares->unit);
	if (shares->other_count > 0)
		(void)fprintf(out, ", %.3f us a %s", per(cpu_us, (double)shares->other_count),
			      shares->other_unit);
	(void)fprintf(out, ", %.2f cores", per((double)cpu_ns / 1e9, wall_s));
}

static void print_cpu(FILE *out, const struct result_cpu *cpu, bool has_process,
		      const struct shares *shares)
{
	uint64_t ticks = cpu->user_ns + cpu->system_ns;

	if (has_process) {
		print_shares(out, "broker CPU", cpu->cpu_ns, cpu->wall_s, shares);
		(void)fprintf(out, ", %.0f%% of it in the kernel\n",
			      100 * per((double)cpu->system_ns, (double)ticks));
	}
	print_shares(out, "own CPU", cpu->own_ns, cpu->wall_s, shares);
	(void)fputc('\n', out);
}

/* When the tool itself had no time left, its figures say little about the broker. */
static void print_bottleneck(FILE *out, const struct options *options, const struct result_cpu *cpu)
{
	double busy = per((double)cpu->own_ns / 1e9, cpu->wall_s * options->threads);

	if (busy > 0.95 && options->rate <= 0)
		(void)fprintf(out,
			      "note          shunt-bench was busy itself: more --threads may show "
			      "more\n");
}

/* By time: a queue that grew all the while is no throughput. */
static void print_behind(FILE *out, const struct options *options, const struct result_flow *flow)
{
	double rate = per((double)flow->delivered, flow->deliver_s);

	if (options->messages == 0 && options->consumers > 0)
		(void)fprintf(out, "behind        %" PRIu64 " at the end, %.3f s of deliveries\n",
			      flow->behind, per((double)flow->behind, rate));
}

/* Whether the consumers got the same. */
static void print_consumers(FILE *out, const struct options *options, const struct result *result)
{
	if (options->consumers > 1)
		(void)fprintf(out, "a consumer    %" PRIu64 " to %" PRIu64 " deliveries\n",
			      result->received_least, result->received_most);
}

static void print_noise(FILE *out, const char *name, const struct result_noise *noise)
{
	if (noise->peers > 0)
		(void)fprintf(out, "%-13s %.0f/s published, %.0f/s delivered\n", name,
			      per((double)noise->published, noise->seconds),
			      per((double)noise->delivered, noise->seconds));
}

static void print_flow(FILE *out, const struct options *options, const struct result *result)
{
	const struct result_flow *flow = &result->flow;
	const struct shares shares = {flow->published, "message", flow->delivered, "delivery"};
	const struct shares drained = {.count = result->drain.delivered, .unit = "delivery"};

	print_load(out, options);
	print_rate(out, options->mode == BENCH_MODE_FILL ? "fill" : "published", flow->published,
		   flow->publish_s, options->size);
	if (options->mode == BENCH_MODE_FLOW && options->consumers > 0)
		print_rate(out, "delivered", flow->delivered, flow->deliver_s, options->size);
	if (options->mode == BENCH_MODE_FLOW)
		print_behind(out, options, flow);
	print_consumers(out, options, result);
	print_latency(out, "confirm", &result->confirm_latency);
	if (options->mode == BENCH_MODE_FLOW)
		print_latency(out, "latency", &result->latency);
	print_latency(out, "send lag", &result->lag);
	print_noise(out, "noise", &result->noise);
	print_noise(out, "slow", &result->slow);
	print_cpu(out, &flow->cpu, result->has_process, &shares);
	print_bottleneck(out, options, &flow->cpu);
	if (options->mode == BENCH_MODE_FILL) {
		print_rate(out, "drain", result->drain.delivered, result->drain.deliver_s,
			   options->size);
		print_cpu(out, &result->drain.cpu, result->has_process, &drained);
	}
}

static void print_memory(FILE *out, const struct options *options, const struct result *result,
			 uint64_t count, const char *unit)
{
	double mib = 1 << 20;

	if (!result->has_process)
		return;
	(void)fprintf(out, "broker RSS    %.1f MiB before, %.1f MiB after",
		      (double)result->rss_before / mib, (double)result->rss_after / mib);
	if (options->mode == BENCH_MODE_FILL || options->mode == BENCH_MODE_CONNECTIONS)
		(void)fprintf(
			out, ", %.0f bytes %s",
			per((double)result->rss_after - (double)result->rss_before, (double)count),
			unit);
	if (result->rss_end > 0)
		(void)fprintf(out, ", %.1f MiB when drained", (double)result->rss_end / mib);
	(void)fputc('\n', out);
}

static void print_opened(FILE *out, const struct options *options, const struct result *result)
{
	const struct shares shares = {.count = result->opened, .unit = "connection"};
	bool is_churn = options->mode == BENCH_MODE_CHURN;

	(void)fprintf(out,
		      "load          %s connections with a channel each, %u at a time, %u "
		      "thread%s\n",
		      is_churn ? "opening and closing" : "opening", options->concurrency,
		      options->threads, plural(options->threads));
	print_rate(out, is_churn ? "cycles" : "opened", result->opened, result->opening.publish_s,
		   0);
	print_latency(out, "handshake", &result->open_latency);
	print_cpu(out, &result->opening.cpu, result->has_process, &shares);
	print_bottleneck(out, options, &result->opening.cpu);
	if (!is_churn && result->has_process)
		(void)fprintf(out, "idle CPU      %.3f ms in %.1f s\n",
			      (double)result->hold.cpu_ns / 1e6, result->hold.wall_s);
}

static void print_fault(FILE *out, uint64_t count, const char *what)
{
	if (count > 0)
		(void)fprintf(out, "FAILED        %" PRIu64 " %s\n", count, what);
}

static void print_check(FILE *out, const struct options *options, const struct result *result)
{
	const struct faults *faults = &result->faults;

	if (!faults_any(faults) && options->consumers == 0)
		(void)fprintf(out, "check         all %" PRIu64 " messages are in the queues\n",
			      result->expected);
	else if (!faults_any(faults))
		(void)fprintf(out,
			      "check         %" PRIu64 " deliveries of %" PRIu64
			      " messages: none lost%s\n",
			      result->received, result->published_all,
			      result->is_checked_by_number ? ", doubled or reordered"
							   : " or doubled (counted only)");
	print_fault(out, faults->lost, "lost");
	print_fault(out, faults->doubled, "doubled");
	print_fault(out, faults->reordered, "out of order");
	print_fault(out, faults->mixed, "queues with as many lost as doubled");
	print_fault(out, faults->redelivered, "marked as redelivered");
	print_fault(out, faults->foreign, "not published by this run");
	print_fault(out, faults->nacked, "refused (basic.nack)");
	print_fault(out, faults->unconfirmed, "never confirmed");
	print_fault(out, faults->confirmed_wrongly, "confirms of nothing");
	print_fault(out, faults->returned, "returned");
	if (result->is_stalled)
		(void)fprintf(out, "note          nothing moved for %g s%s\n", options->timeout_s,
			      result->was_blocked ? ": the broker blocks publishers" : "");
}

void report_text(FILE *out, const struct options *options, const struct result *result)
{
	(void)fprintf(out, "broker        %s at %s port %u%s%s\n",
		      result->broker[0] != '\0' ? result->broker : "without a name", options->host,
		      options->port, options->is_tls ? ", " : "", result->tls);
	if (options->mode == BENCH_MODE_FLOW || options->mode == BENCH_MODE_FILL) {
		print_flow(out, options, result);
		print_memory(out, options, result, result->flow.published, "a message");
		if (!(options->mode == BENCH_MODE_FILL && result->is_interrupted))
			print_check(out, options, result);
	} else {
		print_opened(out, options, result);
		print_memory(out, options, result, result->opened, "a connection");
	}
	if (result->is_interrupted)
		(void)fputs("note          interrupted\n", out);
}
