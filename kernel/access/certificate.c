/* SPDX-License-Identifier: MIT */
#include "access/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"

/* A name may come in any of ASN.1's strings, which have a length: a zero byte within would end it
 * where it is read as a C string, so that is refused wherever it comes from. */

/* As UTF-8. False: it is no string. */
static bool append_string(struct buffer *name, const ASN1_STRING *string,
			  void (*append)(struct buffer *name, struct slice text))
{
	unsigned char *text = NULL;
	int size = string != NULL ? ASN1_STRING_to_UTF8(&text, string) : -1;

	if (size < 0)
		return false;
	append(name, slice_make(text, (size_t)size));
	OPENSSL_free(text);
	return true;
}

/* ---- The subject (RFC 4514, as RabbitMQ writes it) ---- */

static const struct {
	int nid;
	const char *name;
} attributes[] = {
	{NID_surname, "SN"},
	{NID_givenName, "GIVENNAME"},
	{NID_initials, "INITIALS"},
	{NID_generationQualifier, "GENERATIONQUALIFIER"},
	{NID_commonName, "CN"},
	{NID_localityName, "L"},
	{NID_stateOrProvinceName, "ST"},
	{NID_organizationName, "O"},
	{NID_organizationalUnitName, "OU"},
	{NID_title, "TITLE"},
	{NID_countryName, "C"},
	{NID_serialNumber, "SERIALNUMBER"},
	{NID_pseudonym, "PSEUDONYM"},
	{NID_domainComponent, "DC"},
	{NID_pkcs9_emailAddress, "EMAILADDRESS"},
	{NID_streetAddress, "STREET"},
	{NID_userId, "UID"},
};

/* The name, or the numbers with dots. */
static void append_attribute(struct buffer *name, const ASN1_OBJECT *object)
{
	int nid = OBJ_obj2nid(object);
	char numbers[80];

	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		if (attributes[i].nid == nid) {
			buffer_append_cstr(name, attributes[i].name);
			return;
		}
	}
	(void)OBJ_obj2txt(numbers, sizeof(numbers), object, 1);
	buffer_append_cstr(name, numbers);
}

static void append_escaped(struct buffer *name, struct slice text)
{
	char escaped[4];

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		bool is_edge = (i == 0 && (c == ' ' || c == '#')) ||
			       (i == text.size - 1 && c == ' ');

		if (c < 32 || c >= 126)
			(void)snprintf(escaped, sizeof(escaped), "\\%02X", c);
		else if (is_edge || strchr("\"+,;<>\\", c) != NULL)
			(void)snprintf(escaped, sizeof(escaped), "\\%c", c);
		else
			(void)snprintf(escaped, sizeof(escaped), "%c", c);
		buffer_append_cstr(name, escaped);
	}
}

/* The last part first; those of one set are joined by a plus. */
static bool append_subject(struct buffer *name, const X509_NAME *subject)
{
	int n = X509_NAME_entry_count(subject), first = n;

	while (first > 0) {
		int end = first, set = X509_NAME_ENTRY_set(X509_NAME_get_entry(subject, end - 1));

		while (first > 0 &&
		       X509_NAME_ENTRY_set(X509_NAME_get_entry(subject, first - 1)) == set)
			first--;
		for (int i = first; i < end; i++) {
			const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);

			if (i > first)
				buffer_append_byte(name, '+');
			else if (end < n)
				buffer_append_byte(name, ',');
			append_attribute(name, X509_NAME_ENTRY_get_object(entry));
			buffer_append_byte(name, '=');
			if (!append_string(name, X509_NAME_ENTRY_get_data(entry), append_escaped))
				return false;
		}
	}
	return n > 0;
}

static bool append_common_names(struct buffer *name, X509_NAME *subject)
{
	int at = -1, n = 0;

	while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
		if (n++ > 0)
			buffer_append_byte(name, ',');
		if (!append_string(name,
				   X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)),
				   buffer_append_slice))
			return false;
	}
	return n > 0;
}

/* ---- Alternative names ---- */

static int san_kind(enum certificate_san type)
{
	static const int kinds[] = {
		[CERTIFICATE_SAN_DNS] = GEN_DNS,
		[CERTIFICATE_SAN_IP] = GEN_IPADD,
		[CERTIFICATE_SAN_EMAIL] = GEN_EMAIL,
		[CERTIFICATE_SAN_URI] = GEN_URI,
		[CERTIFICATE_SAN_OTHER_NAME] = GEN_OTHERNAME,
	};

	return kinds[type];
}

static bool append_address(struct buffer *name, const ASN1_OCTET_STRING *address)
{
	int size = ASN1_STRING_length(address);
	char text[INET6_ADDRSTRLEN];

	if ((size != 4 && size != 16) ||
	    inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
		      sizeof(text)) == NULL)
		return false;
	buffer_append_cstr(name, text);
	return true;
}

static bool append_other_name(struct buffer *name, const ASN1_TYPE *value)
{
	switch (value->type) {
	case V_ASN1_UTF8STRING:
	case V_ASN1_IA5STRING:
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_T61STRING:
	case V_ASN1_BMPSTRING:
	case V_ASN1_UNIVERSALSTRING:
		return append_string(name, value->value.asn1_string, buffer_append_slice);
	default:
		return false;
	}
}

static bool append_general_name(struct buffer *name, const GENERAL_NAME *san)
{
	if (san->type == GEN_IPADD)
		return append_address(name, san->d.iPAddress);
	if (san->type == GEN_OTHERNAME)
		return append_other_name(name, san->d.otherName->value);
	return append_string(name, san->d.ia5, buffer_append_slice);
}

static bool append_alternative_name(struct buffer *name, const X509 *certificate,
				    const struct certificate_rule *rule)
{
	GENERAL_NAMES *sans = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	unsigned index = 0;
	bool is_found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
		const GENERAL_NAME *san = sk_GENERAL_NAME_value(sans, i);

		if (san->type != san_kind(rule->san_type) || index++ != rule->san_index)
			continue;
		is_found = append_general_name(name, san);
		break;
	}
	GENERAL_NAMES_free(sans);
	return is_found;
}

/* ---- The door ---- */

static bool append_user(struct buffer *name, X509 *certificate, const struct certificate_rule *rule)
{
	switch (rule->from) {
	case CERTIFICATE_DISTINGUISHED_NAME:
		return append_subject(name, X509_get_subject_name(certificate));
	case CERTIFICATE_COMMON_NAME:
		return append_common_names(name, X509_get_subject_name(certificate));
	case CERTIFICATE_ALTERNATIVE_NAME:
		return append_alternative_name(name, certificate, rule);
	}
	return false;
}

static const char *wrong_with(struct slice name)
{
	if (name.size == 0)
		return "the name in the certificate is empty";
	if (name.size > ACCESS_NAME_MAX)
		return "the name in the certificate is too long";
	if (memchr(name.data, 0, name.size) != NULL)
		return "the name in the certificate has a zero byte";
	return NULL;
}

int certificate_user(struct slice der, const struct certificate_rule *rule,
		     char ret_user[ACCESS_NAME_MAX + 1], char *ret_reason, size_t size)
{
	const unsigned char *p = der.data;
	X509 *certificate = der.size != 0 ? d2i_X509(NULL, &p, (long)der.size) : NULL;
	const char *wrong = NULL;
	struct buffer name;

	buffer_init(&name);
	if (certificate == NULL)
		wrong = "the certificate cannot be read";
	else if (!append_user(&name, certificate, rule))
		wrong = "no name found in the certificate";
	else
		wrong = name.failed ? "out of memory" : wrong_with(buffer_slice(&name));
	if (wrong == NULL) {
		memcpy(ret_user, name.data, name.size);
		ret_user[name.size] = '\0';
	} else {
		(void)snprintf(ret_reason, size, "%s", wrong);
	}
	X509_free(certificate);
	buffer_fini(&name);
	ERR_clear_error(); /* what was wrong is not for whoever uses OpenSSL next */
	return wrong == NULL ? 0 : -1;
}
