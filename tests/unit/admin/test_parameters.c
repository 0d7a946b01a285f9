/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "admin_fixture.h"

#include "../unit.h"

static struct parameter_view parameter(const char *of, const char *component, const char *name, const char *value)
{
	return (struct parameter_view){
		.vhost = of != NULL ? slice_cstr(of) : SLICE_EMPTY,
		.component = slice_cstr(component),
		.name = slice_cstr(name),
		.value = value != NULL ? slice_cstr(value) : SLICE_EMPTY,
	};
}

static bool is_edited;

static void edited(struct parameters_edits *edits)
{
	(void)edits;
	is_edited = true;
}

static int edit_all(const struct parameter_view *items, size_t n, const char *forget)
{
	struct parameters_edits edits = {
		.items = items,
		.n = n,
		.forget = forget != NULL ? slice_cstr(forget) : SLICE_EMPTY,
		.done = edited,
	};

	is_edited = false;
	parameters_edit(admin->parameters, &edits);
	CU_ASSERT_FALSE(is_edited);
	wait_until(&is_edited);
	return edits.result;
}

static int edit(struct parameter_view view)
{
	return edit_all(&view, 1, NULL);
}

static void print(void *context, const struct parameter_view *view)
{
	buffer_printf(context, SLICE_FMT "|" SLICE_FMT "|" SLICE_FMT "|" SLICE_FMT "\n", SLICE_ARG(view->vhost),
		      SLICE_ARG(view->component), SLICE_ARG(view->name), SLICE_ARG(view->value));
}

static void assert_all(const char *of, const char *component, const char *expected)
{
	struct buffer text;

	buffer_init(&text);
	parameters_each(admin->parameters, of != NULL ? slice_cstr(of) : SLICE_EMPTY,
			component != NULL ? slice_cstr(component) : SLICE_EMPTY, print, &text);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&text), expected);
	buffer_fini(&text);
}

static void set_and_clear(void)
{
	struct parameter_view found, like = parameter("/", "policy", "p", NULL);

	admin_begin(1);
	CU_ASSERT_FALSE(parameters_find(admin->parameters, &like, &found));
	CU_ASSERT_EQUAL(edit(parameter("/", "policy", "p", "{}")), 0);
	CU_ASSERT_TRUE_FATAL(parameters_find(admin->parameters, &like, &found));
	CU_ASSERT_TRUE(slice_equal(found.value, SLICE_LITERAL("{}")));
	CU_ASSERT_EQUAL(edit(parameter("/", "policy", "p", "{\"a\":1}")), 0);
	CU_ASSERT_EQUAL(edit(parameter(NULL, "", "p", "1")), 0);
	CU_ASSERT_EQUAL(edit(parameter("/", "shovel", "a/b%", "2")), 0);
	assert_all(NULL, NULL, "||p|1\n/|policy|p|{\"a\":1}\n/|shovel|a/b%|2\n");
	assert_all("/", "policy", "/|policy|p|{\"a\":1}\n");
	CU_ASSERT_EQUAL(edit(like), 0);
	CU_ASSERT_EQUAL(edit(like), 0); /* it is gone already */
	assert_all(NULL, NULL, "||p|1\n/|shovel|a/b%|2\n");
	admin_finish();
}

static void kept_over_a_restart(void)
{
	const struct parameter_view items[] = {
		parameter("/", "policy", "b", "{}"),
		parameter("/", "policy", "a", "{}"),
		parameter(NULL, "", "g", "[]"),
	};

	admin_begin(1);
	CU_ASSERT_EQUAL(edit_all(items, 3, NULL), 0);
	admin_restart();
	assert_all(NULL, NULL, "||g|[]\n/|policy|a|{}\n/|policy|b|{}\n");
	CU_ASSERT_EQUAL(parameters_count(admin->parameters), 3);
	admin_finish();
}

/* Together or not at all, and not visible before it is stored. */
static void not_stored(void)
{
	const struct parameter_view items[] = {
		parameter("/", "policy", "a", "{}"),
		parameter("/", "policy", "b", NULL),
	};

	admin_begin(1);
	CU_ASSERT_EQUAL(edit(parameter("/", "policy", "b", "1")), 0);
	fail_commit(1, false);
	CU_ASSERT_EQUAL(edit_all(items, 2, NULL), -EIO);
	assert_all(NULL, NULL, "/|policy|b|1\n");
	admin_finish();
}

static void forgotten_with_its_vhost(void)
{
	admin_begin(1);
	CU_ASSERT_EQUAL(edit(parameter("/", "policy", "p", "1")), 0);
	CU_ASSERT_EQUAL(edit(parameter("/x", "policy", "p", "2")), 0);
	CU_ASSERT_EQUAL(edit(parameter(NULL, "", "p", "3")), 0);
	CU_ASSERT_EQUAL(edit_all(NULL, 0, "none"), 0);
	CU_ASSERT_EQUAL(edit_all(NULL, 0, "/"), 0);
	assert_all(NULL, NULL, "||p|3\n/x|policy|p|2\n");
	/* nobody has a vhost "/x": the next start finds that out */
	admin_restart();
	assert_all(NULL, NULL, "||p|3\n");
	CU_ASSERT_EQUAL(count_keys("parameter/"), 0);
	admin_finish();
}

static void names_have_bounds(void)
{
	char name[257] = {0};

	memset(name, 'x', 256);
	admin_begin(1);
	CU_ASSERT_EQUAL(edit(parameter("/", "policy", name, "1")), -EINVAL);
	CU_ASSERT_EQUAL(edit(parameter("/", "", "p", "1")), -EINVAL);
	CU_ASSERT_EQUAL(edit(parameter("/", "policy", "", "1")), -EINVAL);
	name[255] = '\0';
	CU_ASSERT_EQUAL(edit(parameter("/", "policy", name, "1")), 0);
	admin_finish();
}

/* A value that cannot be read stays, and ends the start. */
static void damaged(void)
{
	struct parameters *parameters = NULL;
	char why[128] = "";

	admin_begin(1);
	put(SLICE_LITERAL("global-parameter/x"), SLICE_LITERAL("\1gxxx"));
	CU_ASSERT_EQUAL(parameters_restore(broker, &parameters, why, sizeof(why)), -1);
	CU_ASSERT_STRING_EQUAL(why, "cannot bring back all of the parameters: failed=1");
	CU_ASSERT_EQUAL(count_keys("global-parameter/"), 1);
	admin_finish();
}

UNIT_MAIN("parameters", UNIT_TEST(set_and_clear), UNIT_TEST(kept_over_a_restart), UNIT_TEST(not_stored),
	  UNIT_TEST(forgotten_with_its_vhost), UNIT_TEST(names_have_bounds), UNIT_TEST(damaged))
