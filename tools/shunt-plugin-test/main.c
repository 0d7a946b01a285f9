/* SPDX-License-Identifier: MIT */

/* shunt-plugin-test FILE.so: checks a plugin without a broker. docs/shunt-plugin-test.1 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "child.h"
#include "options.h"
#include "report.h"

/* What is to be done, and what was found so far. */
struct run {
	const struct options *options;
	struct subject subject;
	struct trace *trace;
	struct report report;
	char (*types)[128];
	size_t n_types;
};

static const char usage[] =
	"usage: shunt-plugin-test [OPTION]... FILE.so\n"
	"  --seed N        repeats what another run has found\n"
	"  --rounds N      of each check that works at random (50)\n"
	"  --timeout S     seconds that a call of the plugin may take (10)\n"
	"  --only CHECK    this one alone; may be given several times\n"
	"  --skip CHECK    not this one\n"
	"  --bench         measures direct, fanout, topic and headers in known shapes, too\n"
	"  --script FILE   FILE.so runs scripts: checks this one in its place\n"
	"  -o KEY=VALUE    an option of the plugin, as plugin.NAME.KEY in a broker\n"
	"  --json          one JSON object instead of lines\n"
	"  -v, --verbose   shows also checks for which the plugin has nothing\n"
	"  --list          the checks\n"
	"  --help, --version\n";

static void list_checks(void)
{
	for (const struct check *check = checks; check->name != NULL; check++)
		(void)printf("%-14s %s\n", check->name, check->help);
}

static bool is_named(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct run *run, const struct check *check)
{
	const struct options *o = run->options;

	if (is_named(o->skip, o->n_skip, check->name))
		return false;
	if (o->n_only > 0)
		return is_named(o->only, o->n_only, check->name);
	return !check->only_on_demand || o->has_bench;
}

static double now_s(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* False if it failed. What is not wanted is told only when it fails. */
static bool run_check(struct run *run, const struct check *check, const char *type, bool is_quiet)
{
	struct subject subject = run->subject;
	double start = now_s();
	bool failed;

	subject.type_name = type;
	child_run(check, &subject, run->options->timeout_s, run->trace);
	failed = run->trace->outcome == TRACE_FAILED;
	if (!is_quiet || failed)
		report_add(&run->report, check, type, run->trace, now_s() - start);
	return !failed;
}

static const struct check *check_named(const char *name)
{
	const struct check *check = checks;

	while (strcmp(check->name, name) != 0)
		check++;
	return check;
}

/* Without these, nothing else can be tried. */
static bool run_first(struct run *run)
{
	static const char *const names[] = {"symbol", "options", "start"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct check *check = check_named(names[i]);

		if (!run_check(run, check, NULL, !is_wanted(run, check)))
			return false;
	}
	run->n_types = run->trace->n_types;
	run->types = mem_alloc(sizeof(run->trace->type_names));
	memcpy(run->types, run->trace->type_names, sizeof(run->trace->type_names));
	return true;
}

static void run_rest(struct run *run)
{
	for (const struct check *check = check_named("start") + 1; check->name != NULL; check++) {
		if (!is_wanted(run, check))
			continue;
		if (!check->of_type)
			(void)run_check(run, check, NULL, false);
		for (size_t i = 0; check->of_type && i < run->n_types; i++)
			(void)run_check(run, check, run->types[i], false);
	}
}

static int run_all(const struct options *options)
{
	/* dlopen() looks for a name without a '/' in other places */
	char *path = strchr(options->path, '/') != NULL ? mem_strdup(options->path)
							: mem_printf("./%s", options->path);
	struct run run = {
		.options = options,
		.subject = {.path = path,
			    .script = options->script,
			    .settings = options->settings,
			    .n_settings = options->n_settings,
			    .seed = options->seed,
			    .rounds = options->rounds,
			    .patience_s = options->timeout_s},
		.trace = child_trace_create(),
	};
	int status;

	if (run.trace == NULL) {
		(void)fprintf(stderr, "shunt-plugin-test: %s\n", strerror(errno));
		return EX_OSERR;
	}
	report_begin(&run.report, options->script ? options->script : options->path, options->seed,
		     options->is_json, options->is_verbose);
	if (run_first(&run))
		run_rest(&run);
	status = run.report.failed > 0 ? 1 : 0;
	if (report_end(&run.report) < 0)
		status = EX_IOERR;
	mem_free(run.types);
	mem_free(path);
	return status;
}

static bool can_be_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		(void)fprintf(stderr, "shunt-plugin-test: %s: %s\n", path, strerror(errno));
		return false;
	}
	(void)close(fd);
	return true;
}

int main(int argc, char **argv)
{
	struct options options;

	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_LIST:
		list_checks();
		return 0;
	case OPTIONS_HELP:
		(void)fputs(usage, stdout);
		return 0;
	case OPTIONS_VERSION:
		(void)printf("shunt-plugin-test %s\n", PACKAGE_VERSION);
		return 0;
	case OPTIONS_WRONG:
		(void)fputs(usage, stderr);
		return EX_USAGE;
	case OPTIONS_RUN:
		break;
	}
	if (!can_be_read(options.path) || (options.script && !can_be_read(options.script)))
		return EX_NOINPUT;
	return run_all(&options);
}
