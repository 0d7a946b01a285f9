/* SPDX-License-Identifier: MIT */
/*
 * A definitions file. What is refused, is refused in one line; what is taken can be written, and what was written is
 * taken again, and written as the same.
 */
#include "fuzz.h"

#include <errno.h>

#include "admin/plan.h"
#include "amqp/table.h"
#include "base/log.h"
#include "base/mem.h"

static struct plan *read_plan(struct slice text)
{
	const struct plan_options options = {.vhost = SLICE_LITERAL("/"), .skips_unbuilt = text.size % 2 == 0};
	struct plan *plan = NULL;
	char reason[1024] = "";
	int r = plan_read(text, &options, &plan, NULL, reason, sizeof(reason));

	fuzz_check(r == 0 || r == -EINVAL);
	fuzz_check((r == 0) == (plan != NULL));
	fuzz_check((r != 0) == (reason[0] != '\0'));
	return plan;
}

static void check_tables(const struct plan *plan)
{
	for (size_t i = 0; i < plan_count(plan, PLAN_QUEUES); i++) {
		const struct plan_queue *queue = plan_item(plan, PLAN_QUEUES, i);

		fuzz_check(amqp_table_validate(queue->arguments, AMQP_TABLE_DEPTH_MAX) == 0);
	}
	for (size_t i = 0; i < plan_count(plan, PLAN_BINDINGS); i++) {
		const struct plan_binding *binding = plan_item(plan, PLAN_BINDINGS, i);

		fuzz_check(amqp_table_validate(binding->arguments, AMQP_TABLE_DEPTH_MAX) == 0);
	}
}

/* {"queues":[...]} of the lines ["queues",{...}]. */
static void put_section(struct buffer *file, struct slice lines, const char *section)
{
	size_t prefix = strlen(section) + 4; /* ["queues", */
	bool is_first = true;

	buffer_printf(file, "%s\"%s\":[", file->size > 1 ? "," : "", section);
	while (lines.size > 0) {
		const uint8_t *end = memchr(lines.data, '\n', lines.size);
		size_t size = (size_t)(end - lines.data);

		if (size > prefix && memcmp(lines.data + 2, section, prefix - 4) == 0 && lines.data[prefix - 2] == '"') {
			buffer_append_cstr(file, is_first ? "" : ",");
			buffer_append(file, lines.data + prefix, size - prefix - 1);
			is_first = false;
		}
		lines = slice_make(end + 1, lines.size - size - 1);
	}
	buffer_append_byte(file, ']');
}

static void write_file(struct plan *plan, struct buffer *lines, struct buffer *file)
{
	static const char *const sections[] = {"users",	     "vhosts",		  "permissions", "topic_permissions",
					       "parameters", "global_parameters", "policies",	 "queues",
					       "exchanges",  "bindings"};

	plan_sort(plan);
	plan_write(plan, lines);
	fuzz_check(!lines->failed);
	buffer_append_byte(file, '{');
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		put_section(file, buffer_slice(lines), sections[i]);
	buffer_append_byte(file, '}');
}

static void write_and_read_again(struct plan *plan)
{
	struct buffer lines, file, lines_again, file_again;
	struct plan *again;

	buffer_init(&lines);
	buffer_init(&file);
	buffer_init(&lines_again);
	buffer_init(&file_again);
	write_file(plan, &lines, &file);
	if (file.size % 2 == 0) /* both are read with the same options */
		buffer_append_byte(&file, ' ');
	again = read_plan(buffer_slice(&file));
	if (again != NULL) {
		write_file(again, &lines_again, &file_again);
		fuzz_check(slice_equal(buffer_slice(&lines), buffer_slice(&lines_again)));
	}
	plan_destroy(again);
	buffer_fini(&lines);
	buffer_fini(&file);
	buffer_fini(&lines_again);
	buffer_fini(&file_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan *plan;

	log_set_level(LOG_LEVEL_ERROR);
	plan = read_plan(slice_make(data, size));
	if (plan == NULL)
		return 0;
	check_tables(plan);
	write_and_read_again(plan);
	plan_destroy(plan);
	return 0;
}
