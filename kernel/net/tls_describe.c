/* SPDX-License-Identifier: MIT */
/* What a TLS session is, in RabbitMQ's words, for lists. */
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/tls_state.h"

struct word {
	int nid;
	const char *text;
};

static const char *find_word(const struct word *words, int nid)
{
	while (words->text && words->nid != nid)
		words++;
	return words->text ? words->text : "unknown";
}

static const char *key_exchange(const SSL_CIPHER *cipher)
{
	static const struct word of_rsa[] = {
		{NID_kx_any, "any"},	 {NID_kx_rsa, "rsa"}, {NID_kx_ecdhe, "ecdhe_rsa"},
		{NID_kx_dhe, "dhe_rsa"}, {0, NULL},
	};
	static const struct word of_ecdsa[] = {{NID_kx_ecdhe, "ecdhe_ecdsa"}, {0, NULL}};

	return find_word(SSL_CIPHER_get_auth_nid(cipher) == NID_auth_ecdsa ? of_ecdsa : of_rsa,
			 SSL_CIPHER_get_kx_nid(cipher));
}

void tls_session_describe(const struct tls_session *s, struct tls_description *ret)
{
	static const struct word ciphers[] = {
		{NID_aes_128_gcm, "aes_128_gcm"},
		{NID_aes_256_gcm, "aes_256_gcm"},
		{NID_aes_128_cbc, "aes_128_cbc"},
		{NID_aes_256_cbc, "aes_256_cbc"},
		{NID_aes_128_ccm, "aes_128_ccm"},
		{NID_aes_256_ccm, "aes_256_ccm"},
		{NID_chacha20_poly1305, "chacha20_poly1305"},
		{0, NULL},
	};
	static const struct word hashes[] = {
		{NID_undef, "aead"},	{NID_sha1, "sha"}, {NID_sha256, "sha256"},
		{NID_sha384, "sha384"}, {0, NULL},
	};
	const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);

	*ret = (struct tls_description){.protocol = "tlsv1.2"};
	if (SSL_version(s->ssl) == TLS1_3_VERSION)
		(void)snprintf(ret->protocol, sizeof(ret->protocol), "tlsv1.3");
	if (!cipher)
		return;
	(void)snprintf(ret->key_exchange, sizeof(ret->key_exchange), "%s", key_exchange(cipher));
	(void)snprintf(ret->cipher, sizeof(ret->cipher), "%s",
		       find_word(ciphers, SSL_CIPHER_get_cipher_nid(cipher)));
	(void)snprintf(ret->hash, sizeof(ret->hash), "%s",
		       SSL_CIPHER_is_aead(cipher)
			       ? "aead"
			       : find_word(hashes, SSL_CIPHER_get_digest_nid(cipher)));
}

/* What is not ASCII is UTF-8, and stays. */
static void print_name(const X509_NAME *name, char ret_text[TLS_NAME_MAX])
{
	BIO *out = BIO_new(BIO_s_mem());
	int size = 0;

	if (out && X509_NAME_print_ex(out, name, 0,
				      XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		size = BIO_read(out, ret_text, TLS_NAME_MAX - 1);
	ret_text[size > 0 ? size : 0] = '\0';
	BIO_free(out);
	ERR_clear_error();
}

void tls_session_print_subject(const struct tls_session *s, char ret_text[TLS_NAME_MAX])
{
	X509 *certificate = SSL_get0_peer_certificate(s->ssl);

	ret_text[0] = '\0';
	if (certificate)
		print_name(X509_get_subject_name(certificate), ret_text);
}

void tls_session_print_issuer(const struct tls_session *s, char ret_text[TLS_NAME_MAX])
{
	X509 *certificate = SSL_get0_peer_certificate(s->ssl);

	ret_text[0] = '\0';
	if (certificate)
		print_name(X509_get_issuer_name(certificate), ret_text);
}

void tls_session_print_validity(const struct tls_session *s, char ret_text[TLS_VALIDITY_MAX])
{
	X509 *certificate = SSL_get0_peer_certificate(s->ssl);
	struct tm from, to;
	size_t size;

	ret_text[0] = '\0';
	if (!certificate || ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &from) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &to) != 1)
		return;
	size = strftime(ret_text, TLS_VALIDITY_MAX, "%Y-%m-%dT%H:%M:%SZ - ", &from);
	(void)strftime(ret_text + size, TLS_VALIDITY_MAX - size, "%Y-%m-%dT%H:%M:%SZ", &to);
}
