/* SPDX-License-Identifier: MIT */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define LINE_SIZE 107 /* version 1 at most, with its CR LF */
#define HEAD_SIZE 16  /* version 2, before the addresses */
#define IPV4_SIZE 12
#define IPV6_SIZE 36
#define UNIX_SIZE 216

static_assert(HEAD_SIZE + UNIX_SIZE == PROXY_LOOK_MAX, "all that may be needed");

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
				      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const uint8_t word[6] = {'P', 'R', 'O', 'X', 'Y', ' '};

static bool begins_like(struct slice bytes, const uint8_t *start, size_t size)
{
	return memcmp(bytes.data, start, bytes.size < size ? bytes.size : size) == 0;
}

static struct net_address of_ipv4(const void *host, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_storage any = {0};

	memcpy(&address.sin_addr, host, sizeof(address.sin_addr));
	memcpy(&any, &address, sizeof(address));
	return net_address_of((const struct sockaddr *)&any, sizeof(address));
}

static struct net_address of_ipv6(const void *host, uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port};
	struct sockaddr_storage any = {0};

	memcpy(&address.sin6_addr, host, sizeof(address.sin6_addr));
	memcpy(&any, &address, sizeof(address));
	return net_address_of((const struct sockaddr *)&any, sizeof(address));
}

/* ---- Version 1: a line ---- */

/* Takes a word and the space behind it, or all that is left. False: there is none, or too long. */
static bool take_word(struct slice *line, char *ret_word, size_t size)
{
	const uint8_t *space = memchr(line->data, ' ', line->size);
	size_t length = space ? (size_t)(space - line->data) : line->size;

	if (length == 0 || length >= size || memchr(line->data, '\0', length))
		return false;
	memcpy(ret_word, line->data, length);
	ret_word[length] = '\0';
	if (space && line->size == length + 1)
		return false; /* a space, and nothing behind it */
	length += space ? 1 : 0;
	*line = slice_make(line->data + length, line->size - length);
	return true;
}

static bool take_port(struct slice *line, uint16_t *ret_port)
{
	char text[8];
	unsigned port = 0;

	if (!take_word(line, text, sizeof(text)) || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		port = port * 10 + (unsigned)(*p - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*ret_port = htons((uint16_t)port);
	return true;
}

static bool take_addresses(struct slice line, int family, struct proxy_header *header)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	uint8_t from[16], to[16];
	uint16_t from_port, to_port;

	if (!take_word(&line, source, sizeof(source)) ||
	    !take_word(&line, destination, sizeof(destination)) || !take_port(&line, &from_port) ||
	    !take_port(&line, &to_port) || line.size != 0)
		return false;
	if (inet_pton(family, source, from) != 1 || inet_pton(family, destination, to) != 1)
		return false;
	header->kind = PROXY_ADDRESSES;
	header->source = family == AF_INET ? of_ipv4(from, from_port) : of_ipv6(from, from_port);
	header->destination = family == AF_INET ? of_ipv4(to, to_port) : of_ipv6(to, to_port);
	return true;
}

/* Behind "PROXY ", without the CR LF. */
static bool read_line(struct slice line, struct proxy_header *header)
{
	char family[8];

	if (!take_word(&line, family, sizeof(family)))
		return false;
	if (strcmp(family, "TCP4") == 0)
		return take_addresses(line, AF_INET, header);
	if (strcmp(family, "TCP6") == 0)
		return take_addresses(line, AF_INET6, header);
	header->kind = PROXY_UNKNOWN;
	return strcmp(family, "UNKNOWN") == 0;
}

static int parse_line(struct slice bytes, struct proxy_header *header)
{
	const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
	size_t size;

	if (!end)
		return bytes.size < LINE_SIZE ? 0 : -EPROTO;
	size = (size_t)(end - bytes.data) + 1;
	if (size > LINE_SIZE || size < sizeof(word) + 2 || end[-1] != '\r')
		return -EPROTO;
	header->size = size;
	return read_line(slice_make(bytes.data + sizeof(word), size - sizeof(word) - 2), header)
		       ? 1
		       : -EPROTO;
}

/* ---- Version 2: binary ---- */

static uint16_t get_16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* A port as it is on the wire. */
static uint16_t get_port(const uint8_t *bytes)
{
	uint16_t port;

	memcpy(&port, bytes, sizeof(port));
	return port;
}

/* Who connected to a proxy by its Unix socket is on the proxy's machine, whichever that is. */
static struct net_address of_unix(void)
{
	return (struct net_address){.host = "unix"};
}

static void read_addresses(const uint8_t *p, size_t size, struct proxy_header *header)
{
	header->kind = PROXY_ADDRESSES;
	if (size == IPV4_SIZE) {
		header->source = of_ipv4(p, get_port(p + 8));
		header->destination = of_ipv4(p + 4, get_port(p + 10));
	} else if (size == IPV6_SIZE) {
		header->source = of_ipv6(p, get_port(p + 32));
		header->destination = of_ipv6(p + 16, get_port(p + 34));
	} else {
		header->source = of_unix();
		header->destination = of_unix();
	}
}

/* Of the addresses by family and protocol; 0: unspecified; -1: nothing that connects to us. */
static int size_of_addresses(uint8_t family)
{
	switch (family) {
	case 0x00:
		return 0;
	case 0x11:
		return IPV4_SIZE;
	case 0x21:
		return IPV6_SIZE;
	case 0x31:
		return UNIX_SIZE;
	default:
		return -1;
	}
}

static int parse_binary(struct slice bytes, struct proxy_header *header)
{
	uint8_t command = bytes.size > 12 ? bytes.data[12] : 0x21;
	int needed;

	if (command != 0x20 && command != 0x21)
		return -EPROTO;
	if (bytes.size < HEAD_SIZE)
		return 0;
	header->size = HEAD_SIZE + (size_t)get_16(bytes.data + 14);
	header->kind = command == 0x20 ? PROXY_ITSELF : PROXY_UNKNOWN;
	needed = command == 0x20 ? 0 : size_of_addresses(bytes.data[13]);
	if (needed < 0 || header->size - HEAD_SIZE < (size_t)needed)
		return -EPROTO;
	if (bytes.size < HEAD_SIZE + (size_t)needed)
		return 0;
	if (needed > 0)
		read_addresses(bytes.data + HEAD_SIZE, (size_t)needed, header);
	return 1;
}

int proxy_header_parse(struct slice bytes, struct proxy_header *ret_header)
{
	struct proxy_header header = {.size = 0};
	int r;

	if (bytes.size == 0)
		return 0;
	if (begins_like(bytes, signature, sizeof(signature)))
		r = parse_binary(bytes, &header);
	else if (begins_like(bytes, word, sizeof(word)))
		r = bytes.size < sizeof(word) ? 0 : parse_line(bytes, &header);
	else
		r = -EPROTO;
	if (r == 1)
		*ret_header = header;
	return r;
}
