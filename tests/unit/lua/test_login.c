/* SPDX-License-Identifier: MIT */
/* access.authenticate, and crypto. */
#include "part_case.h"

#include "../unit.h"

#include <string.h>

static struct part part;

static void verdicts(void)
{
	part_run(&part,
		 "function access.authenticate(user, password, peer, mechanism)\n"
		 "  if user == 'alice' and password == 'pw' then return 'allow' end\n"
		 "  if user == 'root' then\n"
		 "    return 'allow', { tags = { 'administrator', 'x' }, user = 'admin' } end\n"
		 "  if user == 'bob' then\n"
		 "    return 'deny', mechanism .. ' from ' .. peer.host .. ':' .. peer.port end\n"
		 "  if user == 'eve' then return 'deny' end\n"
		 "end",
		 NULL);
	CU_ASSERT_PTR_NULL(part.host.policy->decide);
	CU_ASSERT_STRING_EQUAL(part_login(&part, "alice", "pw"), "allow: -||-");
	CU_ASSERT_STRING_EQUAL(part_login(&part, "alice", "no"), "next: -||-");
	CU_ASSERT_STRING_EQUAL(part_login(&part, "root", ""), "allow: admin|administrator,x|-");
	CU_ASSERT_STRING_EQUAL(part_login(&part, "bob", ""), "deny: -||PLAIN from 10.0.0.7:51022");
	CU_ASSERT_STRING_EQUAL(part_login(&part, "eve", ""), "deny: -||-");
	part_close(&part);
}

static void failing_denies(void)
{
	static const char *const settings[] = {"on_error.authenticate", "pass", NULL};
	static const char source[] = "function access.authenticate(user) error('broken') end";

	part_run(&part, source, NULL);
	CU_ASSERT_STRING_EQUAL(part_login(&part, "a", "secret"),
			       "deny: -||the policy 'part' failed");
	CU_ASSERT(part_has_logged(&part, "part.lua:1: broken"));
	CU_ASSERT(!part_has_logged(&part, "secret"));
	part_close(&part);
	part_run(&part, source, settings);
	CU_ASSERT_STRING_EQUAL(part_login(&part, "a", "secret"),
			       "next: -||the policy 'part' failed");
	part_close(&part);
}

/* Nobody gets in by half an answer. */
static void wrong_answers_are_failures(void)
{
	static const char *const answers[] = {
		"true",
		"'ALLOW'",
		"'allow', 1",
		"'allow', 'administrator'",
		"'allow', { tags = 'administrator' }",
		"'allow', { tags = { 1 } }",
		"'allow', { tags = { '' } }",
		"'allow', { tags = { 'a,administrator' } }",
		"'allow', { tags = { 'a\\0' } }",
		"'allow', { tags = { ('x'):rep(2000) } }",
		"'allow', { user = '' }",
		"'allow', { user = 'a\\0b' }",
		"'allow', { user = ('x'):rep(256) }",
		"'allow', { user = 7 }",
		"'allow', { name = 'a' }",
		"'allow', { 'a' }",
		"'deny', {}",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char source[200];

		(void)snprintf(source, sizeof(source),
			       "function access.authenticate() return %s end", answers[i]);
		part_run(&part, source, NULL);
		CU_ASSERT_STRING_EQUAL(part_login(&part, "a", "b"),
				       "deny: -||the policy 'part' failed");
		CU_ASSERT(part_has_logged(&part, "part.lua:1: access.authenticate returned "));
		part_close(&part);
	}
}

static void names_and_tags_that_just_fit(void)
{
	const char *got;

	part_run(&part,
		 "function access.authenticate()\n"
		 "  local tags = {}\n"
		 "  for i = 1, 102 do tags[i] = 'tag' .. 100000 + i end\n"
		 "  tags[103] = 'abc'\n"
		 "  return 'allow', { user = ('u'):rep(255), tags = tags }\n"
		 "end",
		 NULL);
	got = part_login(&part, "a", "b");
	CU_ASSERT_EQUAL(strlen(got), strlen("allow: ") + 255 + 1 + 102 * 10 + 3 + 2);
	part_close(&part);
}

static void secrets_are_compared(void)
{
	static const char *const settings[] = {
		"user.alice",
		/* of "opensesame" */
		"d9fb92e3bbe65be1f1aad4a82eef4567f7a1ebe2cd110c8049b9698be7a70c88", NULL};

	part_run(&part,
		 "assert(crypto.sha256('') ==\n"
		 "  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')\n"
		 "assert(crypto.hmac_sha256('key', 'The quick brown fox jumps over the lazy dog') ==\n"
		 "  'f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8')\n"
		 "assert(crypto.equal('', '') and crypto.equal('a\\0b', 'a\\0b'))\n"
		 "assert(not crypto.equal('a\\0b', 'a\\0c') and not crypto.equal('a', 'ab'))\n"
		 "assert(not pcall(crypto.equal, 1, 1) and not pcall(crypto.sha256))\n"
		 "function access.authenticate(user, password)\n"
		 "  local want = settings.user[user]\n"
		 "  if want and crypto.equal(crypto.sha256(password), want) then return 'allow' end\n"
		 "  return 'deny'\n"
		 "end",
		 settings);
	CU_ASSERT_STRING_EQUAL(part_login(&part, "alice", "opensesame"), "allow: -||-");
	CU_ASSERT_STRING_EQUAL(part_login(&part, "alice", "opensesami"), "deny: -||-");
	CU_ASSERT_STRING_EQUAL(part_login(&part, "bob", "opensesame"), "deny: -||-");
	part_close(&part);
}

/* Also what C does for a script is paid from its budget. */
static void digests_are_charged(void)
{
	part_run(&part,
		 "local text = ('x'):rep(60000)\n"
		 "function access.authenticate()\n"
		 "  for i = 1, 1000 do crypto.sha256(text) end\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(part_login(&part, "a", "b"), "deny: -||the policy 'part' failed");
	part_close(&part);
}

UNIT_MAIN("lua login", UNIT_TEST(verdicts), UNIT_TEST(failing_denies),
	  UNIT_TEST(wrong_answers_are_failures), UNIT_TEST(names_and_tags_that_just_fit),
	  UNIT_TEST(secrets_are_compared), UNIT_TEST(digests_are_charged))
