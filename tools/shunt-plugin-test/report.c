/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void report_begin(struct report *report, const char *path, uint64_t seed, bool is_json,
		  bool is_verbose)
{
	*report = (struct report){
		.is_json = is_json, .is_verbose = is_verbose, .path = path, .seed = seed};
	if (is_json)
		report->checks = json_array();
	else
		(void)printf("%s, seed %" PRIu64 "\n", path, seed);
}

/* ---- As text ---- */

static void put_figures(const struct trace *trace)
{
	for (size_t i = 0; i < trace->n_figures; i++)
		(void)printf("          %-60s %12.2f\n", trace->figures[i].name,
			     trace->figures[i].value);
}

static void put_line(const struct report *report, const struct check *check, const char *type,
		     const struct trace *trace, int outcome)
{
	static const char *const words[] = {
		[TRACE_PASSED] = "passed", [TRACE_SKIPPED] = "skipped", [TRACE_FAILED] = "FAILED"};
	char name[160];

	if (outcome == TRACE_SKIPPED && !report->is_verbose)
		return;
	(void)snprintf(name, sizeof(name), "%s%s%s", check->name, type != NULL ? " " : "",
		       type != NULL ? type : "");
	(void)printf("%-7s  %s", words[outcome], name);
	if (trace->text[0] != '\0')
		(void)printf(": %s", trace->text);
	else if (trace->note[0] != '\0')
		(void)printf(" (%s)", trace->note);
	(void)putchar('\n');
	if (outcome == TRACE_FAILED)
		(void)printf("         round %u; again with --seed %" PRIu64 " --only %s\n",
			     (unsigned)trace->round, report->seed, check->name);
	put_figures(trace);
	(void)fflush(stdout);
}

/* ---- As JSON ---- */

/* The texts are of plugins: what is no UTF-8 cannot be in JSON. */
static json_t *text_of(const char *text)
{
	json_t *string = json_string(text);
	char plain[TRACE_TEXT_SIZE];

	if (string != NULL)
		return string;
	(void)snprintf(plain, sizeof(plain), "%s", text);
	for (char *c = plain; *c != '\0'; c++)
		*c = (unsigned char)*c < 128 ? *c : '?';
	return json_string(plain);
}

static void add_object(struct report *report, const struct check *check, const char *type,
		       const struct trace *trace, int outcome, double seconds)
{
	static const char *const words[] = {
		[TRACE_PASSED] = "passed", [TRACE_SKIPPED] = "skipped", [TRACE_FAILED] = "failed"};
	json_t *object = json_pack("{s:s, s:s, s:f}", "check", check->name, "result",
				   words[outcome], "seconds", seconds);
	json_t *figures = json_object();

	if (type != NULL)
		(void)json_object_set_new(object, "type", text_of(type));
	if (trace->text[0] != '\0')
		(void)json_object_set_new(object, "text", text_of(trace->text));
	if (trace->note[0] != '\0')
		(void)json_object_set_new(object, "note", text_of(trace->note));
	if (outcome == TRACE_FAILED)
		(void)json_object_set_new(object, "round", json_integer((json_int_t)trace->round));
	for (size_t i = 0; i < trace->n_figures; i++)
		(void)json_object_set_new(figures, trace->figures[i].name,
					  json_real(trace->figures[i].value));
	if (trace->n_figures > 0)
		(void)json_object_set(object, "figures", figures);
	json_decref(figures);
	(void)json_array_append_new(report->checks, object);
}

/* ---- Both ---- */

void report_add(struct report *report, const struct check *check, const char *type,
		const struct trace *trace, double seconds)
{
	int outcome = trace->outcome;

	report->passed += outcome == TRACE_PASSED;
	report->failed += outcome == TRACE_FAILED;
	report->skipped += outcome == TRACE_SKIPPED;
	if (report->is_json)
		add_object(report, check, type, trace, outcome, seconds);
	else
		put_line(report, check, type, trace, outcome);
}

int report_end(struct report *report)
{
	json_t *all;

	if (!report->is_json) {
		(void)printf("%u passed, %u failed\n", report->passed, report->failed);
		return fflush(stdout) == 0 ? 0 : -1;
	}
	all = json_pack("{s:o, s:I, s:o, s:i, s:i, s:i}", "plugin", text_of(report->path), "seed",
			(json_int_t)report->seed, "checks", report->checks, "passed",
			(int)report->passed, "failed", (int)report->failed, "skipped",
			(int)report->skipped);
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(all);
	return fflush(stdout) == 0 ? 0 : -1;
}
