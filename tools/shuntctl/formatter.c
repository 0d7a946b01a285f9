/* SPDX-License-Identifier: MIT */
#include "formatter.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cell.h"

static void print_line(struct output *output)
{
	buffer_append_byte(&output->line, '\n');
	fwrite(output->line.data, 1, output->line.size, stdout);
	buffer_clear(&output->line);
}

/* ---- Table: tabs between ---- */

static void print_cell(struct output *output, const json_t *value)
{
	struct buffer text;

	if (!output->is_terminal) {
		cell_print_text(value, &output->line);
		return;
	}
	buffer_init(&text);
	cell_print_text(value, &text);
	cell_escape(buffer_slice(&text), &output->line);
	buffer_fini(&text);
}

static void table_print(struct output *output, const json_t *row)
{
	for (size_t i = 0; i < json_array_size(row); i++) {
		if (i != 0)
			buffer_append_byte(&output->line, '\t');
		print_cell(output, json_array_get(row, i));
	}
	print_line(output);
}

static void table_row(struct output *output, json_t *row)
{
	if (output->n_rows == 0 && output->with_header)
		table_print(output, output->columns);
	table_print(output, row);
}

static void table_end(struct output *output)
{
	if (output->is_whole && output->n_rows == 0)
		puts("");
}

/* ---- CSV: all in quotes ---- */

static void csv_print(struct output *output, const json_t *row)
{
	struct buffer text;

	buffer_init(&text);
	for (size_t i = 0; i < json_array_size(row); i++) {
		buffer_append_cstr(&output->line, i != 0 ? ",\"" : "\"");
		buffer_clear(&text);
		cell_print_text(json_array_get(row, i), &text);
		for (size_t j = 0; j < text.size; j++) {
			if (text.data[j] == '"')
				buffer_append_byte(&output->line, '"');
			buffer_append_byte(&output->line, text.data[j]);
		}
		buffer_append_byte(&output->line, '"');
	}
	buffer_fini(&text);
	print_line(output);
}

static void csv_row(struct output *output, json_t *row)
{
	if (output->n_rows == 0)
		csv_print(output, output->columns);
	csv_print(output, row);
}

/* ---- JSON: an array of objects, one a line ---- */

static void json_begin(struct output *output)
{
	if (!output->is_whole)
		puts("[");
}

static void json_row(struct output *output, json_t *row)
{
	if (output->is_whole && output->n_rows == 0)
		puts("[");
	buffer_append_cstr(&output->line, output->n_rows != 0 ? ",{" : "{");
	for (size_t i = 0; i < json_array_size(row); i++) {
		if (i != 0)
			buffer_append_byte(&output->line, ',');
		cell_print_json(json_array_get(output->columns, i), &output->line);
		buffer_append_byte(&output->line, ':');
		cell_print_json(json_array_get(row, i), &output->line);
	}
	buffer_append_byte(&output->line, '}');
	print_line(output);
}

static void json_end(struct output *output)
{
	puts(output->is_whole && output->n_rows == 0 ? "[]" : "]");
}

/* ---- Choosing ---- */

static const struct formatter formatter_table = { .name = "table", .row = table_row, .end = table_end };
static const struct formatter formatter_csv = { .name = "csv", .is_for_machines = true, .row = csv_row };
static const struct formatter formatter_json = {
	.name = "json",
	.is_for_machines = true,
	.begin = json_begin,
	.row = json_row,
	.end = json_end,
};

const struct formatter *formatter_find(const char *name)
{
	static const struct formatter *const formatters[] = {
		&formatter_table,
		&formatter_json,
		&formatter_csv,
		&formatter_pretty_table,
	};

	for (size_t i = 0; i < sizeof(formatters) / sizeof(*formatters); i++)
		if (strcmp(formatters[i]->name, name) == 0)
			return formatters[i];
	return NULL;
}

const struct formatter *formatter_of(const struct options *options)
{
	const struct formatter *formatter = options->formatter != NULL ? formatter_find(options->formatter) : NULL;

	return formatter != NULL ? formatter : &formatter_table;
}

bool formatter_is_json(const struct options *options)
{
	return formatter_of(options) == &formatter_json;
}

bool formatter_wants_banner(const struct options *options)
{
	return !options_have(options, OPTION_QUIET) && !options_have(options, OPTION_SILENT) &&
	       !formatter_of(options)->is_for_machines;
}

/* ---- Output ---- */

void output_begin(struct output *output, const struct options *options, json_t *columns, bool is_whole)
{
	*output = (struct output){
		.formatter = formatter_of(options),
		.columns = columns,
		.with_header = !options_have(options, OPTION_NO_TABLE_HEADERS) && !options_have(options, OPTION_SILENT),
		.is_terminal = isatty(STDOUT_FILENO),
		.is_whole = is_whole,
	};
	buffer_init(&output->line);
	if (output->formatter->begin != NULL)
		output->formatter->begin(output);
}

void output_row(struct output *output, json_t *row)
{
	output->formatter->row(output, row);
	output->n_rows++;
}

void output_end(struct output *output)
{
	if (output->formatter->end != NULL)
		output->formatter->end(output);
}

void output_fini(struct output *output)
{
	json_decref(output->columns);
	json_decref(output->kept);
	buffer_fini(&output->line);
}

static void print_json_member(const char *separator, const char *name, const char *text)
{
	json_t *value = json_string(text);
	struct buffer line;

	buffer_init(&line);
	cell_print_json(value, &line);
	printf("%s\"%s\":%s", separator, name, buffer_cstr(&line));
	buffer_fini(&line);
	json_decref(value);
}

void output_result(const char *text, const char *node)
{
	if (text != NULL)
		print_json_member("{", "message", text);
	print_json_member(text != NULL ? "," : "{", "node", node != NULL ? node : "");
	printf(",\"%s\":\"ok\"}\n", text != NULL ? "status" : "result");
}

void output_message(const struct options *options, const char *text)
{
	const struct formatter *formatter = formatter_of(options);
	struct output output;
	json_t *row;

	if (formatter == &formatter_json) {
		print_json_member("{", "message", text);
		puts("}");
	} else if (formatter == &formatter_pretty_table) {
		row = json_pack("[s]", text);
		output_begin(&output, options, json_pack("[s]", "Output"), true);
		output_row(&output, row);
		output_end(&output);
		output_fini(&output);
		json_decref(row);
	} else {
		puts(text);
	}
}
