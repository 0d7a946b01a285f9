/* SPDX-License-Identifier: MIT */
/* The report of `status`, in the sections of rabbitmqctl's. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cell.h"
#include "client.h"
#include "formatter.h"
#include "help.h"

struct report {
	const json_t *value;
	const char *unit;
	double divisor;
};

static void print_section(const char *title)
{
	static bool is_next;

	if (is_next)
		putchar('\n');
	is_next = true;
	if (isatty(STDOUT_FILENO))
		printf("\033[1m%s\033[0m\n\n", title);
	else
		printf("%s\n\n", title);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "0.1267 gb", "12 bytes" */
static void print_bytes(const struct report *report, json_int_t bytes)
{
	char text[48];
	char *end;

	if (report->divisor == 1) {
		printf("%lld bytes", (long long)bytes);
		return;
	}
	snprintf(text, sizeof(text), "%.4f", (double)bytes / report->divisor);
	for (end = text + strlen(text); end[-1] == '0' && end[-2] != '.'; end--)
		end[-1] = '\0';
	printf("%s %s", text, report->unit);
}

static void print_list(const json_t *texts)
{
	for (size_t i = 0; i < json_array_size(texts); i++)
		printf(" * %s\n", json_string_value(json_array_get(texts, i)));
	if (json_array_size(texts) == 0)
		puts("(none)");
}

/* ---- Sections ---- */

static void print_runtime(const json_t *value)
{
	print_section("Runtime");
	printf("OS PID: %lld\n", (long long)number_of(value, "pid"));
	printf("OS: %s\n", text_of(value, "os"));
	printf("Uptime (seconds): %lld\n", (long long)number_of(value, "uptime"));
	printf("Is under maintenance?: %s\n", json_is_true(json_object_get(value, "is_under_maintenance")) ? "true" : "false");
	printf("%s version: %s\n", text_of(value, "product_name"), text_of(value, "product_version"));
	printf("Node name: %s\n", text_of(value, "node"));
	printf("Event loops: %lld\n", (long long)number_of(value, "loops"));
}

static void print_plugins(const json_t *value)
{
	const json_t *plugins = json_object_get(value, "plugins");

	print_section("Plugins");
	puts("Enabled plugins:\n");
	for (size_t i = 0; i < json_array_size(plugins); i++) {
		const json_t *plugin = json_array_get(plugins, i);

		printf(" * %s %s (%s)\n", text_of(plugin, "name"), text_of(plugin, "version"), text_of(plugin, "path"));
	}
}

static void print_files(const json_t *value)
{
	print_section("Data directory");
	printf("Node data directory: %s\n", text_of(value, "data_directory"));
	print_section("Config files");
	print_list(json_object_get(value, "config_files"));
	print_section("Log file(s)");
	print_list(json_object_get(value, "log_files"));
}

static const char *name_of_resource(const char *resource)
{
	if (strcmp(resource, "memory") == 0)
		return "Memory";
	return strcmp(resource, "disk") == 0 ? "Free disk space" : resource;
}

static void print_alarms(const json_t *value)
{
	const json_t *alarms = json_object_get(value, "alarms");

	print_section("Alarms");
	for (size_t i = 0; i < json_array_size(alarms); i++) {
		const json_t *alarm = json_array_get(alarms, i);

		printf("%s alarm on node %s\n", name_of_resource(text_of(alarm, "resource")),
		       text_of(alarm, "node"));
	}
	if (json_array_size(alarms) == 0)
		puts("(none)");
}

static void print_memory(const struct report *report)
{
	json_t *memory = json_object_get(report->value, "memory"), *part;
	const json_t *total = json_object_get(memory, "total");
	json_int_t accounted = number_of(total, "accounted"),
		   limit = number_of(report->value, "vm_memory_high_watermark_limit");
	const char *name;

	print_section("Memory");
	printf("Total memory used: ");
	print_bytes(report, number_of(total, "rss"));
	printf("\nCalculation strategy: %s\n", text_of(report->value, "vm_memory_calculation_strategy"));
	printf("Accounted memory: ");
	print_bytes(report, accounted);
	printf("\nMemory high watermark setting: ");
	if (limit != 0)
		print_bytes(report, limit);
	puts(limit != 0 ? "\n" : "none\n");
	json_object_foreach(memory, name, part) {
		if (!json_is_integer(part))
			continue;
		printf("%s: ", name);
		print_bytes(report, json_integer_value(part));
		printf(" (%.2f %%)\n",
		       accounted != 0 ? 100.0 * (double)json_integer_value(part) / (double)accounted : 0.0);
	}
}

static void print_resources(const struct report *report)
{
	const json_t *descriptors = json_object_get(report->value, "file_descriptors");
	const json_t *disk_free = json_object_get(report->value, "disk_free");
	json_int_t limit = number_of(report->value, "disk_free_limit");

	print_section("File Descriptors");
	if (json_object_get(descriptors, "total_used") != NULL)
		printf("Total: %lld, limit: %lld\n", (long long)number_of(descriptors, "total_used"),
		       (long long)number_of(descriptors, "total_limit"));
	else
		printf("Limit: %lld\n", (long long)number_of(descriptors, "total_limit"));
	printf("Sockets: %lld\n", (long long)number_of(descriptors, "sockets_used"));
	print_section("Free Disk Space");
	printf("Low free disk space watermark: ");
	if (limit != 0)
		print_bytes(report, limit);
	puts(limit != 0 ? "" : "none");
	printf("Free disk space: ");
	if (disk_free != NULL)
		print_bytes(report, json_integer_value(disk_free));
	puts(disk_free != NULL ? "" : "unknown");
}

static void print_totals(const json_t *value)
{
	const json_t *totals = json_object_get(value, "totals");

	print_section("Totals");
	printf("Connection count: %lld\n", (long long)number_of(totals, "connection_count"));
	printf("Channel count: %lld\n", (long long)number_of(totals, "channel_count"));
	printf("Queue count: %lld\n", (long long)number_of(totals, "queue_count"));
	printf("Consumer count: %lld\n", (long long)number_of(totals, "consumer_count"));
	printf("Virtual host count: %lld\n", (long long)number_of(totals, "virtual_host_count"));
}

/* What a turn takes, everybody else on its loop waits for. */
static void print_loops(const json_t *value)
{
	const json_t *loops = json_object_get(value, "event_loops");
	double uptime_us = (double)number_of(value, "uptime") * 1e6;
	json_t *turns;
	const char *us;

	print_section("Event Loops");
	for (size_t i = 0; i < json_array_size(loops); i++) {
		const json_t *loop = json_array_get(loops, i);
		double busy_us = (double)number_of(loop, "busy_us");

		printf("Loop %lld: busy %.1f %%, longest turn %.1f ms, since last asked %.1f ms\n",
		       (long long)number_of(loop, "loop"),
		       busy_us < uptime_us ? 100.0 * busy_us / uptime_us : 100.0,
		       (double)number_of(loop, "longest_turn_us") / 1e3,
		       (double)number_of(loop, "longest_turn_since_asked_us") / 1e3);
		printf("Turns by microseconds:");
		json_object_foreach(json_object_get(loop, "turns_by_us"), us, turns) {
			if (json_integer_value(turns) != 0)
				printf(" %s+: %lld", us, (long long)json_integer_value(turns));
		}
		putchar('\n');
	}
}

static void print_listeners(const json_t *value)
{
	const json_t *listeners = json_object_get(value, "listeners");

	print_section("Listeners");
	for (size_t i = 0; i < json_array_size(listeners); i++) {
		const json_t *listener = json_array_get(listeners, i);
		const char *interface = text_of(listener, "interface");
		bool is_ipv6 = strchr(interface, ':') != NULL;

		printf("Interface: %s%s%s, port: %lld, protocol: %s, purpose: %s\n", is_ipv6 ? "[" : "", interface,
		       is_ipv6 ? "]" : "", (long long)number_of(listener, "port"), text_of(listener, "protocol"),
		       text_of(listener, "purpose"));
	}
}

static void print_report(const struct report *report)
{
	print_runtime(report->value);
	print_plugins(report->value);
	print_files(report->value);
	print_alarms(report->value);
	print_memory(report);
	print_resources(report);
	print_totals(report->value);
	print_loops(report->value);
	print_listeners(report->value);
}

/* ---- The command ---- */

static bool status_choose_unit(const char *unit, struct report *report)
{
	static const struct {
		const char *name, *shown;
		double divisor;
	} units[] = {
		{ "bytes", "bytes", 1 }, { "byte", "bytes", 1 }, { "b", "bytes", 1 },
		{ "kb", "kb", 1e3 },	 { "mb", "mb", 1e6 },	 { "gb", "gb", 1e9 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(units[i].name, unit) == 0) {
			report->unit = units[i].shown;
			report->divisor = units[i].divisor;
			return true;
		}
	}
	return false;
}

static void status_show(const struct options *options, struct report *report)
{
	struct buffer text;

	if (options->formatter == NULL || strcmp(options->formatter, "json") != 0) {
		if (formatter_wants_banner(options))
			printf("Status of node %s ...\n", text_of(report->value, "node"));
		print_report(report);
		return;
	}
	buffer_init(&text);
	cell_print_json(report->value, &text);
	puts(buffer_cstr(&text));
	buffer_fini(&text);
}

int status_run(const struct command *command, const struct options *options)
{
	struct report report = { .unit = "mb", .divisor = 1e6 }; /* of which a broker takes a few */
	struct client client;
	json_t *value = NULL;
	int status;

	if (options->unit != NULL && !status_choose_unit(options->unit, &report))
		return help_refuse(command, options, "unit '%s' is not supported. Please use one of: bytes, kb, mb, gb",
				   options->unit);
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK)
		status = client_call(&client, json_pack("{s:s}", "command", "status"), &value);
	report.value = value;
	if (status == EXIT_OK)
		status_show(options, &report);
	json_decref(value);
	client_close(&client);
	return status;
}
