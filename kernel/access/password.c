/* SPDX-License-Identifier: MIT */
#include "access/password.h"

#include <argon2.h>
#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "access/state.h"
#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/random.h"
#include "loop/loop.h"

/* OWASP's minimum for Argon2id. */
#define ARGON2_MEMORY_KIB 19456u
#define ARGON2_PASSES	  2u
#define ARGON2_LANES	  1u
#define ARGON2_SALT_BYTES 16u
#define ARGON2_HASH_BYTES 32u

/* A hash of somebody else's making may cost so much, some 0.7 s: what one login may take of a
 * worker's time is bounded. */
#define ARGON2_MEMORY_MAX_KIB (UINT32_C(256) * 1024)
#define ARGON2_PASSES_MAX     16u
#define ARGON2_LANES_MAX      16u
#define ARGON2_WORK_MAX_KIB   (UINT64_C(1024) * 1024) /* memory times passes */
#define ARGON2_BYTES_MIN      8u		      /* of salt and hash */
#define ARGON2_BYTES_MAX      64u

#define SHA_SALT_BYTES 4u

struct argon2_hash {
	uint32_t memory_kib, passes, lanes;
	size_t salt_size, hash_size;
	uint8_t salt[ARGON2_BYTES_MAX], hash[ARGON2_BYTES_MAX];
};

/* ---- Names ---- */

static const char *const password_names[] = {
	[PASSWORD_SHA256] = "rabbit_password_hashing_sha256",
	[PASSWORD_SHA512] = "rabbit_password_hashing_sha512",
	[PASSWORD_MD5] = "rabbit_password_hashing_md5",
	[PASSWORD_ARGON2ID] = "argon2id",
};
#define N_ALGORITHMS (sizeof(password_names) / sizeof(password_names[0]))

const char *password_algorithm_name(enum password_algorithm algorithm)
{
	return (size_t)algorithm < N_ALGORITHMS ? password_names[algorithm] : NULL;
}

bool password_algorithm_find(struct slice name, enum password_algorithm *ret_algorithm)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		if (!slice_equal(name, slice_cstr(password_names[i])))
			continue;
		*ret_algorithm = (enum password_algorithm)i;
		return true;
	}
	return false;
}

/* ---- Base64 (RFC 4648) ---- */

static int base64_value(uint8_t c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != 0 ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

static struct slice base64_without_padding(struct slice text)
{
	for (int i = 0; i < 2 && text.size != 0 && text.data[text.size - 1] == '='; i++)
		text.size--;
	return text;
}

/* Without padding, and as an encoder writes it. False: it is not that, or longer than `max`. */
static bool base64_decode(struct slice text, uint8_t *out, size_t max, size_t *ret_size)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;
	size_t n = 0;

	if (text.size % 4 == 1)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		int value = base64_value(text.data[i]);

		if (value < 0)
			return false;
		bits = (bits << 6 | (uint32_t)value) & 0xffffu;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		if (n == max)
			return false;
		n_bits -= 8;
		out[n++] = (uint8_t)(bits >> n_bits);
	}
	*ret_size = n;
	return (bits & ((1u << n_bits) - 1)) == 0;
}

/* ---- RabbitMQ's ---- */

static const EVP_MD *sha_of(enum password_algorithm algorithm)
{
	switch (algorithm) {
	case PASSWORD_SHA256:
		return EVP_sha256();
	case PASSWORD_SHA512:
		return EVP_sha512();
	case PASSWORD_MD5:
		return EVP_md5();
	case PASSWORD_ARGON2ID:
		break;
	}
	return NULL;
}

struct sha_hash {
	uint8_t bytes[SHA_SALT_BYTES + EVP_MAX_MD_SIZE]; /* salt, hash */
	size_t size;
};

/* Takes it apart, if it has the size that it must have. */
static bool sha_parse(enum password_algorithm algorithm, struct slice text, struct sha_hash *ret)
{
	size_t size = (size_t)EVP_MD_get_size(sha_of(algorithm));

	return text.size % 4 == 0 &&
	       base64_decode(base64_without_padding(text), ret->bytes, sizeof(ret->bytes),
			     &ret->size) &&
	       ret->size == SHA_SALT_BYTES + size;
}

/* The hash behind the salt. 0, or -ENOMEM. */
static int sha_fill(enum password_algorithm algorithm, struct slice password, struct sha_hash *hash)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned size = 0;
	bool done = context != NULL && EVP_DigestInit_ex(context, sha_of(algorithm), NULL) == 1 &&
		    EVP_DigestUpdate(context, hash->bytes, SHA_SALT_BYTES) == 1 &&
		    EVP_DigestUpdate(context, password.data, password.size) == 1 &&
		    EVP_DigestFinal_ex(context, hash->bytes + SHA_SALT_BYTES, &size) == 1;

	EVP_MD_CTX_free(context); /* wipes it */
	hash->size = SHA_SALT_BYTES + size;
	return done ? 0 : -ENOMEM;
}

static int sha_hash(struct slice password, enum password_algorithm algorithm,
		    char ret_hash[ACCESS_HASH_MAX])
{
	struct sha_hash hash = {.size = 0};

	static_assert((SHA_SALT_BYTES + EVP_MAX_MD_SIZE + 2) / 3 * 4 < ACCESS_HASH_MAX, "fits");
	random_bytes(hash.bytes, SHA_SALT_BYTES);
	int rc = sha_fill(algorithm, password, &hash);
	if (rc == 0)
		(void)EVP_EncodeBlock((unsigned char *)ret_hash, hash.bytes, (int)hash.size);
	explicit_bzero(&hash, sizeof(hash));
	return rc;
}

static int sha_verify(struct slice password, enum password_algorithm algorithm, struct slice text)
{
	struct sha_hash right, given;

	if (!sha_parse(algorithm, text, &right))
		return 1;
	given = right;
	int rc = sha_fill(algorithm, password, &given);
	if (rc == 0)
		rc = CRYPTO_memcmp(given.bytes, right.bytes, right.size) != 0;
	explicit_bzero(&given, sizeof(given));
	return rc;
}

/* ---- Argon2's text ---- */

/* What is before the next '$', or all of the rest. */
static struct slice argon2_part(struct slice *rest)
{
	const uint8_t *end = rest->size != 0 ? memchr(rest->data, '$', rest->size) : NULL;
	struct slice part = *rest;

	if (end != NULL)
		part.size = (size_t)(end - rest->data);
	rest->data += part.size + (end != NULL);
	rest->size -= part.size + (end != NULL);
	return part;
}

/* "m=19456" and what follows it: ',' or nothing. */
static bool argon2_number(struct slice *rest, char name, uint32_t max, uint32_t *ret_number)
{
	const uint8_t *p = rest->data, *end = p + rest->size;
	uint64_t number = 0;

	if (rest->size < 3 || p[0] != (uint8_t)name || p[1] != '=')
		return false;
	for (p += 2; p < end && *p != ','; p++) {
		if (*p < '0' || *p > '9')
			return false;
		number = number * 10 + (uint64_t)(*p - '0');
		if (number > max)
			return false;
	}
	*ret_number = (uint32_t)number;
	p += p < end;
	*rest = slice_make(p, (size_t)(end - p));
	return number != 0;
}

static bool argon2_cost(struct slice text, struct argon2_hash *hash)
{
	return argon2_number(&text, 'm', ARGON2_MEMORY_MAX_KIB, &hash->memory_kib) &&
	       argon2_number(&text, 't', ARGON2_PASSES_MAX, &hash->passes) &&
	       argon2_number(&text, 'p', ARGON2_LANES_MAX, &hash->lanes) && text.size == 0 &&
	       hash->memory_kib >= 8 * hash->lanes &&
	       (uint64_t)hash->memory_kib * hash->passes <= ARGON2_WORK_MAX_KIB;
}

/* "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH" */
static bool argon2_parse(struct slice text, struct argon2_hash *ret)
{
	struct slice rest = text;

	return argon2_part(&rest).size == 0 &&
	       slice_equal(argon2_part(&rest), SLICE_LITERAL("argon2id")) &&
	       slice_equal(argon2_part(&rest), SLICE_LITERAL("v=19")) &&
	       argon2_cost(argon2_part(&rest), ret) &&
	       base64_decode(argon2_part(&rest), ret->salt, ARGON2_BYTES_MAX, &ret->salt_size) &&
	       base64_decode(rest, ret->hash, ARGON2_BYTES_MAX, &ret->hash_size) &&
	       ret->salt_size >= ARGON2_BYTES_MIN && ret->hash_size >= ARGON2_BYTES_MIN;
}

/* ---- Argon2id ---- */

static int argon2_result(int result)
{
	/* Sizes and costs are within Argon2's bounds, so nothing else is left to go wrong. */
	return result == ARGON2_OK ? 0 : -ENOMEM;
}

static int argon2_hash_new(struct slice password, char ret_hash[ACCESS_HASH_MAX])
{
	uint8_t salt[ARGON2_SALT_BYTES];
	char text[ACCESS_HASH_MAX];

	random_bytes(salt, sizeof(salt));
	int rc = argon2_result(argon2id_hash_encoded(
		ARGON2_PASSES, ARGON2_MEMORY_KIB, ARGON2_LANES, password.data, password.size, salt,
		sizeof(salt), ARGON2_HASH_BYTES, text, sizeof(text)));
	if (rc == 0)
		memcpy(ret_hash, text, strlen(text) + 1);
	return rc;
}

/* On this one thread, however many lanes there are. */
static int argon2_verify_text(struct slice password, struct slice text)
{
	struct argon2_hash right;
	uint8_t given[ARGON2_BYTES_MAX];

	if (!argon2_parse(text, &right))
		return 1;
	argon2_context context = {
		.out = given,
		.outlen = (uint32_t)right.hash_size,
		/* Not changed without the flag that has it wiped. */
		.pwd = (uint8_t *)(uintptr_t)password.data,
		.pwdlen = (uint32_t)password.size,
		.salt = right.salt,
		.saltlen = (uint32_t)right.salt_size,
		.t_cost = right.passes,
		.m_cost = right.memory_kib,
		.lanes = right.lanes,
		.threads = 1,
		.version = ARGON2_VERSION_13,
	};
	int rc = argon2_result(argon2_ctx(&context, Argon2_id));
	if (rc == 0)
		rc = CRYPTO_memcmp(given, right.hash, right.hash_size) != 0;
	explicit_bzero(given, sizeof(given));
	return rc;
}

/* ---- The door ---- */

bool password_hash_is_valid(enum password_algorithm algorithm, struct slice hash)
{
	struct argon2_hash argon2;
	struct sha_hash sha;

	if (hash.size == 0 || hash.size >= ACCESS_HASH_MAX)
		return false;
	if (algorithm == PASSWORD_ARGON2ID)
		return argon2_parse(hash, &argon2);
	return sha_of(algorithm) != NULL && sha_parse(algorithm, hash, &sha);
}

int password_hash(struct slice password, enum password_algorithm algorithm,
		  char ret_hash[ACCESS_HASH_MAX])
{
	if (algorithm == PASSWORD_ARGON2ID)
		return argon2_hash_new(password, ret_hash);
	bug_on(sha_of(algorithm) == NULL);
	return sha_hash(password, algorithm, ret_hash);
}

int password_verify(struct slice password, enum password_algorithm algorithm, const char *hash)
{
	if (algorithm == PASSWORD_ARGON2ID)
		return argon2_verify_text(password, slice_cstr(hash));
	bug_on(sha_of(algorithm) == NULL);
	return sha_verify(password, algorithm, slice_cstr(hash));
}

/* ---- On a worker ---- */

static void password_run(struct work *work)
{
	struct password_work *password = container_of(work, struct password_work, work);

	password->result = password_hash(slice_make(password->password, password->size),
					 PASSWORD_ARGON2ID, password->hash);
}

static void password_done(struct work *work)
{
	struct password_work *password = container_of(work, struct password_work, work);

	explicit_bzero(password->password, password->size);
	mem_free(password->password);
	password->password = NULL;
	password->hashed(password);
}

void password_submit(struct access *access, struct password_work *work, struct slice password)
{
	work->work.run = password_run;
	work->work.done = password_done;
	work->result = -ECANCELED; /* if the broker stops before it was run */
	work->size = password.size;
	work->password = mem_alloc(password.size + 1);
	if (password.size != 0)
		memcpy(work->password, password.data, password.size);
	access_work(access, &work->work);
}
