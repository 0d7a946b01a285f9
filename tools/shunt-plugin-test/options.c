/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "check.h"

#define ROUNDS_DEFAULT	  50
#define ROUNDS_MAX	  1000000
#define TIMEOUT_DEFAULT_S 10

enum {
	OPTION_SEED = 256,
	OPTION_ROUNDS,
	OPTION_TIMEOUT,
	OPTION_JSON,
	OPTION_ONLY,
	OPTION_SKIP,
	OPTION_SCRIPT,
	OPTION_LIST,
	OPTION_BENCH,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option names[] = {
	{"seed", required_argument, NULL, OPTION_SEED},
	{"rounds", required_argument, NULL, OPTION_ROUNDS},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"json", no_argument, NULL, OPTION_JSON},
	{"only", required_argument, NULL, OPTION_ONLY},
	{"skip", required_argument, NULL, OPTION_SKIP},
	{"script", required_argument, NULL, OPTION_SCRIPT},
	{"list", no_argument, NULL, OPTION_LIST},
	{"bench", no_argument, NULL, OPTION_BENCH},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static bool wrong(const char *what, const char *value)
{
	(void)fprintf(stderr, "shunt-plugin-test: %s '%s'\n", what, value);
	return false;
}

static bool take_number(const char *text, uint64_t max, const char *what, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || *ret > max)
		return wrong(what, text);
	return true;
}

static bool take_seconds(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	if (end == text || *end != '\0' || !(*ret > 0 && *ret < 1e6))
		return wrong("bad timeout", text);
	return true;
}

static bool take_check(const char *name, const char **names_of, size_t *n)
{
	const struct check *check = checks;

	while (check->name != NULL && strcmp(check->name, name) != 0)
		check++;
	if (check->name == NULL || *n == OPTIONS_ONLY_MAX)
		return wrong("no such check", name);
	names_of[(*n)++] = name;
	return true;
}

static bool take_setting(char *text, struct options *o)
{
	char *equals = strchr(text, '=');

	if (equals == NULL || equals == text || o->n_settings == HOST_SETTINGS_MAX)
		return wrong("not KEY=VALUE:", text);
	*equals = '\0';
	o->settings[o->n_settings++] = (struct setting){text, equals + 1};
	return true;
}

static bool take(int letter, struct options *o)
{
	uint64_t number;

	switch (letter) {
	case OPTION_SEED:
		return take_number(optarg, UINT64_MAX, "bad seed", &o->seed);
	case OPTION_ROUNDS:
		if (!take_number(optarg, ROUNDS_MAX, "bad number of rounds", &number) ||
		    number == 0)
			return false;
		o->rounds = (unsigned)number;
		return true;
	case OPTION_TIMEOUT:
		return take_seconds(optarg, &o->timeout_s);
	case OPTION_JSON:
		return o->is_json = true;
	case OPTION_ONLY:
		return take_check(optarg, o->only, &o->n_only);
	case OPTION_SKIP:
		return take_check(optarg, o->skip, &o->n_skip);
	case OPTION_SCRIPT:
		o->script = optarg;
		return true;
	case OPTION_BENCH:
		return o->has_bench = true;
	case 'o':
		return take_setting(optarg, o);
	case 'v':
		return o->is_verbose = true;
	default:
		return false;
	}
}

enum options_result options_parse(int argc, char **argv, struct options *ret)
{
	int letter;

	*ret = (struct options){.seed = random_u64() >> 32,
				.rounds = ROUNDS_DEFAULT,
				.timeout_s = TIMEOUT_DEFAULT_S};
	while ((letter = getopt_long(argc, argv, "o:v", names, NULL)) >= 0) {
		if (letter == OPTION_LIST)
			return OPTIONS_LIST;
		if (letter == OPTION_HELP)
			return OPTIONS_HELP;
		if (letter == OPTION_VERSION)
			return OPTIONS_VERSION;
		if (!take(letter, ret))
			return OPTIONS_WRONG;
	}
	if (argc - optind != 1) {
		(void)fprintf(stderr, "shunt-plugin-test: one FILE.so is wanted\n");
		return OPTIONS_WRONG;
	}
	ret->path = argv[optind];
	return OPTIONS_RUN;
}
