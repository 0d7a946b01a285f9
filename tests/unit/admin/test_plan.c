/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "admin/plan.h"
#include "amqp/table.h"
#include "base/mem.h"

#include "../unit.h"

#define HASH "kyGY7uG7IJ8AmlSxfOKjav1EoeIKy04wvJxcDLecSkFzqUld"

static char why[1024];

static int read_with(const char *text, const struct plan_options *options, struct plan **ret_plan)
{
	why[0] = '\0';
	return plan_read(slice_cstr(text), options, ret_plan, NULL, why, sizeof(why));
}

static struct plan *read_good(const char *text)
{
	const struct plan_options options = {.vhost = SLICE_EMPTY};
	struct plan *plan = NULL;

	CU_ASSERT_EQUAL(read_with(text, &options, &plan), 0);
	if (plan == NULL)
		(void)printf("\n    %s\n", why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
	return plan;
}

static void assert_refused(const char *text, const char *says)
{
	const struct plan_options options = {.vhost = SLICE_EMPTY};
	struct plan *plan = NULL;

	CU_ASSERT_EQUAL(read_with(text, &options, &plan), -EINVAL);
	CU_ASSERT_PTR_NULL(plan);
	CU_ASSERT_STRING_EQUAL(why, says);
	if (strcmp(why, says) != 0)
		(void)printf("\n    %s\n    %s\n", why, says);
}

static void assert_written(struct plan *plan, const char *expected)
{
	struct buffer lines;

	buffer_init(&lines);
	plan_sort(plan);
	plan_write(plan, &lines);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&lines), expected);
	if (strcmp(buffer_cstr(&lines), expected) != 0)
		(void)printf("\n--- expected\n%s--- is\n%s", expected, buffer_cstr(&lines));
	buffer_fini(&lines);
	plan_destroy(plan);
}

/* Everything of each kind, in another order, and with what older files have. */
static const char file[] =
	"{\"rabbit_version\":\"3.10.8\",\"odd\":7,\"bindings\":[{\"vhost\":\"v\",\"source\":\"b\",\"destination\":\"q\","
	"\"destination_type\":\"queue\",\"routing_key\":\"k\",\"arguments\":{\"z\":1.5,\"a\":[true,{\"n\":-1}]}},"
	"{\"vhost\":\"v\",\"source\":\"\",\"destination\":\"q\",\"destination_type\":\"queue\",\"routing_key\":\"q\"}],"
	"\"exchanges\":[{\"vhost\":\"v\",\"name\":\"b\",\"type\":\"direct\",\"durable\":true,\"auto_delete\":false,"
	"\"internal\":true},{\"vhost\":\"v\",\"name\":\"amq.direct\",\"type\":\"direct\",\"durable\":true,"
	"\"auto_delete\":false},{\"vhost\":\"v\",\"name\":\"a\",\"type\":\"fanout\",\"durable\":true,\"auto_delete\":"
	"true,\"arguments\":[]}],"
	"\"queues\":[{\"vhost\":\"v\",\"name\":\"q\",\"durable\":true,\"auto_delete\":false,\"type\":\"quorum\"}],"
	"\"users\":[{\"name\":\"u\",\"password_hash\":\"" HASH "\",\"administrator\":\"true\"},"
	"{\"name\":\"t\",\"tags\":\" a , b,\",\"limits\":[[\"max-connections\",3]]}],"
	"\"vhosts\":[{\"name\":\"v\",\"metadata\":{\"description\":\"d\",\"tags\":\"x,y\"},\"limits\":"
	"[[\"max-queues\",2]]}],"
	"\"permissions\":[{\"user\":\"u\",\"vhost\":\"v\",\"configure\":\"c\",\"write\":\"w\",\"read\":\"r\"}],"
	"\"policies\":[{\"vhost\":\"v\",\"name\":\"p\",\"pattern\":\".*\",\"definition\":{\"ha-mode\":\"all\"}}],"
	"\"global_parameters\":[{\"name\":\"g\",\"value\":null}]}";

static void read_and_write(void)
{
	struct plan *plan = read_good(file);

	CU_ASSERT_EQUAL(plan->n_warnings, 2);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&plan->warnings),
			       "exchanges[1].name: 'amq.direct' is reserved; left out\n"
			       "policies (1) are kept and exported, but have no effect\n");
	CU_ASSERT_EQUAL(plan_count(plan, PLAN_BINDINGS), 1); /* the default exchange's are there by themselves */
	assert_written(
		plan,
		"[\"users\",{\"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"limits\":{\"max-connections\":3},"
		"\"name\":\"t\",\"password_hash\":\"\",\"tags\":[\"a\",\"b\"]}]\n"
		"[\"users\",{\"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"limits\":{},\"name\":\"u\","
		"\"password_hash\":\"" HASH "\",\"tags\":[\"administrator\"]}]\n"
		"[\"vhosts\",{\"limits\":[],\"metadata\":{\"description\":\"d\",\"tags\":[\"x\",\"y\"]},\"name\":\"v\"}]\n"
		"[\"permissions\",{\"configure\":\"c\",\"read\":\"r\",\"user\":\"u\",\"vhost\":\"v\",\"write\":\"w\"}]\n"
		"[\"parameters\",{\"component\":\"vhost-limits\",\"name\":\"limits\",\"value\":{\"max-queues\":2},"
		"\"vhost\":\"v\"}]\n"
		"[\"global_parameters\",{\"name\":\"g\",\"value\":null}]\n"
		"[\"policies\",{\"apply-to\":\"all\",\"definition\":{\"ha-mode\":\"all\"},\"name\":\"p\",\"pattern\":\".*\","
		"\"priority\":0,\"vhost\":\"v\"}]\n"
		"[\"queues\",{\"arguments\":{\"x-queue-type\":\"quorum\"},\"auto_delete\":false,\"durable\":true,\"name\":"
		"\"q\",\"type\":\"quorum\",\"vhost\":\"v\"}]\n"
		"[\"exchanges\",{\"arguments\":{},\"auto_delete\":true,\"durable\":true,\"internal\":false,\"name\":\"a\","
		"\"type\":\"fanout\",\"vhost\":\"v\"}]\n"
		"[\"exchanges\",{\"arguments\":{},\"auto_delete\":false,\"durable\":true,\"internal\":true,\"name\":\"b\","
		"\"type\":\"direct\",\"vhost\":\"v\"}]\n"
		"[\"bindings\",{\"arguments\":{\"a\":[true,{\"n\":-1}],\"z\":1.5},\"destination\":\"q\","
		"\"destination_type\":\"queue\",\"routing_key\":\"k\",\"source\":\"b\",\"vhost\":\"v\"}]\n");
}

/* Whole numbers are of 64 bits, as RabbitMQ makes them. */
static void arguments_have_types(void)
{
	struct plan *plan = read_good(file);
	const struct plan_binding *binding = plan_item(plan, PLAN_BINDINGS, 0);
	struct amqp_value value;

	CU_ASSERT_TRUE_FATAL(amqp_table_find(binding->arguments, "z", &value));
	CU_ASSERT_EQUAL(value.type, AMQP_VALUE_DOUBLE);
	CU_ASSERT_TRUE_FATAL(amqp_table_find(binding->arguments, "a", &value));
	CU_ASSERT_EQUAL(value.type, AMQP_VALUE_ARRAY);
	CU_ASSERT_EQUAL(amqp_table_validate(binding->arguments, AMQP_TABLE_DEPTH_MAX), 0);
	plan_destroy(plan);
}

static void needs(void)
{
	struct plan *plan = read_good(file);
	const struct plan_reference *reference = plan->references;

	/* its vhost and its user are in the file itself; what is left are the types, in the file's order */
	CU_ASSERT_PTR_NOT_NULL_FATAL(reference);
	CU_ASSERT_EQUAL(reference->kind, PLAN_NEEDS_TYPE);
	CU_ASSERT_TRUE(slice_equal(reference->name, SLICE_LITERAL("direct")));
	CU_ASSERT_EQUAL(reference->origin.index, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reference->next);
	CU_ASSERT_TRUE(slice_equal(reference->next->name, SLICE_LITERAL("fanout")));
	CU_ASSERT_PTR_NULL(reference->next->next);
	plan_destroy(plan);
}

static void refused(void)
{
	assert_refused("[]", "expected an object of definitions");
	assert_refused("{\"queues\":7}", "queues: expected an array");
	assert_refused("{\"queues\":[7]}", "queues[0]: expected an object");
	assert_refused("{\"more\":[7]}", "more: an unknown section");
	assert_refused("{\"queues\":[{\"name\":\"q\"}]}",
		       "queues[0].vhost: missing: a file of a single virtual host is imported with -p VHOST");
	assert_refused("{\"vhosts\":[{\"name\":\"a\\u0000b\"}]}", "vhosts[0].name: a NUL");
	assert_refused("{\"users\":[{\"name\":\"u\",\"password\":7}]}", "users[0].password: expected a text");
	assert_refused("{\"users\":[{\"name\":\"u\",\"tags\":[\"a,b\"]}]}", "users[0].tags: expected texts without commas");
	assert_refused("{\"queues\":[{\"vhost\":\"v\",\"name\":\"q\",\"durable\":true,\"auto_delete\":false,"
		       "\"arguments\":{\"x-expires\":0}}]}",
		       "queues[0].arguments.x-expires: PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in "
		       "vhost 'v': {value_zero,0}");
	assert_refused("{\"bindings\":[{\"vhost\":\"v\",\"source\":\"s\",\"destination\":\"d\",\"destination_type\":"
		       "\"queue\",\"routing_key\":\"\",\"arguments\":{\"a\":{\"b\":[0,null]}}}]}",
		       "bindings[0].arguments.a.b[1]: null is no value of an argument");
}

static void nested(void)
{
	char text[4096];
	size_t used;

	/* too deep for a table, not for the parser */
	used = (size_t)snprintf(text, sizeof(text),
				"{\"bindings\":[{\"vhost\":\"v\",\"source\":\"s\",\"destination\":\"d\","
				"\"destination_type\":\"queue\",\"routing_key\":\"\",\"arguments\":{\"a\":");
	for (int i = 0; i < 64; i++)
		text[used++] = '[';
	for (int i = 0; i < 64; i++)
		text[used++] = ']';
	(void)snprintf(text + used, sizeof(text) - used, "}}]}");
	const struct plan_options options = {.vhost = SLICE_EMPTY};
	struct plan *plan;

	CU_ASSERT_EQUAL(read_with(text, &options, &plan), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "nested too deeply"));
	/* too deep for the parser's stack; brackets in texts do not count */
	memset(text, '[', sizeof(text));
	CU_ASSERT_EQUAL(plan_read(slice_make(text, sizeof(text)), &options, &plan, NULL, why, sizeof(why)), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "nested too deeply"));
	(void)memcpy(text, "{\"odd\":\"\\\"", 10);
	(void)memcpy(text + sizeof(text) - 3, "\"}", 3);
	plan_destroy(read_good(text));
}

/* Undoing goes from the first to the last: what is there twice would not be as it was. */
static void twice(void)
{
	assert_refused("{\"permissions\":[{\"vhost\":\"v\",\"user\":\"u\",\"configure\":\"1\","
		       "\"write\":\"\",\"read\":\"\"},"
		       "{\"vhost\":\"v\",\"user\":\"u\",\"configure\":\"2\",\"write\":\"\","
		       "\"read\":\"\"}]}",
		       "permissions[1]: a second permission of that user in that virtual host");
	assert_refused(
		"{\"topic_permissions\":[{\"vhost\":\"v\",\"user\":\"u\",\"exchange\":\"x\","
		"\"write\":\"\",\"read\":\"\"},"
		"{\"vhost\":\"v\",\"user\":\"u\",\"exchange\":\"y\",\"write\":\"\",\"read\":\"\"},"
		"{\"vhost\":\"v\",\"user\":\"u\",\"exchange\":\"x\",\"write\":\"\",\"read\":\"\"}]"
		"}",
		"topic_permissions[2]: a second permission of that user on that exchange in that "
		"virtual host");
	assert_refused("{\"policies\":[{\"vhost\":\"v\",\"name\":\"p\",\"pattern\":\"\","
		       "\"definition\":{\"a\":1}}],"
		       "\"parameters\":[{\"vhost\":\"v\",\"component\":\"policy\",\"name\":\"p\","
		       "\"value\":"
		       "{\"pattern\":\"\",\"definition\":{\"a\":2}}}]}",
		       "policies[0]: a second parameter or policy of that name");
	assert_refused(
		"{\"global_parameters\":[{\"name\":\"g\",\"value\":1},{\"name\":\"h\",\"value\":1},"
		"{\"name\":\"g\",\"value\":2}]}",
		"global_parameters[2]: a second parameter or policy of that name");
}

static void single_vhost(void)
{
	const struct plan_options options = {.vhost = SLICE_LITERAL("w")};
	const struct plan_queue *queue;
	struct plan *plan = NULL;

	CU_ASSERT_EQUAL_FATAL(
		read_with("{\"queues\":[{\"name\":\"q\",\"durable\":true,\"auto_delete\":false}]}", &options, &plan), 0);
	queue = plan_item(plan, PLAN_QUEUES, 0);
	CU_ASSERT_TRUE(slice_equal(queue->vhost, SLICE_LITERAL("w")));
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan->references);
	CU_ASSERT_EQUAL(plan->references->kind, PLAN_NEEDS_VHOST);
	plan_destroy(plan);
}

static void unbuilt_is_left_out(void)
{
	static const char text[] = "{\"queues\":[{\"vhost\":\"v\",\"name\":\"q\",\"durable\":true,\"auto_delete\":false,"
				   "\"arguments\":{\"x-max-length\":1}}]}";
	const struct plan_options options = {.skips_unbuilt = true};
	struct plan *plan = NULL;

	assert_refused(text, "queues[0].arguments.x-max-length: NOT_IMPLEMENTED - argument 'x-max-length' for queue 'q' "
			     "in vhost 'v'");
	CU_ASSERT_EQUAL_FATAL(read_with(text, &options, &plan), 0);
	CU_ASSERT_EQUAL(plan_count(plan, PLAN_QUEUES), 0);
	CU_ASSERT_EQUAL(plan->n_warnings, 1);
	plan_destroy(plan);
}

/* Passwords in the clear are not kept: the text that is has hashes. */
static void passwords_are_replaced(void)
{
	static const char text[] = "{\"users\":[{\"name\":\"u\",\"tags\":[],\"password\":\"s3cret\"}]}";
	const struct plan_options options = {.vhost = SLICE_EMPTY};
	struct plan *plan = NULL, *again;
	struct buffer kept;
	const struct plan_user *user;

	buffer_init(&kept);
	CU_ASSERT_EQUAL_FATAL(plan_read(slice_cstr(text), &options, &plan, &kept, why, sizeof(why)), 0);
	CU_ASSERT_PTR_NULL(strstr(buffer_cstr(&kept), "s3cret"));
	again = read_good(buffer_cstr(&kept));
	user = plan_item(again, PLAN_USERS, 0);
	CU_ASSERT_TRUE(slice_starts_with(user->account.password_hash, SLICE_LITERAL("$argon2id$")));
	CU_ASSERT_TRUE(slice_equal(user->account.password_hash,
				   ((struct plan_user *)plan_item(plan, PLAN_USERS, 0))->account.password_hash));
	plan_destroy(again);
	plan_destroy(plan);
	buffer_fini(&kept);
}

static void not_utf8(void)
{
	struct plan *plan = plan_create();
	struct plan_queue *queue = plan_add(plan, PLAN_QUEUES);

	queue->vhost = SLICE_LITERAL("v");
	queue->name = SLICE_LITERAL("\xff");
	queue->durable = true;
	queue = plan_add(plan, PLAN_QUEUES);
	queue->vhost = SLICE_LITERAL("v");
	queue->name = SLICE_LITERAL("a\0b");
	assert_written(plan, "[\"queues\",{\"arguments\":{},\"auto_delete\":false,\"durable\":false,\"name\":\"a\\u0000b\","
			     "\"type\":\"classic\",\"vhost\":\"v\"}]\n");
}

static void memory_runs_out(void)
{
	const struct plan_options options = {.vhost = SLICE_EMPTY};
	struct plan *plan;
	int r = -ENOMEM, n;

	for (n = 1; r == -ENOMEM; n++) {
		plan = NULL;
		mem_fault_after(n);
		r = read_with(file, &options, &plan);
		mem_fault_after(-1);
		CU_ASSERT_TRUE(r == 0 || (r == -ENOMEM && plan == NULL));
		plan_destroy(plan);
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_TRUE(n > 5);
}

/* Cut off anywhere: refused, and nothing else. */
static void cut_off(void)
{
	const struct plan_options options = {.vhost = SLICE_EMPTY};
	struct plan *plan;

	for (size_t i = 0; i < sizeof(file) - 1; i++)
		CU_ASSERT_EQUAL(plan_read(slice_make(file, i), &options, &plan, NULL, why, sizeof(why)), -EINVAL);
}

UNIT_MAIN("plan", UNIT_TEST(read_and_write), UNIT_TEST(arguments_have_types), UNIT_TEST(needs),
	  UNIT_TEST(refused), UNIT_TEST(nested), UNIT_TEST(twice), UNIT_TEST(single_vhost),
	  UNIT_TEST(unbuilt_is_left_out), UNIT_TEST(passwords_are_replaced), UNIT_TEST(not_utf8),
	  UNIT_TEST(memory_runs_out), UNIT_TEST(cut_off))
