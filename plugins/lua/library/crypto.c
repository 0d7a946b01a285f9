/* SPDX-License-Identifier: MIT */
#include "library/crypto.h"

#include <lauxlib.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "run/call.h"

/* In instructions; a block of 64 bytes takes some 100 to 250 ns. */
#define PER_DIGEST 100u
#define PER_BLOCK  40u
#define BLOCK	   64u

static const char *text_at(lua_State *L, int index, size_t *ret_size)
{
	luaL_checktype(L, index, LUA_TSTRING);
	return lua_tolstring(L, index, ret_size);
}

static void push_hex(lua_State *L, const unsigned char *digest, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * SHA256_DIGEST_LENGTH];

	for (size_t i = 0; i < size; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	lua_pushlstring(L, hex, 2 * size);
}

/* crypto.sha256(text) -> 64 hexadecimal digits */
static int sha256(lua_State *L)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	size_t size;
	const char *text = text_at(L, 1, &size);

	call_charge(L, PER_DIGEST + size / BLOCK * PER_BLOCK);
	if (SHA256((const unsigned char *)text, size, digest) == NULL)
		return luaL_error(L, "there is no SHA-256");
	push_hex(L, digest, sizeof(digest));
	return 1;
}

/* crypto.hmac_sha256(key, text) -> 64 hexadecimal digits */
static int hmac_sha256(lua_State *L)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	size_t key_size, size;
	const char *key = text_at(L, 1, &key_size);
	const char *text = text_at(L, 2, &size);

	call_charge(L, 4 * PER_DIGEST + (key_size + size) / BLOCK * PER_BLOCK);
	if (key_size > INT32_MAX || HMAC(EVP_sha256(), key, (int)key_size,
					 (const unsigned char *)text, size, digest, NULL) == NULL)
		return luaL_error(L, "there is no HMAC");
	push_hex(L, digest, sizeof(digest));
	return 1;
}

/* crypto.equal(a, b): how long it takes tells nothing of what is in them, but for their length. */
static int equal(lua_State *L)
{
	size_t a_size, b_size;
	const char *a = text_at(L, 1, &a_size);
	const char *b = text_at(L, 2, &b_size);

	call_charge(L, a_size / 8 + 1);
	lua_pushboolean(L, a_size == b_size && CRYPTO_memcmp(a, b, a_size) == 0);
	return 1;
}

void crypto_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"sha256", sha256},
		{"hmac_sha256", hmac_sha256},
		{"equal", equal},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	lua_setglobal(L, "crypto");
}
