/* SPDX-License-Identifier: MIT */
#include "access/certificate.h"

#include <stdio.h>
#include <string.h>

#include "certificate_maker.h"

static char user[ACCESS_NAME_MAX + 1], reason[128];

static bool reads(struct slice der, enum certificate_from from)
{
	const struct certificate_rule rule = { .from = from };

	snprintf(user, sizeof(user), "untouched");
	reason[0] = '\0';
	return certificate_user(der, &rule, user, reason, sizeof(reason)) == 0;
}

#define PART(field, value, set) { field, SLICE_LITERAL(value), MBSTRING_UTF8, set }

static void distinguished_names(void)
{
	static const struct {
		struct subject_part parts[4];
		size_t n;
		const char *expected;
	} cases[] = {
		{ { PART("O", "client", 0), PART("CN", "me", 0) }, 2, "CN=me,O=client" },
		{ { PART("C", "DE", 0), PART("CN", "me", 0), PART("UID", "u", -1) }, 3, "CN=me+UID=u,C=DE" },
		{ { PART("DC", "org", 0), PART("DC", "example", 0), PART("emailAddress", "a@b", 0) }, 3,
		  "EMAILADDRESS=a@b,DC=example,DC=org" },
		{ { PART("CN", " #a,b+c\"d\\e<f>g;h ", 0) }, 1, "CN=\\ #a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\ " },
		{ { PART("CN", "#x", 0) }, 1, "CN=\\#x" },
		{ { PART("CN", "\xc3\xa4\x01~", 0) }, 1, "CN=\\C3\\A4\\01\\7E" },
		{ { PART("1.2.3.4", "v", 0), PART("street", "s", 0) }, 2, "STREET=s,1.2.3.4=v" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CU_ASSERT_TRUE(reads(certificate_make(cases[i].parts, cases[i].n, NULL), CERTIFICATE_DISTINGUISHED_NAME));
		CU_ASSERT_STRING_EQUAL(user, cases[i].expected);
	}
}

static void common_names(void)
{
	static const struct subject_part two[] = { PART("CN", "a", 0), PART("O", "o", 0), PART("CN", "b", 0) };
	static const struct subject_part latin = { "CN", SLICE_LITERAL("\xe4"), V_ASN1_T61STRING, 0 };
	static const struct subject_part none = PART("O", "o", 0);

	CU_ASSERT_TRUE(reads(certificate_of("client"), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_STRING_EQUAL(user, "client");
	CU_ASSERT_TRUE(reads(certificate_make(two, 3, NULL), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_STRING_EQUAL(user, "a,b");
	CU_ASSERT_TRUE(reads(certificate_make(&latin, 1, NULL), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_STRING_EQUAL(user, "\xc3\xa4");
	CU_ASSERT_FALSE(reads(certificate_make(&none, 1, NULL), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_STRING_EQUAL(reason, "no name found in the certificate");
	CU_ASSERT_STRING_EQUAL(user, "untouched");
}

/* "admin\0.evil.example" is not "admin". */
static void a_zero_byte_is_refused(void)
{
	static const struct subject_part zero = { "CN", SLICE_LITERAL("admin\0x"), V_ASN1_UTF8STRING, 0 };

	CU_ASSERT_FALSE(reads(certificate_make(&zero, 1, NULL), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_STRING_EQUAL(reason, "the name in the certificate has a zero byte");
	CU_ASSERT_STRING_EQUAL(user, "untouched");
	/* here it is escaped, so it is another name */
	CU_ASSERT_TRUE(reads(certificate_make(&zero, 1, NULL), CERTIFICATE_DISTINGUISHED_NAME));
	CU_ASSERT_STRING_EQUAL(user, "CN=admin\\00x");
}

static void the_longest_name(void)
{
	struct subject_part parts[4];
	char text[64];

	/* OpenSSL takes at most 64 characters a part: 4 * 63 and 3 commas are 255 */
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < 4; i++)
		parts[i] = (struct subject_part){ "CN", slice_make(text, 63), MBSTRING_UTF8, 0 };
	CU_ASSERT_TRUE(reads(certificate_make(parts, 4, NULL), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_EQUAL(strlen(user), ACCESS_NAME_MAX);
	parts[3].value.size = 64;
	CU_ASSERT_FALSE(reads(certificate_make(parts, 4, NULL), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_STRING_EQUAL(reason, "the name in the certificate is too long");
}

/* ---- Alternative names ---- */

static void add_text(GENERAL_NAMES *sans, int type, struct slice text)
{
	GENERAL_NAME *san = GENERAL_NAME_new();
	ASN1_IA5STRING *string = ASN1_IA5STRING_new();

	ASN1_STRING_set(string, text.data, (int)text.size);
	GENERAL_NAME_set0_value(san, type, string);
	sk_GENERAL_NAME_push(sans, san);
}

static void add_address(GENERAL_NAMES *sans, const char *text)
{
	GENERAL_NAME *san = GENERAL_NAME_new();

	GENERAL_NAME_set0_value(san, GEN_IPADD, a2i_IPADDRESS(text));
	sk_GENERAL_NAME_push(sans, san);
}

static void add_other(GENERAL_NAMES *sans, int type, const char *text)
{
	GENERAL_NAME *san = GENERAL_NAME_new();
	ASN1_TYPE *value = ASN1_TYPE_new();
	ASN1_STRING *string = ASN1_STRING_type_new(type);

	ASN1_STRING_set(string, text, (int)strlen(text));
	ASN1_TYPE_set(value, type, string);
	GENERAL_NAME_set0_othername(san, OBJ_txt2obj("1.3.6.1.4.1.311.20.2.3", 1), value);
	sk_GENERAL_NAME_push(sans, san);
}

static struct slice with_sans(void)
{
	static const struct subject_part part = PART("CN", "c", 0);
	GENERAL_NAMES *sans = GENERAL_NAMES_new();

	add_text(sans, GEN_DNS, SLICE_LITERAL("first.example"));
	add_text(sans, GEN_EMAIL, SLICE_LITERAL("me@example"));
	add_text(sans, GEN_DNS, SLICE_LITERAL("second\0.example"));
	add_text(sans, GEN_URI, SLICE_LITERAL("urn:me"));
	add_address(sans, "192.0.2.7");
	add_address(sans, "2001:db8::7");
	add_other(sans, V_ASN1_UTF8STRING, "me@domain");
	add_other(sans, V_ASN1_OCTET_STRING, "bytes");
	return certificate_make(&part, 1, sans);
}

static void alternative_names(void)
{
	static const struct {
		enum certificate_san type;
		unsigned index;
		const char *expected; /* NULL: refused */
	} cases[] = {
		{ CERTIFICATE_SAN_DNS, 0, "first.example" },
		{ CERTIFICATE_SAN_DNS, 1, NULL }, /* a zero byte */
		{ CERTIFICATE_SAN_DNS, 2, NULL },
		{ CERTIFICATE_SAN_EMAIL, 0, "me@example" },
		{ CERTIFICATE_SAN_EMAIL, 1, NULL },
		{ CERTIFICATE_SAN_URI, 0, "urn:me" },
		{ CERTIFICATE_SAN_IP, 0, "192.0.2.7" },
		{ CERTIFICATE_SAN_IP, 1, "2001:db8::7" },
		{ CERTIFICATE_SAN_OTHER_NAME, 0, "me@domain" },
		{ CERTIFICATE_SAN_OTHER_NAME, 1, NULL }, /* no string */
	};
	struct slice der = with_sans();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct certificate_rule rule = { CERTIFICATE_ALTERNATIVE_NAME, cases[i].type, cases[i].index };
		int result = certificate_user(der, &rule, user, reason, sizeof(reason));

		CU_ASSERT_EQUAL(result, cases[i].expected != NULL ? 0 : -1);
		if (cases[i].expected != NULL)
			CU_ASSERT_STRING_EQUAL(user, cases[i].expected);
	}
	CU_ASSERT_FALSE(reads(certificate_of("none"), CERTIFICATE_ALTERNATIVE_NAME));
}

/* Whatever comes: it is read, or it is not. */
static void what_is_no_certificate(void)
{
	unsigned char bytes[8192];
	struct slice der = with_sans();

	CU_ASSERT_FALSE(reads(SLICE_EMPTY, CERTIFICATE_COMMON_NAME));
	CU_ASSERT_FALSE(reads(SLICE_LITERAL("hello"), CERTIFICATE_COMMON_NAME));
	CU_ASSERT_STRING_EQUAL(reason, "the certificate cannot be read");
	for (size_t n = 0; n < der.size; n++) {
		memcpy(bytes, der.data, der.size);
		CU_ASSERT_FALSE(reads(slice_make(bytes, n), CERTIFICATE_DISTINGUISHED_NAME));
		bytes[n] ^= 0x55;
		for (unsigned from = 0; from < 3; from++)
			(void)reads(slice_make(bytes, der.size), (enum certificate_from)from);
	}
}

UNIT_MAIN("access/certificate", UNIT_TEST(distinguished_names), UNIT_TEST(common_names), UNIT_TEST(a_zero_byte_is_refused),
	  UNIT_TEST(the_longest_name), UNIT_TEST(alternative_names), UNIT_TEST(what_is_no_certificate))
