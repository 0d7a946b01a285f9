/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/descriptors.h"
#include "base/mem.h"
#include "config.h"
#include "server.h"

struct arguments {
	char **options;
	struct config_source source;
	bool only_check;
};

static void usage(FILE *out)
{
	fputs("Usage: shuntd [-c FILE] [-o KEY=VALUE]... [--check-config]\n"
	      "An AMQP 0-9-1 message broker. Stays in the foreground and logs to standard error.\n"
	      "\n"
	      "  -c, --config FILE      read the configuration from FILE\n"
	      "  -o, --option KEY=VALUE set one key; comes after the file, may be repeated\n"
	      "      --check-config     read the configuration, load the plugins, and end\n"
	      "  -V, --version          print the version\n"
	      "  -h, --help             print this\n",
	      out);
}

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"option", required_argument, NULL, 'o'},
		{"check-config", no_argument, NULL, 'C'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:o:Vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->source.path = optarg;
			break;
		case 'o':
			arguments->options[arguments->source.n_options++] = optarg;
			break;
		case 'C':
			arguments->only_check = true;
			break;
		case 'V':
			puts("shuntd " PACKAGE_VERSION);
			return SERVER_OK;
		case 'h':
			usage(stdout);
			return SERVER_OK;
		default:
			usage(stderr);
			return SERVER_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "shuntd: unexpected argument '%s'\n", argv[optind]);
	usage(stderr);
	return SERVER_USAGE;
}

/* Looking at the configuration touches no file, and says what it has to where it was asked. */
static enum server_status open_no_log(const struct config *config)
{
	struct log_settings settings = config->log;

	settings.console.is_on = true;
	settings.file.is_on = false;
	log_settings_apply(&settings);
	return SERVER_OK;
}

static enum server_status open_log(const struct config *config)
{
	int result = config->log_file != NULL ? log_file_open(config->log_file) : 0;

	if (result == 0) {
		log_settings_apply(&config->log);
		return SERVER_OK;
	}
	log_error("config", "cannot open the log file: path=\"%s\" reason=\"%s\"", config->log_file,
		  strerror(-result));
	return SERVER_CONFIG;
}

static enum server_status configure(struct config *config, const struct arguments *arguments)
{
	char error[CONFIG_ERROR_MAX];

	config_init(config);
	if (config_read(config, &arguments->source, error) != 0) {
		log_error("config", "%s", error);
		return SERVER_CONFIG;
	}
	config_complete(config);
	log_starting(true);
	return arguments->only_check ? open_no_log(config) : open_log(config);
}

/* Room in the table of descriptors, 128 KiB of the kernel's memory. More are served, too. */
#define MAIN_DESCRIPTORS 16384u

static enum server_status serve(struct config *config, const struct arguments *arguments)
{
	struct server *server;
	enum server_status status;

	descriptors_raise_limit();
	descriptors_reserve(MAIN_DESCRIPTORS);
	status = server_create(config, &arguments->source, arguments->only_check, &server);
	if (status == SERVER_OK && !arguments->only_check)
		status = server_run(server);
	server_destroy(server);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.options = mem_alloc(((size_t)argc + 1) * sizeof(char *))};
	struct config config;
	int status;

	arguments.source.options = arguments.options;
	status = parse(argc, argv, &arguments);
	if (status < 0) {
		status = (int)configure(&config, &arguments);
		if (status == SERVER_OK)
			status = (int)serve(&config, &arguments);
		config_fini(&config);
	}
	mem_free(arguments.options);
	return status;
}
