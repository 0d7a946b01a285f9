/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_OPTIONS_H
#define TOOLS_SHUNT_PLUGIN_TEST_OPTIONS_H

/* The command line. */

#include "host.h"

#define OPTIONS_ONLY_MAX 64

enum options_result {
	OPTIONS_RUN,
	OPTIONS_LIST,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_WRONG, /* said on standard error */
};

struct options {
	const char *path, *script;
	uint64_t seed; /* drawn when none is given */
	unsigned rounds;
	double timeout_s;
	bool is_json, is_verbose, has_bench;
	const char *only[OPTIONS_ONLY_MAX], *skip[OPTIONS_ONLY_MAX];
	size_t n_only, n_skip;
	struct setting settings[HOST_SETTINGS_MAX];
	size_t n_settings;
};

/* Texts of argv are kept, and cut at '='. */
enum options_result options_parse(int argc, char **argv, struct options *ret);

#endif
