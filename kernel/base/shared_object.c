/* SPDX-License-Identifier: MIT */
#include "base/shared_object.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tables {
	const ElfW(Sym) * symbols;
	const char *names;
	const uint32_t *hash; /* DT_GNU_HASH */
};

/* The linker has made pointers of them; not where it leaves this table as it is in the file. */
static const void *pointer_of(const struct link_map *map, const ElfW(Dyn) * entry)
{
	uintptr_t at = entry->d_un.d_ptr;

	return (const void *)(at < map->l_addr ? at + map->l_addr : at);
}

static struct tables tables_of(const struct link_map *map)
{
	struct tables tables = {NULL, NULL, NULL};

	for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
		const void *at = pointer_of(map, entry);

		if (entry->d_tag == DT_SYMTAB)
			tables.symbols = at;
		else if (entry->d_tag == DT_STRTAB)
			tables.names = at;
		else if (entry->d_tag == DT_GNU_HASH)
			tables.hash = at;
	}
	return tables;
}

static bool is_unique(const ElfW(Sym) * symbol)
{
	/* the same bits in both classes */
	return ELF64_ST_BIND(symbol->st_info) == STB_GNU_UNIQUE && symbol->st_shndx != SHN_UNDEF;
}

/*
 * The table is: the number of buckets, the first symbol that is in one, the number of words of the
 * filter, a shift; the filter; the buckets, each the first of its symbols; a word for each symbol,
 * of which the lowest bit says that it is the last of its bucket. What is defined is in a bucket.
 */
static const char *find_unique(const struct tables *tables)
{
	const uint32_t n_buckets = tables->hash[0], first = tables->hash[1];
	const uint32_t *buckets =
		(const uint32_t *)((const ElfW(Addr) *)(const void *)(tables->hash + 4) +
				   tables->hash[2]);
	const uint32_t *words = buckets + n_buckets;

	for (uint32_t i = 0; i < n_buckets; i++) {
		uint32_t at = buckets[i];

		if (at < first)
			continue;
		do {
			if (is_unique(&tables->symbols[at]))
				return tables->names + tables->symbols[at].st_name;
		} while ((words[at++ - first] & 1) == 0);
	}
	return NULL;
}

const char *shared_object_unique(void *object)
{
	struct link_map *map;
	struct tables tables;

	if (dlinfo(object, RTLD_DI_LINKMAP, &map) != 0)
		return NULL;
	tables = tables_of(map);
	if (tables.symbols == NULL || tables.names == NULL || tables.hash == NULL)
		return NULL;
	return find_unique(&tables);
}
