/* SPDX-License-Identifier: MIT */
#include "access/password.h"

#include <string.h>

#include "../unit.h"
#include "access/access.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"

static const struct {
	enum password_algorithm algorithm;
	const char *password, *hash;
} known[] = {
	/* the first is that of RabbitMQ's guide to passwords */
	{ PASSWORD_SHA256, "test12", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR" },
	{ PASSWORD_SHA512, "test12", "AQIDBEasi57qQmKrKS3hT/tToZQTSGe0aIxheFJPzONWfcZLALq7JlkjIrc4zKmzoCl2i5ligSzH2lxUTbywDEUALuc=" },
	{ PASSWORD_MD5, "test12", "/wB/gKq2f7PaG/pSO8h+keL1CJk=" },
	/* the reference implementation's own test */
	{ PASSWORD_ARGON2ID, "password",
	  "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4" },
	{ PASSWORD_ARGON2ID, "password",
	  "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc" },
};

static struct slice text(const char *string)
{
	return slice_cstr(string);
}

static void known_hashes(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		CU_ASSERT_TRUE(password_hash_is_valid(known[i].algorithm, text(known[i].hash)));
		CU_ASSERT_EQUAL(password_verify(text(known[i].password), known[i].algorithm, known[i].hash), 0);
		CU_ASSERT_EQUAL(password_verify(text("Password"), known[i].algorithm, known[i].hash), 1);
		CU_ASSERT_EQUAL(password_verify(text(""), known[i].algorithm, known[i].hash), 1);
	}
}

static void every_algorithm_there_and_back(void)
{
	static const struct slice password = SLICE_LITERAL("p\0\xff\xc3\xa4");

	for (unsigned i = 0; i < 4; i++) {
		enum password_algorithm algorithm = (enum password_algorithm)i;
		char hash[ACCESS_HASH_MAX], other[ACCESS_HASH_MAX];

		CU_ASSERT_EQUAL_FATAL(password_hash(password, algorithm, hash), 0);
		CU_ASSERT_EQUAL_FATAL(password_hash(password, algorithm, other), 0);
		CU_ASSERT_STRING_NOT_EQUAL(hash, other); /* the salt */
		CU_ASSERT_TRUE(password_hash_is_valid(algorithm, text(hash)));
		CU_ASSERT_EQUAL(password_verify(password, algorithm, hash), 0);
		CU_ASSERT_EQUAL(password_verify(slice_make(password.data, 1), algorithm, hash), 1);
	}
}

static void new_ones_cost_what_is_recommended(void)
{
	char hash[ACCESS_HASH_MAX];

	CU_ASSERT_EQUAL_FATAL(password_hash(text("x"), PASSWORD_ARGON2ID, hash), 0);
	CU_ASSERT_EQUAL(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
}

static void a_hash_of_one_is_none_of_another(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		for (unsigned k = 0; k < 4; k++)
			CU_ASSERT_EQUAL(password_hash_is_valid((enum password_algorithm)k, text(known[i].hash)),
					k == known[i].algorithm);
}

#define SALT "$c29tZXNhbHQ"
#define HASH "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

/* What it costs is bounded, and what is no hash is told before it is needed. */
static void wrong_texts(void)
{
	static const char *const wrong[] = {
		"",
		"x",
		"$",
		"$argon2id",
		"$argon2i$v=19$m=256,t=2,p=1" SALT HASH,
		"$argon2id$v=16$m=256,t=2,p=1" SALT HASH,
		"argon2id$v=19$m=256,t=2,p=1" SALT HASH,
		"$argon2id$v=19$m=256,t=2,p=1" SALT,
		"$argon2id$v=19$m=256,t=2,p=1" SALT "$",
		"$argon2id$v=19$m=256,t=2,p=1" SALT "$AAAAAAAAAA",
		"$argon2id$v=19$m=256,t=2,p=1$AAAA" HASH,
		"$argon2id$v=19$m=256,t=2,p=1" SALT HASH "$",
		"$argon2id$v=19$m=256,t=2,p=1" SALT HASH "=",
		"$argon2id$v=19$m=256,t=2,p=1" SALT HASH " ",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR" HASH, /* bits that are not used */
		"$argon2id$v=19$m=256,t=2" SALT HASH,
		"$argon2id$v=19$m=256,t=2,p=1,x=1" SALT HASH,
		"$argon2id$v=19$t=2,m=256,p=1" SALT HASH,
		"$argon2id$v=19$m=,t=2,p=1" SALT HASH,
		"$argon2id$v=19$m=0,t=2,p=1" SALT HASH,
		"$argon2id$v=19$m=-1,t=2,p=1" SALT HASH,
		"$argon2id$v=19$m=256,t=0,p=1" SALT HASH,
		"$argon2id$v=19$m=256,t=2,p=0" SALT HASH,
		"$argon2id$v=19$m=7,t=2,p=1" SALT HASH,
		"$argon2id$v=19$m=262145,t=1,p=1" SALT HASH,
		"$argon2id$v=19$m=262144,t=5,p=1" SALT HASH,
		"$argon2id$v=19$m=256,t=17,p=1" SALT HASH,
		"$argon2id$v=19$m=256,t=2,p=17" SALT HASH,
		"$argon2id$v=19$m=18446744073709551872,t=2,p=1" SALT HASH,
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CU_ASSERT_FALSE(password_hash_is_valid(PASSWORD_ARGON2ID, text(wrong[i])));
		CU_ASSERT_EQUAL(password_verify(text("password"), PASSWORD_ARGON2ID, wrong[i]), 1);
	}
	CU_ASSERT_TRUE(password_hash_is_valid(PASSWORD_ARGON2ID, text("$argon2id$v=19$m=262144,t=4,p=16" SALT HASH)));
}

static void every_prefix_is_wrong(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		struct slice hash = text(known[i].hash);

		for (size_t n = 0; n < hash.size; n++) {
			char *copy = slice_strdup(slice_make(hash.data, n));

			/* a text of Argon2's is one as long as enough of the hash is left */
			if (known[i].algorithm != PASSWORD_ARGON2ID || n < hash.size - 32)
				CU_ASSERT_FALSE(password_hash_is_valid(known[i].algorithm, text(copy)));
			if (n + 1 < hash.size) /* which may be padding */
				CU_ASSERT_EQUAL(password_verify(text(known[i].password), known[i].algorithm, copy), 1);
			mem_free(copy);
		}
	}
}

static void names(void)
{
	enum password_algorithm algorithm;

	for (unsigned i = 0; i < 4; i++) {
		const char *name = password_algorithm_name((enum password_algorithm)i);

		CU_ASSERT_PTR_NOT_NULL_FATAL(name);
		CU_ASSERT_TRUE(password_algorithm_find(text(name), &algorithm));
		CU_ASSERT_EQUAL(algorithm, i);
	}
	CU_ASSERT_PTR_NULL(password_algorithm_name((enum password_algorithm)4));
	CU_ASSERT_STRING_EQUAL(password_algorithm_name(PASSWORD_SHA256), "rabbit_password_hashing_sha256");
	CU_ASSERT_FALSE(password_algorithm_find(text("rabbit_password_hashing_sha1"), &algorithm));
	CU_ASSERT_FALSE(password_algorithm_find(text(""), &algorithm));
}

static bool is_hashed;

static void hashed(struct password_work *work)
{
	CU_ASSERT_EQUAL(work->result, 0);
	CU_ASSERT_PTR_NULL(work->password);
	CU_ASSERT_EQUAL(loop_index(loop_self()), 0);
	is_hashed = true;
}

static void on_a_worker(void)
{
	static const char *const none[] = { NULL };
	const struct access_config config = { .loopback_users = none };
	struct password_work work = { .hashed = hashed };
	struct access *access;
	char secret[] = "secret";

	for (unsigned n_workers = 0; n_workers < 2; n_workers++) {
		CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
		access = access_create(&config);
		if (n_workers != 0)
			CU_ASSERT_EQUAL_FATAL(access_start_workers(access, n_workers), 0);
		is_hashed = false;
		memcpy(secret, "secret", sizeof(secret));
		password_submit(access, &work, text(secret));
		memset(secret, 'x', 6); /* it was copied */
		CU_ASSERT_FALSE(is_hashed);
		while (!is_hashed)
			loop_run_once(true);
		CU_ASSERT_EQUAL(password_verify(text("secret"), PASSWORD_ARGON2ID, work.hash), 0);
		access_destroy(access);
		loop_pool_destroy();
	}
}

UNIT_MAIN("access/password", UNIT_TEST(known_hashes), UNIT_TEST(every_algorithm_there_and_back),
	  UNIT_TEST(new_ones_cost_what_is_recommended), UNIT_TEST(a_hash_of_one_is_none_of_another),
	  UNIT_TEST(wrong_texts), UNIT_TEST(every_prefix_is_wrong), UNIT_TEST(names), UNIT_TEST(on_a_worker))
