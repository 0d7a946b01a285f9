/* SPDX-License-Identifier: MIT */
#include "access/remembered.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "base/random.h"

struct remembered_entry {
	struct remembered_digest digest;
	struct throttle_address from;
	uint64_t serial;
	uint64_t until_ms; /* 0: empty */
};

/* The digest, which nobody outside can foresee, says in which set it is. Sets that were never used
 * cost no memory. */
struct remembered {
	uint8_t key[REMEMBERED_SIZE];
	struct remembered_entry sets[REMEMBERED_N_SETS][REMEMBERED_WAYS];
};

struct remembered *remembered_create(void)
{
	struct remembered *remembered = mem_zalloc(sizeof(*remembered));

	random_bytes(remembered->key, sizeof(remembered->key));
	return remembered;
}

void remembered_destroy(struct remembered *remembered)
{
	if (remembered == NULL)
		return;
	explicit_bzero(remembered->key, sizeof(remembered->key));
	mem_free(remembered);
}

/* The user's size first: so no two pairs of user and password are the same bytes. */
int remembered_digest_of(const struct remembered *remembered, struct slice user,
			 struct slice password, struct remembered_digest *ret_digest)
{
	size_t size = sizeof(user.size) + user.size + password.size;
	uint8_t *bytes = mem_try_alloc(size);
	unsigned n = 0;

	if (bytes == NULL)
		return -ENOMEM;
	memcpy(bytes, &user.size, sizeof(user.size));
	slice_copy(bytes + sizeof(user.size), user);
	slice_copy(bytes + sizeof(user.size) + user.size, password);
	bool done = HMAC(EVP_sha256(), remembered->key, (int)sizeof(remembered->key), bytes, size,
			 ret_digest->bytes, &n) != NULL;
	explicit_bzero(bytes, size);
	mem_free(bytes);
	bug_on(done && n != REMEMBERED_SIZE);
	return done ? 0 : -ENOMEM;
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
		    const struct throttle_address *from, uint64_t serial, uint64_t now_ms)
{
	const struct remembered_entry *set = remembered->sets[remembered_set(digest)];

	for (size_t i = 0; i < REMEMBERED_WAYS; i++)
		if (set[i].until_ms > now_ms && set[i].serial == serial &&
		    (from == NULL || throttle_address_equal(&set[i].from, from)) &&
		    remembered_digest_equal(&set[i].digest, digest))
			return true;
	return false;
}

void remembered_add(struct remembered *remembered, const struct remembered_digest *digest,
		    const struct throttle_address *from, uint64_t serial, uint64_t now_ms)
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
	*place = (struct remembered_entry){*digest, *from, serial, now_ms + REMEMBERED_MS};
}
