/* SPDX-License-Identifier: MIT */
#include "control/limits.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"

static struct limit limits[2];

static void reset(void)
{
	limits[0] = (struct limit){ "max-channels", LIMIT_NONE };
	limits[1] = (struct limit){ "max-connections", 7 };
}

static void reads(const char *text, int64_t channels, int64_t connections)
{
	char reason[200] = "";

	reset();
	CU_ASSERT_TRUE(limits_read(text, "user-limits", limits, 2, reason, sizeof(reason)));
	CU_ASSERT_STRING_EQUAL(reason, "");
	CU_ASSERT_EQUAL(limits[0].value, channels);
	CU_ASSERT_EQUAL(limits[1].value, connections);
}

static void refuses(const char *text, const char *expected)
{
	char reason[200] = "";

	reset();
	CU_ASSERT_FALSE(limits_read(text, "user-limits", limits, 2, reason, sizeof(reason)));
	CU_ASSERT_EQUAL(strncmp(reason, expected, strlen(expected)), 0);
}

static void good_definitions(void)
{
	reads("{}", LIMIT_NONE, 7);
	reads(" { \"max-channels\" : 5 } ", 5, 7);
	reads("{\"max-connections\":0,\"max-channels\":9223372036854775807}", INT64_MAX, 0);
	reads("{\"max-connections\":-1}", LIMIT_NONE, LIMIT_NONE);
	reads("{\"max-connections\":-20}", LIMIT_NONE, LIMIT_NONE);
}

static void bad_definitions(void)
{
	static char many[3000];

	refuses("", "JSON decoding error. Reason: ");
	refuses("{\"max-channels\"", "JSON decoding error. Reason: ");
	refuses("{\"max-channels\":9223372036854775808}", "JSON decoding error. Reason: ");
	refuses("{\"max-channels\":1,\"max-channels\":2}", "JSON decoding error. Reason: ");
	refuses("5", "user-limits not a list 5");
	refuses("[]", "user-limits not a list []");
	refuses("null", "user-limits not a list null");
	refuses("{\"max-channels\":\"x\"}", "max-channels should be a number, actually was <<\"x\">>");
	refuses("{\"max-channels\":1.5}", "max-channels should be a number, actually was 1.5");
	refuses("{\"max-channels\":null}", "max-channels should be a number, actually was null");
	refuses("{\"nosuch\":10}", "Unrecognised terms [{<<\"nosuch\">>,10}] in user-limits");
	/* however long it is */
	memset(many, ' ', sizeof(many) - 1);
	memcpy(many, "[", 1);
	many[sizeof(many) - 2] = ']';
	refuses(many, "user-limits not a list [ ");
}

static void writes(int64_t channels, int64_t connections, const char *expected)
{
	char *text;

	reset();
	limits[0].value = channels;
	limits[1].value = connections;
	text = limits_write(limits, 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
}

static void written(void)
{
	writes(LIMIT_NONE, LIMIT_NONE, "{}");
	writes(20, LIMIT_NONE, "{\"max-channels\":20}");
	writes(20, 0, "{\"max-channels\":20,\"max-connections\":0}");
}

UNIT_MAIN("limits", UNIT_TEST(good_definitions), UNIT_TEST(bad_definitions), UNIT_TEST(written))
