/* SPDX-License-Identifier: MIT */
#include "conn/entry/sasl.h"

#include <string.h>

#include "../access/certificate_maker.h"
#include "../unit.h"
#include "amqp/table_writer.h"

static const struct shunt_peer plain_peer = { .size = sizeof(plain_peer), .is_loopback = true };
static struct sasl_claim claim;
static char reason[128];

static struct shunt_peer peer_with(struct slice certificate, bool is_tls)
{
	return (struct shunt_peer){ .size = sizeof(plain_peer),
				    .is_tls = is_tls,
				    .certificate = { certificate.data, certificate.size } };
}

static void offered(const struct sasl_settings *settings, const struct shunt_peer *peer, const char *expected)
{
	char text[SASL_OFFER_MAX];

	sasl_offer(settings, peer, text);
	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void what_is_offered(void)
{
	struct shunt_peer certified = peer_with(SLICE_LITERAL("x"), true), tls = peer_with(SLICE_EMPTY, true);
	struct shunt_peer odd = peer_with(SLICE_LITERAL("x"), false);
	struct sasl_settings settings = { .mechanisms = 0 };

	offered(&settings, &plain_peer, "PLAIN AMQPLAIN");
	offered(&settings, &certified, "PLAIN AMQPLAIN");
	settings.anonymous_user = "nobody";
	offered(&settings, &plain_peer, "PLAIN AMQPLAIN ANONYMOUS");
	settings.mechanisms = 15;
	offered(&settings, &plain_peer, "PLAIN AMQPLAIN ANONYMOUS");
	offered(&settings, &tls, "PLAIN AMQPLAIN ANONYMOUS");
	offered(&settings, &odd, "PLAIN AMQPLAIN ANONYMOUS");
	offered(&settings, &certified, "PLAIN AMQPLAIN EXTERNAL ANONYMOUS");
	settings.anonymous_user = NULL;
	settings.mechanisms = 1u << SASL_EXTERNAL | 1u << SASL_ANONYMOUS;
	offered(&settings, &plain_peer, "");
	offered(&settings, &certified, "EXTERNAL");
}

static void names(void)
{
	enum sasl_mechanism mechanism;

	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		CU_ASSERT_TRUE(sasl_find(slice_cstr(sasl_name((enum sasl_mechanism)i)), &mechanism));
		CU_ASSERT_EQUAL(mechanism, i);
	}
	CU_ASSERT_FALSE(sasl_find(SLICE_LITERAL("plain"), &mechanism));
	CU_ASSERT_FALSE(sasl_find(SLICE_LITERAL("PLAINX"), &mechanism));
	CU_ASSERT_FALSE(sasl_find(SLICE_EMPTY, &mechanism));
}

static bool reads(const struct sasl_settings *settings, enum sasl_mechanism mechanism, const struct shunt_peer *peer,
		  struct slice response)
{
	return sasl_read(settings, mechanism, peer, response, &claim, reason, sizeof(reason)) == 0;
}

static void claimed(const char *user, const char *password, bool is_proven)
{
	CU_ASSERT_TRUE(slice_equal(claim.user, slice_cstr(user)));
	CU_ASSERT_TRUE(slice_equal(claim.password, slice_cstr(password)));
	CU_ASSERT_EQUAL(claim.is_proven, is_proven);
}

static void plain(void)
{
	static const struct slice wrong[] = {
		{ NULL, 0 },		 SLICE_LITERAL("x"), SLICE_LITERAL("\0"),	SLICE_LITERAL("\0user"),
		SLICE_LITERAL("\0u\0p\0"), SLICE_LITERAL("\0u\0p\0x"),
		/* nobody acts for somebody else */
		SLICE_LITERAL("other\0user\0pass"),
	};
	const struct sasl_settings settings = { .mechanisms = 0 };

	CU_ASSERT_TRUE(reads(&settings, SASL_PLAIN, &plain_peer, SLICE_LITERAL("\0user\0pass")));
	claimed("user", "pass", false);
	CU_ASSERT_TRUE(reads(&settings, SASL_PLAIN, &plain_peer, SLICE_LITERAL("user\0user\0pass")));
	claimed("user", "pass", false);
	CU_ASSERT_TRUE(reads(&settings, SASL_PLAIN, &plain_peer, SLICE_LITERAL("\0\0")));
	claimed("", "", false);
	CU_ASSERT_TRUE(reads(&settings, SASL_PLAIN, &plain_peer, SLICE_LITERAL("\0user\0")));
	claimed("user", "", false);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CU_ASSERT_FALSE(reads(&settings, SASL_PLAIN, &plain_peer, wrong[i]));
		CU_ASSERT_STRING_EQUAL(reason, "malformed response");
	}
}

static void amqplain(void)
{
	const struct sasl_settings settings = { .mechanisms = 0 };
	struct amqp_table_writer w;
	struct buffer buffer;

	buffer_init(&buffer);
	amqp_table_writer_init(&w, &buffer);
	amqp_table_put_string(&w, "LOGIN", SLICE_LITERAL("user"));
	amqp_table_put_string(&w, "PASSWORD", SLICE_LITERAL("pass"));
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&w), 0);
	CU_ASSERT_TRUE(reads(&settings, SASL_AMQPLAIN, &plain_peer, buffer_slice(&buffer)));
	claimed("user", "pass", false);
	for (size_t n = 0; n < buffer.size; n++)
		CU_ASSERT_FALSE(reads(&settings, SASL_AMQPLAIN, &plain_peer, slice_make(buffer.data, n)));
	buffer_fini(&buffer);
}

/* The certificate counts, and not what the client says. */
static void external(void)
{
	struct slice der = certificate_of("client");
	struct shunt_peer peer = peer_with(der, true), broken = peer_with(slice_make(der.data, der.size - 1), true);
	struct sasl_settings settings = { .certificate = { .from = CERTIFICATE_COMMON_NAME } };

	CU_ASSERT_TRUE(reads(&settings, SASL_EXTERNAL, &peer, SLICE_LITERAL("admin")));
	claimed("client", "", true);
	settings.certificate.from = CERTIFICATE_DISTINGUISHED_NAME;
	CU_ASSERT_TRUE(reads(&settings, SASL_EXTERNAL, &peer, SLICE_EMPTY));
	claimed("CN=client", "", true);
	CU_ASSERT_FALSE(reads(&settings, SASL_EXTERNAL, &broken, SLICE_LITERAL("client")));
	CU_ASSERT_STRING_EQUAL(reason, "the certificate cannot be read");
}

static void anonymous(void)
{
	struct sasl_settings settings = { .anonymous_user = "nobody" };

	CU_ASSERT_TRUE(reads(&settings, SASL_ANONYMOUS, &plain_peer, SLICE_LITERAL("admin")));
	claimed("nobody", "", true);
	settings.anonymous_pass = "secret";
	CU_ASSERT_TRUE(reads(&settings, SASL_ANONYMOUS, &plain_peer, SLICE_EMPTY));
	claimed("nobody", "secret", false);
}

UNIT_MAIN("conn/sasl", UNIT_TEST(what_is_offered), UNIT_TEST(names), UNIT_TEST(plain), UNIT_TEST(amqplain),
	  UNIT_TEST(external), UNIT_TEST(anonymous))
