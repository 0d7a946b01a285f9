/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/mem.h"
#include "connections.h"
#include "options.h"
#include "report.h"
#include "run.h"

static int run_mode(const struct options *options, struct result *result)
{
	if (options->mode == BENCH_MODE_FLOW || options->mode == BENCH_MODE_FILL)
		return run_flow(options, result);
	return connections_run(options, result);
}

static int run_and_report(const struct options *options, FILE *out, FILE *err)
{
	struct result *result = mem_zalloc(sizeof(*result));
	int status = EXIT_SUCCESS;

	if (run_mode(options, result) < 0) {
		(void)fprintf(err, "shunt-bench: %s\n", result->error);
		status = EX_UNAVAILABLE;
	} else {
		if (options->json)
			report_json(out, options, result);
		else
			report_text(out, options, result);
		if (faults_any(&result->faults))
			status = EXIT_FAILURE;
	}
	mem_free(result);
	return status;
}

int bench_main(int argc, char **argv, FILE *out, FILE *err)
{
	struct options options;
	int error = options_parse(&options, argc, argv, out, err);
	int status = error < 0 ? EX_USAGE : EXIT_SUCCESS;

	if (error == 0)
		status = run_and_report(&options, out, err);
	options_fini(&options);
	return status;
}
