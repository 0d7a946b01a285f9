/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_ACCESS_CERTIFICATE_MAKER_H
#define TESTS_UNIT_ACCESS_CERTIFICATE_MAKER_H

/* Certificates with any subject and alternative names, signed by themselves. */

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../unit.h"
#include "base/slice.h"

/* One part of a subject; a set of -1 is one with that before it. */
struct subject_part {
	const char *field;
	struct slice value;
	int type; /* MBSTRING_UTF8, V_ASN1_... */
	int set;
};

/* sans: taken; NULL: none. The slice is of a buffer of the maker's, until the next one is made. */
static inline struct slice certificate_make(const struct subject_part *parts, size_t n, GENERAL_NAMES *sans)
{
	static unsigned char der[8192];
	unsigned char *p = der;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *name = X509_NAME_new();
	int size;

	for (size_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL_FATAL(X509_NAME_add_entry_by_txt(name, parts[i].field, parts[i].type, parts[i].value.data,
								 (int)parts[i].value.size, -1, parts[i].set),
				      1);
	X509_set_subject_name(certificate, name);
	X509_set_issuer_name(certificate, name);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	if (sans != NULL)
		CU_ASSERT_EQUAL_FATAL(X509_add1_ext_i2d(certificate, NID_subject_alt_name, sans, 0, X509V3_ADD_DEFAULT), 1);
	GENERAL_NAMES_free(sans);
	CU_ASSERT_FATAL(X509_sign(certificate, key, EVP_sha256()) > 0);
	size = i2d_X509(certificate, NULL);
	CU_ASSERT_FATAL(size > 0 && (size_t)size <= sizeof(der));
	(void)i2d_X509(certificate, &p);
	X509_NAME_free(name);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return slice_make(der, (size_t)size);
}

/* Of the subject CN=`name`. */
static inline struct slice certificate_of(const char *name)
{
	const struct subject_part part = { "CN", slice_cstr(name), MBSTRING_UTF8, 0 };

	return certificate_make(&part, 1, NULL);
}

#endif
