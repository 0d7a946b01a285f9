/* SPDX-License-Identifier: MIT */
/*
 * Accounts and permissions as the store may hold them. What can be read is written to bytes that
 * are read as the same; pasted-in names match themselves, and what is matched ends.
 */
#include "fuzz.h"

#include <errno.h>

#include "access/accounts_state.h"
#include "base/log.h"
#include "base/mem.h"

static bool same_account(const struct account_view *a, const struct account_view *b)
{
	return slice_equal(a->name, b->name) && slice_equal(a->tags, b->tags) &&
	       a->algorithm == b->algorithm && slice_equal(a->password_hash, b->password_hash) &&
	       a->max_connections == b->max_connections && a->max_channels == b->max_channels;
}

static void check_account(struct slice value)
{
	struct account_view account, again;
	struct buffer written;
	int r = account_read_value(value, &account);

	fuzz_check(r == 0 || r == -EBADMSG);
	if (r != 0)
		return;
	buffer_init(&written);
	account_put_value(&written, &account);
	fuzz_check(account_read_value(buffer_slice(&written), &again) == 0);
	fuzz_check(same_account(&account, &again));
	buffer_fini(&written);
}

/* What is done with it at the start, and then for a message. */
static void use(struct permission *permission, struct patterns *patterns, struct slice subject)
{
	for (unsigned i = 0; i < PERMISSION_PATTERNS; i++)
		(void)pattern_matches(permission->patterns[i].compiled, subject);
	permission_unref(patterns, permission);
}

static void check_permission(struct slice value, struct patterns *patterns, struct slice subject)
{
	struct permission_view permission, again;
	struct buffer written;
	char reason[256];

	if (permission_read_value(value, &permission) != 0)
		return;
	buffer_init(&written);
	permission_put_value(&written, &permission);
	fuzz_check(permission_read_value(buffer_slice(&written), &again) == 0);
	fuzz_check(slice_equal(permission.vhost, again.vhost) &&
		   slice_equal(permission.user, again.user));
	fuzz_check(slice_equal(permission.configure, again.configure) &&
		   slice_equal(permission.write, again.write) &&
		   slice_equal(permission.read, again.read));
	buffer_fini(&written);
	use(permission_create(patterns, &permission, reason, sizeof(reason)), patterns, subject);
}

static void check_topic(struct slice value, struct patterns *patterns, struct slice subject)
{
	struct topic_permission_view topic, again;
	struct buffer written;
	char reason[256];

	if (topic_permission_read_value(value, &topic) != 0)
		return;
	buffer_init(&written);
	topic_permission_put_value(&written, &topic);
	fuzz_check(topic_permission_read_value(buffer_slice(&written), &again) == 0);
	fuzz_check(slice_equal(topic.vhost, again.vhost) && slice_equal(topic.user, again.user) &&
		   slice_equal(topic.exchange, again.exchange));
	fuzz_check(slice_equal(topic.write, again.write) && slice_equal(topic.read, again.read));
	buffer_fini(&written);
	use(permission_create_topic(patterns, &topic, reason, sizeof(reason)), patterns, subject);
}

/* Any name, pasted into a pattern of our own, is that name. */
static void check_expansion(struct slice name, struct patterns *patterns)
{
	static const char *const texts[] = {"^{username}\\z", "^\\Q{username}\\E\\z"};
	char reason[256];

	for (size_t i = 0; i < 2; i++) {
		const struct pattern *pattern;
		struct buffer text;

		buffer_init(&text);
		pattern_expand(&text, slice_cstr(texts[i]), name, SLICE_EMPTY);
		pattern = patterns_take(patterns, buffer_slice(&text), reason, sizeof(reason));
		fuzz_check(pattern != NULL && pattern_matches(pattern, name));
		patterns_give(patterns, pattern);
		buffer_fini(&text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct patterns *patterns = patterns_create();
	struct fuzz_source source;
	struct slice subject, value;

	log_set_level(LOG_LEVEL_ERROR);
	amqp_reader_init(&source, slice_make(data, size));
	subject = fuzz_shortstr(&source);
	value = fuzz_bytes(&source, size);
	check_account(value);
	check_permission(value, patterns, subject);
	check_topic(value, patterns, subject);
	check_expansion(subject, patterns);
	patterns_destroy(patterns);
	return 0;
}
