/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <string.h>

#define WORD_INLINE   15u
#define WORDS_AT_ONCE 16u

struct word {
	uint64_t hash;
	uint32_t references;
	uint32_t next; /* another word of the same hash; 0: none (that there is one is most
			  unlikely) */
	uint8_t size;
	uint8_t text[WORD_INLINE]; /* or a pointer to it, if it is longer */
};

_Static_assert(sizeof(struct word) == 32, "two words in a cache line");

void words_init(struct words *words, const struct shunt_host *host, uint64_t seed)
{
	words->host = host;
	table_init(&words->index, host, seed);
	pool_init(&words->pool, host, sizeof(struct word));
}

static struct word *word_at(const struct words *words, uint32_t number)
{
	return pool_at(&words->pool, number, sizeof(struct word));
}

static uint8_t *long_text(const struct word *word)
{
	uint8_t *text;

	memcpy(&text, word->text, sizeof(text));
	return text;
}

static void word_fini(struct words *words, struct word *word)
{
	if (word->size > WORD_INLINE)
		words->host->free(words->host, long_text(word));
}

/* Text outside the records is to be freed word by word; the index knows them all. */
void words_fini(struct words *words)
{
	for (uint32_t i = pool_next(&words->pool, 0); i != 0; i = pool_next(&words->pool, i)) {
		struct word *word = word_at(words, i);

		if (word->references > 0)
			word_fini(words, word);
	}
	table_fini(&words->index);
	pool_fini(&words->pool);
}

static bool word_is(const struct word *word, uint64_t hash, const uint8_t *text, size_t size)
{
	if (word->hash != hash || word->size != size)
		return false;
	return memcmp(size > WORD_INLINE ? long_text(word) : word->text, text, size) == 0;
}

static uint32_t chain_find(const struct words *words, uint32_t number, uint64_t hash,
			   const uint8_t *text, size_t size)
{
	while (number != 0 && !word_is(word_at(words, number), hash, text, size))
		number = word_at(words, number)->next;
	return number;
}

static int word_init(struct words *words, struct word *word, uint64_t hash, const uint8_t *text,
		     size_t size)
{
	uint8_t *copy;

	word->hash = hash;
	word->references = 1;
	word->next = 0;
	word->size = (uint8_t)size;
	if (size <= WORD_INLINE) {
		memcpy(word->text, text, size);
		return 0;
	}
	copy = words->host->allocate(words->host, size);
	if (!copy)
		return -1;
	memcpy(copy, text, size);
	memcpy(word->text, &copy, sizeof(copy));
	return 0;
}

static uint32_t word_create(struct words *words, uint64_t hash, const uint8_t *text, size_t size)
{
	uint32_t number = pool_take(&words->pool);
	uint32_t *first;

	if (number == 0)
		return 0;
	if (word_init(words, word_at(words, number), hash, text, size) < 0)
		goto err_record;
	first = table_value(&words->index, hash);
	if (first) {
		word_at(words, number)->next = *first;
		*first = number;
		return number;
	}
	if (table_insert(&words->index, hash, number) < 0)
		goto err_word;
	return number;

err_word:
	word_fini(words, word_at(words, number));
err_record:
	word_at(words, number)->references = 0;
	pool_give(&words->pool, number);
	return 0;
}

uint32_t words_take(struct words *words, const uint8_t *text, size_t size)
{
	uint64_t hash = words->host->hash(words->host, text, size);
	uint32_t first = table_find(&words->index, hash).value;
	uint32_t number = chain_find(words, first, hash, text, size);

	if (number == 0)
		return word_create(words, hash, text, size);
	word_at(words, number)->references++;
	return number;
}

/* Takes the word out of the chain of its hash, `first` of which is in the index. */
static void chain_remove(struct words *words, uint32_t *first, uint32_t number)
{
	uint32_t next = word_at(words, number)->next;
	uint32_t *link = first;

	if (*link == number && next == 0) {
		table_remove(&words->index, word_at(words, number)->hash);
		return;
	}
	while (*link != number)
		link = &word_at(words, *link)->next;
	*link = next;
}

void words_give(struct words *words, uint32_t number)
{
	struct word *word = word_at(words, number);
	uint32_t *first;

	if (--word->references > 0)
		return;
	first = table_value(&words->index, word->hash);
	if (first)
		chain_remove(words, first, number);
	word_fini(words, word);
	pool_give(&words->pool, number);
}

/* Three passes: hash, and load the lines of the index; load the records; compare. */
static void find_some(const struct words *words, const struct shunt_bytes *texts, unsigned count,
		      uint32_t *ret_numbers)
{
	const struct shunt_host *host = words->host;
	uint64_t hashes[WORDS_AT_ONCE];
	struct table_line *lines[WORDS_AT_ONCE];

	for (unsigned i = 0; i < count; i++) {
		hashes[i] = host->hash(host, texts[i].data, texts[i].size);
		lines[i] = table_line(&words->index, hashes[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		ret_numbers[i] = table_line_find(&words->index, lines[i], hashes[i]).value;
		if (ret_numbers[i] != 0)
			__builtin_prefetch(word_at(words, ret_numbers[i]));
	}
	for (unsigned i = 0; i < count; i++)
		ret_numbers[i] =
			chain_find(words, ret_numbers[i], hashes[i], texts[i].data, texts[i].size);
}

void words_find(const struct words *words, const struct shunt_bytes *texts, unsigned count,
		uint32_t *ret_numbers)
{
	if (words->index.count == 0) {
		memset(ret_numbers, 0, count * sizeof(*ret_numbers));
		return;
	}
	for (unsigned i = 0; i < count; i += WORDS_AT_ONCE)
		find_some(words, texts + i, count - i < WORDS_AT_ONCE ? count - i : WORDS_AT_ONCE,
			  ret_numbers + i);
}
