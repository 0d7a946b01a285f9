/* SPDX-License-Identifier: MIT */
#include "access/remembered.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "base/random.h"

struct remembered_entry {
	struct remembered_digest digest;
	uint64_t serial;
	uint64_t until_ms; /* 0: empty */
};

/* The digest, which nobody outside can foresee, says in which set it is. Sets that were never used
 * cost no memory. */
struct remembered {
	EVP_MAC_CTX *keyed; /* made once: making one costs more than the hashing */
	struct remembered_entry sets[REMEMBERED_N_SETS][REMEMBERED_WAYS];
};

static EVP_MAC_CTX *remembered_keyed(void)
{
	char sha256[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_end(),
	};
	uint8_t key[REMEMBERED_SIZE];
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *keyed = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;

	random_bytes(key, sizeof(key));
	/* Without it the library is not what this was built with: nothing that could be waited for.
	 */
	bug_on(keyed == NULL || EVP_MAC_init(keyed, key, sizeof(key), params) != 1);
	explicit_bzero(key, sizeof(key));
	EVP_MAC_free(hmac);
	return keyed;
}

struct remembered *remembered_create(void)
{
	struct remembered *remembered = mem_zalloc(sizeof(*remembered));

	remembered->keyed = remembered_keyed();
	return remembered;
}

void remembered_destroy(struct remembered *remembered)
{
	if (remembered == NULL)
		return;
	EVP_MAC_CTX_free(remembered->keyed); /* wipes the key */
	mem_free(remembered);
}

/* The user's size first: so no two pairs of user and password are the same bytes. An init without
 * a key begins anew with the old one. */
int remembered_digest_of(const struct remembered *remembered, struct slice user,
			 struct slice password, struct remembered_digest *ret_digest)
{
	EVP_MAC_CTX *keyed = remembered->keyed;
	size_t n = 0;

	if (EVP_MAC_init(keyed, NULL, 0, NULL) != 1 ||
	    EVP_MAC_update(keyed, (const uint8_t *)&user.size, sizeof(user.size)) != 1 ||
	    (user.size != 0 && EVP_MAC_update(keyed, user.data, user.size) != 1) ||
	    (password.size != 0 && EVP_MAC_update(keyed, password.data, password.size) != 1) ||
	    EVP_MAC_final(keyed, ret_digest->bytes, &n, REMEMBERED_SIZE) != 1)
		return -ENOMEM;
	bug_on(n != REMEMBERED_SIZE);
	return 0;
}

bool remembered_digest_equal(const struct remembered_digest *a, const struct remembered_digest *b)
{
	return CRYPTO_memcmp(a->bytes, b->bytes, REMEMBERED_SIZE) == 0;
}

static size_t remembered_set(const struct remembered_digest *digest)
{
	return (digest->bytes[0] | (size_t)digest->bytes[1] << 8) % REMEMBERED_N_SETS;
}

bool remembered_has(const struct remembered *remembered, const struct remembered_digest *digest,
		    uint64_t serial, uint64_t now_ms)
{
	const struct remembered_entry *set = remembered->sets[remembered_set(digest)];

	for (size_t i = 0; i < REMEMBERED_WAYS; i++)
		if (set[i].until_ms > now_ms && set[i].serial == serial &&
		    remembered_digest_equal(&set[i].digest, digest))
			return true;
	return false;
}

void remembered_add(struct remembered *remembered, const struct remembered_digest *digest,
		    uint64_t serial, uint64_t now_ms)
{
	struct remembered_entry *set = remembered->sets[remembered_set(digest)], *place = &set[0];

	for (size_t i = 0; i < REMEMBERED_WAYS; i++) {
		if (set[i].until_ms != 0 && remembered_digest_equal(&set[i].digest, digest)) {
			place = &set[i];
			break;
		}
		if (set[i].until_ms < place->until_ms)
			place = &set[i];
	}
	*place = (struct remembered_entry){*digest, serial, now_ms + REMEMBERED_MS};
}
