/* SPDX-License-Identifier: MIT */
#include "net/tls_tickets.h"

/*
 * OpenSSL asks on whichever worker a handshake runs, so there is a lock here; it is held to copy a
 * key, beside a handshake's half of a millisecond.
 */

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

#define NAME_SIZE 16
#define IV_SIZE	  16 /* of AES, in CBC */

struct ticket_key {
	unsigned char name[NAME_SIZE]; /* goes with the ticket */
	unsigned char cipher[32], mac[32];
	uint64_t made_ms;
};

struct tls_tickets {
	pthread_mutex_t lock;
	uint64_t period_ms;
	struct ticket_key keys[2]; /* the one that seals, and the one before it */
};

static void make_key(struct ticket_key *key, uint64_t now_ms)
{
	random_bytes(key->name, sizeof(key->name));
	random_bytes(key->cipher, sizeof(key->cipher));
	random_bytes(key->mac, sizeof(key->mac));
	key->made_ms = now_ms;
}

struct tls_tickets *tls_tickets_create(uint64_t period_ms)
{
	struct tls_tickets *tickets = mem_zalloc(sizeof(*tickets));

	(void)pthread_mutex_init(&tickets->lock, NULL); /* cannot fail with default attributes */
	tickets->period_ms = period_ms;
	make_key(&tickets->keys[0], clock_monotonic_ms());
	make_key(&tickets->keys[1], clock_monotonic_ms());
	return tickets;
}

void tls_tickets_destroy(struct tls_tickets *tickets)
{
	if (!tickets)
		return;
	(void)pthread_mutex_destroy(&tickets->lock);
	explicit_bzero(tickets, sizeof(*tickets));
	mem_free(tickets);
}

/* Nothing that a key has sealed is opened after twice the period. */
static void rotate(struct tls_tickets *tickets)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (now_ms - tickets->keys[0].made_ms < tickets->period_ms)
		return;
	if (now_ms - tickets->keys[0].made_ms < 2 * tickets->period_ms)
		tickets->keys[1] = tickets->keys[0];
	else
		make_key(&tickets->keys[1], now_ms);
	make_key(&tickets->keys[0], now_ms);
}

/* name == NULL: the one that seals. -1: there is none of that name; otherwise which one it is. */
static int get_key(struct tls_tickets *tickets, const unsigned char *name, struct ticket_key *ret)
{
	int found = -1;

	(void)pthread_mutex_lock(&tickets->lock);
	rotate(tickets);
	for (int i = 0; i < 2 && found < 0; i++)
		if (!name || memcmp(tickets->keys[i].name, name, NAME_SIZE) == 0)
			found = i;
	if (found >= 0)
		*ret = tickets->keys[found];
	(void)pthread_mutex_unlock(&tickets->lock);
	return found;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	char digest[] = "sha256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* -1: a failure; 0: the ticket is not ours, a whole handshake follows; 1: go on; 2: go on, and the
 * client gets a new ticket. */
static int seal_or_open(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
			EVP_MAC_CTX *mac, int seals)
{
	struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key key;
	int found = get_key(tickets, seals ? NULL : name, &key), ok;

	if (found < 0)
		return 0;
	if (seals) {
		memcpy(name, key.name, NAME_SIZE);
		random_bytes(iv, IV_SIZE);
		ok = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
	} else {
		ok = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
	}
	ok = ok == 1 && set_mac(mac, &key);
	explicit_bzero(&key, sizeof(key));
	if (!ok)
		return -1;
	/* TLS 1.3 wants a ticket to be used once. */
	return !seals && (found > 0 || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : 1;
}

int tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *ctx)
{
	SSL_CTX_set_app_data(ctx, tickets);
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, seal_or_open) == 1 ? 0 : -1;
}
