/* SPDX-License-Identifier: MIT */
/* A table in a frame. The widths are known when the last row is there, so all of them are kept. */
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/mem.h"
#include "cell.h"
#include "formatter.h"

/* Columns that the text takes on a terminal. */
static size_t text_width(const char *text, size_t size)
{
	mbstate_t state = { 0 };
	size_t width = 0;

	while (size != 0) {
		wchar_t character;
		size_t n = mbrtowc(&character, text, size, &state);
		int columns;

		if (n == (size_t)-1 || n == (size_t)-2 || n == 0)
			return width + size; /* not UTF-8: a column a byte */
		columns = wcwidth(character);
		width += columns < 0 ? 1 : (size_t)columns;
		text += n;
		size -= n;
	}
	return width;
}

/* The row's cells as texts. */
static json_t *pretty_texts(const json_t *row)
{
	json_t *texts = json_array();
	struct buffer text, shown;

	buffer_init(&text);
	buffer_init(&shown);
	for (size_t i = 0; i < json_array_size(row); i++) {
		buffer_clear(&text);
		buffer_clear(&shown);
		cell_print_text(json_array_get(row, i), &text);
		cell_escape(buffer_slice(&text), &shown);
		json_array_append_new(texts, json_stringn(buffer_cstr(&shown), shown.size));
	}
	buffer_fini(&text);
	buffer_fini(&shown);
	return texts;
}

static void pretty_row(struct output *output, json_t *row)
{
	if (output->kept == NULL) {
		output->kept = json_array();
		json_array_append_new(output->kept, pretty_texts(output->columns));
	}
	json_array_append_new(output->kept, pretty_texts(row));
}

static size_t *pretty_widths(const json_t *rows, size_t n_columns)
{
	size_t *widths = mem_zalloc((n_columns + 1) * sizeof(*widths));

	for (size_t i = 0; i < json_array_size(rows); i++) {
		for (size_t j = 0; j < n_columns; j++) {
			const json_t *text = json_array_get(json_array_get(rows, i), j);
			size_t width = text_width(json_string_value(text), json_string_length(text));

			widths[j] = width > widths[j] ? width : widths[j];
		}
	}
	return widths;
}

static void print_rule(const size_t *widths, size_t n_columns, const char *left, const char *middle, const char *right)
{
	fputs(left, stdout);
	for (size_t i = 0; i < n_columns; i++) {
		if (i != 0)
			fputs(middle, stdout);
		for (size_t j = 0; j < widths[i] + 2; j++)
			fputs("─", stdout);
	}
	fputs(right, stdout);
	fputc('\n', stdout);
}

static void print_row(const struct output *output, const json_t *row, const size_t *widths, bool is_title)
{
	bool is_bold = is_title && output->is_terminal;

	for (size_t i = 0; i < json_array_size(row); i++) {
		const json_t *cell = json_array_get(row, i);
		const char *text = json_string_value(cell);
		size_t size = json_string_length(cell);

		printf("│ %s", is_bold ? "\033[1m" : "");
		fwrite(text, 1, size, stdout);
		printf("%s%*s", is_bold ? "\033[0m" : "", (int)(widths[i] - text_width(text, size)) + 1, "");
	}
	puts("│");
}

static void pretty_end(struct output *output)
{
	size_t n_columns = json_array_size(output->columns), n_rows = json_array_size(output->kept);
	size_t *widths;

	if (n_rows == 0)
		return;
	widths = pretty_widths(output->kept, n_columns);
	for (size_t i = 0; i < n_rows; i++) {
		print_rule(widths, n_columns, i == 0 ? "┌" : "├", i == 0 ? "┬" : "┼", i == 0 ? "┐" : "┤");
		print_row(output, json_array_get(output->kept, i), widths, i == 0);
	}
	print_rule(widths, n_columns, "└", "┴", "┘");
	mem_free(widths);
}

const struct formatter formatter_pretty_table = { .name = "pretty_table", .row = pretty_row, .end = pretty_end };
