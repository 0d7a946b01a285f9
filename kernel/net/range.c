/* SPDX-License-Identifier: MIT */
#include "net/range.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96 /* before the IPv4 address */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool bit_is_set(const uint8_t *bytes, unsigned i)
{
	return (bytes[i / 8] >> (7 - i % 8)) & 1;
}

static int parse_bits(const char *text, unsigned max, unsigned *ret_bits)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || bits > max)
		return -EINVAL;
	*ret_bits = (unsigned)bits;
	return 0;
}

int net_range_parse(const char *text, struct net_range *ret_range)
{
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	struct net_range range = {.n_bits = 128};
	char host[INET6_ADDRSTRLEN];
	unsigned before = 0, bits;

	if (size >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, size);
	host[size] = '\0';
	if (inet_pton(AF_INET, host, range.bytes + sizeof(mapped)) == 1) {
		memcpy(range.bytes, mapped, sizeof(mapped));
		before = MAPPED_BITS;
	} else if (inet_pton(AF_INET6, host, range.bytes) != 1) {
		return -EINVAL;
	}
	if (slash) {
		if (parse_bits(slash + 1, 128 - before, &bits) < 0)
			return -EINVAL;
		range.n_bits = before + bits;
	}
	for (unsigned i = range.n_bits; i < 128; i++)
		if (bit_is_set(range.bytes, i))
			return -EINVAL;
	*ret_range = range;
	return 0;
}

static bool get_bytes(const struct sockaddr_storage *address, uint8_t ret_bytes[16])
{
	if (address->ss_family == AF_INET) {
		struct sockaddr_in ipv4;

		memcpy(&ipv4, address, sizeof(ipv4));
		memcpy(ret_bytes, mapped, sizeof(mapped));
		memcpy(ret_bytes + sizeof(mapped), &ipv4.sin_addr, sizeof(ipv4.sin_addr));
	} else if (address->ss_family == AF_INET6) {
		struct sockaddr_in6 ipv6;

		memcpy(&ipv6, address, sizeof(ipv6));
		memcpy(ret_bytes, &ipv6.sin6_addr, sizeof(ipv6.sin6_addr));
	} else if (address->ss_family == AF_UNIX) {
		memset(ret_bytes, 0, 16);
		ret_bytes[15] = 1;
	} else {
		return false;
	}
	return true;
}

bool net_range_has(const struct net_range *range, const struct sockaddr_storage *address)
{
	uint8_t bytes[16];

	if (!get_bytes(address, bytes))
		return false;
	for (unsigned i = 0; i < range->n_bits; i++)
		if (bit_is_set(bytes, i) != bit_is_set(range->bytes, i))
			return false;
	return true;
}
