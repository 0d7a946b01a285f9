/* SPDX-License-Identifier: MIT */
#include "conn/entry/sasl.h"

#include <stdio.h>
#include <string.h>

#include "amqp/table.h"

static const char *const sasl_names[] = {
	[SASL_PLAIN] = "PLAIN",
	[SASL_AMQPLAIN] = "AMQPLAIN",
	[SASL_EXTERNAL] = "EXTERNAL",
	[SASL_ANONYMOUS] = "ANONYMOUS",
};

const char *sasl_name(enum sasl_mechanism mechanism)
{
	return sasl_names[mechanism];
}

bool sasl_find(struct slice name, enum sasl_mechanism *ret_mechanism)
{
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		if (!slice_equal(name, slice_cstr(sasl_names[i])))
			continue;
		*ret_mechanism = (enum sasl_mechanism)i;
		return true;
	}
	return false;
}

/* ---- The offer ---- */

bool sasl_is_offered(const struct sasl_settings *settings, enum sasl_mechanism mechanism,
		     const struct shunt_peer *peer)
{
	unsigned chosen = settings->mechanisms;

	if (chosen == 0)
		chosen = 1u << SASL_PLAIN | 1u << SASL_AMQPLAIN | 1u << SASL_ANONYMOUS;
	if ((chosen & 1u << mechanism) == 0)
		return false;
	if (mechanism == SASL_EXTERNAL)
		return peer->is_tls && peer->certificate.size != 0;
	return mechanism != SASL_ANONYMOUS || settings->anonymous_user != NULL;
}

void sasl_offer(const struct sasl_settings *settings, const struct shunt_peer *peer,
		char ret_text[SASL_OFFER_MAX])
{
	size_t n = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < SASL_MECHANISMS; i++)
		if (sasl_is_offered(settings, (enum sasl_mechanism)i, peer))
			n += (size_t)snprintf(ret_text + n, SASL_OFFER_MAX - n, "%s%s",
					      n != 0 ? " " : "", sasl_names[i]);
}

/* ---- Responses ---- */

/* authzid NUL user NUL password (RFC 4616). The first is whom the user wants to act for: that can
 * only be himself. */
static bool sasl_plain(struct slice response, struct sasl_claim *claim)
{
	const uint8_t *end = response.data + response.size, *user, *password;
	struct slice acts_for;

	if (response.size == 0)
		return false;
	user = memchr(response.data, 0, response.size);
	if (user == NULL || ++user == end)
		return false;
	password = memchr(user, 0, (size_t)(end - user));
	if (password == NULL)
		return false;
	claim->user = slice_make(user, (size_t)(password - user));
	acts_for = slice_make(response.data, (size_t)(user - 1 - response.data));
	if (acts_for.size != 0 && !slice_equal(acts_for, claim->user))
		return false;
	password++;
	claim->password = slice_make(password, (size_t)(end - password));
	return claim->password.size == 0 || memchr(password, 0, claim->password.size) == NULL;
}

/* A table with LOGIN and PASSWORD, without its length. No NUL in the user, as in PLAIN: policies
 * would see a name that is not the one which the user has afterwards. */
static bool sasl_amqplain(struct slice response, struct sasl_claim *claim)
{
	struct amqp_value user, password;

	if (amqp_table_validate(response, AMQP_TABLE_DEPTH_MAX) != 0)
		return false;
	if (!amqp_table_find(response, "LOGIN", &user) ||
	    !amqp_table_find(response, "PASSWORD", &password))
		return false;
	if (user.type != AMQP_VALUE_STRING || password.type != AMQP_VALUE_STRING)
		return false;
	claim->user = user.bytes;
	claim->password = password.bytes;
	return user.bytes.size == 0 || memchr(user.bytes.data, 0, user.bytes.size) == NULL;
}

/* What the response says does not count. */
static int sasl_external(const struct sasl_settings *settings, const struct shunt_peer *peer,
			 struct sasl_claim *claim, char *ret_reason, size_t size)
{
	if (certificate_user(slice_make(peer->certificate.data, peer->certificate.size),
			     &settings->certificate, claim->name, ret_reason, size) != 0)
		return -1;
	claim->user = slice_cstr(claim->name);
	claim->is_proven = true;
	return 0;
}

static void sasl_anonymous(const struct sasl_settings *settings, struct sasl_claim *claim)
{
	claim->user = slice_cstr(settings->anonymous_user);
	claim->is_proven = settings->anonymous_pass == NULL;
	if (!claim->is_proven)
		claim->password = slice_cstr(settings->anonymous_pass);
}

int sasl_read(const struct sasl_settings *settings, enum sasl_mechanism mechanism,
	      const struct shunt_peer *peer, struct slice response, struct sasl_claim *ret_claim,
	      char *ret_reason, size_t size)
{
	bool is_right = true;

	*ret_claim = (struct sasl_claim){.is_proven = false};
	switch (mechanism) {
	case SASL_PLAIN:
		is_right = sasl_plain(response, ret_claim);
		break;
	case SASL_AMQPLAIN:
		is_right = sasl_amqplain(response, ret_claim);
		break;
	case SASL_EXTERNAL:
		return sasl_external(settings, peer, ret_claim, ret_reason, size);
	case SASL_ANONYMOUS:
		sasl_anonymous(settings, ret_claim);
		break;
	case SASL_MECHANISMS:
		is_right = false;
		break;
	}
	if (!is_right)
		(void)snprintf(ret_reason, size, "malformed response");
	return is_right ? 0 : -1;
}
