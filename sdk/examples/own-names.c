/* SPDX-License-Identifier: MIT */
/* Access policy "own-names", for a broker that several teams share. A user may declare, delete,
 * bind and publish to what bears its name, or begins with it and a dot: alice to "alice.orders".
 * Queues named by the broker are theirs too; the default exchange, which leads to all queues, is
 * not. This policy only denies: the broker's own permissions are asked after it, and alone for
 * users with the tag `administrator`. Nobody may log in from an address that begins with none of
 *     plugin.own-names.networks = 127.0.0.1 ::1 10.1. fd00:1: */
#include <shunt/plugin.h>
#include <string.h>

struct policy {
	const struct shunt_host *host;
	const char *networks; /* with blanks between; NULL: all */
};

/* Cuts the next word off the text; words end with the separator. False when there is none left. */
static bool next_word(struct shunt_bytes *text, char separator, struct shunt_bytes *ret_word)
{
	const uint8_t *end;

	if (text->size == 0)
		return false;
	end = memchr(text->data, separator, text->size);
	*ret_word = (struct shunt_bytes){text->data, end ? (size_t)(end - text->data) : text->size};
	text->data += ret_word->size + (end != NULL);
	text->size -= ret_word->size + (end != NULL);
	return true;
}

static bool begins_with(struct shunt_bytes text, struct shunt_bytes beginning)
{
	return beginning.size > 0 && text.size >= beginning.size &&
	       memcmp(text.data, beginning.data, beginning.size) == 0;
}

static bool is_administrator(struct shunt_bytes tags)
{
	struct shunt_bytes tag;

	while (next_word(&tags, ',', &tag))
		if (tag.size == 13 && memcmp(tag.data, "administrator", 13) == 0)
			return true;
	return false;
}

static bool is_from_outside(const char *networks, struct shunt_bytes address)
{
	struct shunt_bytes left = {(const uint8_t *)networks, networks ? strlen(networks) : 0};
	struct shunt_bytes network;

	while (next_word(&left, ' ', &network))
		if (begins_with(address, network))
			return false;
	return networks != NULL;
}

/* Any loop. Without a doubt of ours the next policy looks at the password. */
static void authenticate(void *plugin, const struct shunt_login *login)
{
	const struct policy *policy = plugin;
	bool is_outside = is_from_outside(policy->networks, login->peer->host);

	/* it fails if the client has gone; then there is nobody to refuse */
	(void)policy->host->login_done(policy->host, login->id, is_outside ? SHUNT_DENY : SHUNT_NEXT,
				       NULL, NULL, is_outside ? "from another network" : NULL);
}

/* Any loop. The same question has the same answer always, so the broker may remember it. */
static enum shunt_verdict authorize(void *plugin, const struct shunt_question *question)
{
	const struct shunt_bytes user = question->user, name = question->name;
	bool is_own = begins_with(name, user) &&
		      (name.size == user.size || name.data[user.size] == '.');
	bool is_new = begins_with(name, (struct shunt_bytes){(const uint8_t *)"amq.gen-", 8});

	(void)plugin;
	if (question->operation != SHUNT_CONFIGURE && question->operation != SHUNT_WRITE)
		return SHUNT_NEXT;
	return is_own || is_new || is_administrator(question->tags) ? SHUNT_NEXT : SHUNT_DENY;
}

static const struct shunt_access_policy access_policy = {
	sizeof(access_policy), "own-names", .authenticate = authenticate, .authorize = authorize};

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	static struct policy policy;

	policy = (struct policy){host, host->config(host, "networks")};
	*ret_plugin = &policy;
	return host->register_access_policy(host, &access_policy, error);
}

static const struct shunt_option options[] = {
	{"networks", "beginnings of addresses, with blanks", NULL, 0, 0, SHUNT_OPTION_STRING},
	{0}};

SHUNT_PLUGIN = {SHUNT_PLUGIN_MAGIC, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR, sizeof(struct shunt_plugin),
		"own-names", "0.1.0", "MIT", "Access policy own-names", options, .start = start};
