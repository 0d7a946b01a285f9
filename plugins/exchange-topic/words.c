/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <string.h>

#define WORD_INLINE   15u
#define WORDS_AT_ONCE 16u

struct word {
	uint64_t key;
	uint32_t references;
	uint32_t next; /* another word of the same key; 0: none (that there is one is most
			  unlikely) */
	uint8_t size;
	uint8_t text[WORD_INLINE]; /* or a pointer to it, if it is longer */
};

_Static_assert(sizeof(struct word) == 32, "two words in a cache line");

void words_init(struct words *words, const struct shunt_host *host, const struct table_seeds *seeds)
{
	words->host = host;
	table_init(&words->index, host, seeds);
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

/* What is looked for, and its text. */
struct wanted {
	struct reader_word word;
	const uint8_t *text;
};

static bool word_is(const struct word *word, const struct wanted *wanted)
{
	if (word->key != wanted->word.key || word->size != wanted->word.size)
		return false;
	return memcmp(word->size > WORD_INLINE ? long_text(word) : word->text, wanted->text,
		      wanted->word.size) == 0;
}

/* In the chain that begins with what the index says of the key. */
static uint32_t chain_find(const struct words *words, uint32_t first, const struct wanted *wanted)
{
	uint32_t number = first;

	if (first & WORD_SHORT)
		return wanted->word.is_short ? first & ~WORD_SHORT : 0;
	while (number != 0 && !word_is(word_at(words, number), wanted))
		number = word_at(words, number)->next;
	return number;
}

static int word_init(struct words *words, struct word *word, const struct wanted *wanted)
{
	uint32_t size = wanted->word.size;
	uint8_t *copy;

	word->key = wanted->word.key;
	word->references = 1;
	word->next = 0;
	word->size = (uint8_t)size;
	if (size <= WORD_INLINE) {
		memcpy(word->text, wanted->text, size);
		return 0;
	}
	copy = words->host->allocate(words->host, size);
	if (!copy)
		return -1;
	memcpy(copy, wanted->text, size);
	memcpy(word->text, &copy, sizeof(copy));
	return 0;
}

static uint32_t word_create(struct words *words, const struct wanted *wanted)
{
	uint32_t number = pool_take(&words->pool);
	uint32_t *first;

	if (number == 0)
		return 0;
	if (word_init(words, word_at(words, number), wanted) < 0)
		goto err_record;
	first = table_value(&words->index, wanted->word.key);
	if (first) {
		word_at(words, number)->next = *first & ~WORD_SHORT;
		*first = number;
		return number;
	}
	if (table_insert(&words->index, wanted->word.key,
			 number | (wanted->word.is_short ? WORD_SHORT : 0)) < 0)
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
	struct wanted wanted = {.text = text};
	uint32_t number;

	(void)reader_word((struct shunt_bytes){text, size}, 0, &words->index.seeds, &wanted.word);
	number = chain_find(words, table_find(&words->index, wanted.word.key).value, &wanted);
	if (number == 0)
		return word_create(words, &wanted);
	word_at(words, number)->references++;
	return number;
}

static bool is_short(const struct word *word)
{
	return word->size == 0 ||
	       (word->size <= READER_SHORT && word->text[word->size - 1] != '\0');
}

/* Takes the word out of the chain of its key, `first` of which is in the index. */
static void chain_remove(struct words *words, uint32_t *first, uint32_t number)
{
	uint32_t next = word_at(words, number)->next;
	uint32_t *link = first;

	if ((*first & ~WORD_SHORT) == number && next == 0) {
		table_remove(&words->index, word_at(words, number)->key);
		return;
	}
	while (*link != number)
		link = &word_at(words, *link)->next;
	*link = next;
	if (word_at(words, *first)->next == 0 && is_short(word_at(words, *first)))
		*first |= WORD_SHORT;
}

void words_give(struct words *words, uint32_t number)
{
	struct word *word = word_at(words, number);
	uint32_t *first;

	if (--word->references > 0)
		return;
	first = table_value(&words->index, word->key);
	if (first)
		chain_remove(words, first, number);
	word_fini(words, word);
	pool_give(&words->pool, number);
}

/* The words that are looked up side by side. */
struct some {
	unsigned count;
	struct reader_word words[WORDS_AT_ONCE];
	struct table_line *lines[WORDS_AT_ONCE];
};

/* Reads words, and begins to load the lines of the index. Returns where the next one begins. */
static uint32_t some_read(const struct words *words, struct shunt_bytes key, uint32_t start,
			  struct some *some)
{
	unsigned i = 0;

	for (; i < WORDS_AT_ONCE && start <= key.size; i++) {
		start = reader_word(key, start, &words->index.seeds, &some->words[i]) + 1;
		some->lines[i] = table_line(&words->index, some->words[i].key);
	}
	some->count = i;
	return start;
}

/* Begins to load the records that must be compared, before it compares the first. */
static void some_compare(const struct words *words, const uint8_t *text, const struct some *some,
			 uint32_t *numbers)
{
	for (unsigned i = 0; i < some->count; i++)
		if (numbers[i] != 0 && !(numbers[i] & WORD_SHORT))
			__builtin_prefetch(word_at(words, numbers[i]));
	for (unsigned i = 0; i < some->count; i++) {
		struct wanted wanted = {some->words[i], text + some->words[i].start};

		numbers[i] = chain_find(words, numbers[i], &wanted);
	}
}

static void some_find(const struct words *words, const uint8_t *text, const struct some *some,
		      uint32_t *ret_numbers)
{
	bool is_plain = true;

	for (unsigned i = 0; i < some->count; i++) {
		const struct reader_word *word = &some->words[i];
		uint32_t value = table_line_find(&words->index, some->lines[i], word->key).value;

		is_plain &= value == 0 || (value & WORD_SHORT && word->is_short);
		ret_numbers[i] = value;
	}
	if (!is_plain) {
		some_compare(words, text, some, ret_numbers);
		return;
	}
	for (unsigned i = 0; i < some->count; i++)
		ret_numbers[i] &= ~WORD_SHORT;
}

static unsigned words_count(struct shunt_bytes key)
{
	unsigned count = 1;

	for (size_t i = 0; i < key.size; i++)
		count += key.data[i] == '.';
	return count;
}

unsigned words_find(const struct words *words, struct shunt_bytes key, uint32_t *ret_numbers)
{
	unsigned count = 0;
	uint32_t start = 0;
	struct some some;

	if (key.size == 0)
		return 0;
	if (words->index.count == 0) {
		count = words_count(key);
		memset(ret_numbers, 0, count * sizeof(*ret_numbers));
		return count;
	}
	while (start <= key.size) {
		start = some_read(words, key, start, &some);
		some_find(words, key.data, &some, ret_numbers + count);
		count += some.count;
	}
	return count;
}
