/* SPDX-License-Identifier: MIT */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "net/range.h"

#include "../unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* In memory of its own, so that a sanitizer sees what is read beyond it. */
static int parse(const void *bytes, size_t size, struct proxy_header *ret)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	int r;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, bytes, size);
	r = proxy_header_parse(slice_make(copy, size), ret);
	free(copy);
	return r;
}

/* All of it is needed, and no less is taken for an error. */
static struct proxy_header parse_all(const void *bytes, size_t size)
{
	struct proxy_header header = {.size = 0};

	for (size_t cut = 0; cut < size; cut++)
		CU_ASSERT_EQUAL(parse(bytes, cut, &header), 0);
	CU_ASSERT_EQUAL(header.size, 0);
	CU_ASSERT_EQUAL(parse(bytes, size, &header), 1);
	CU_ASSERT_EQUAL(header.size, size);
	return header;
}

static void line_names_ipv4(void)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 10.1.2.3 51022 5672\r\n";
	struct proxy_header header = parse_all(line, sizeof(line) - 1);

	CU_ASSERT_EQUAL(header.kind, PROXY_ADDRESSES);
	CU_ASSERT_STRING_EQUAL(header.source.host, "192.0.2.7");
	CU_ASSERT_EQUAL(header.source.port, 51022);
	CU_ASSERT_FALSE(header.source.is_loopback);
	CU_ASSERT_STRING_EQUAL(header.destination.host, "10.1.2.3");
	CU_ASSERT_EQUAL(header.destination.port, 5672);
}

static void line_names_ipv6(void)
{
	static const char line[] = "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n";
	struct proxy_header header = parse_all(line, sizeof(line) - 1);

	CU_ASSERT_STRING_EQUAL(header.source.host, "2001:db8::1");
	CU_ASSERT_EQUAL(header.source.port, 65535);
	CU_ASSERT_STRING_EQUAL(header.destination.host, "::1");
	CU_ASSERT_TRUE(header.destination.is_loopback);
}

static void line_may_name_nobody(void)
{
	static const char *const lines[] = {
		"PROXY UNKNOWN\r\n",
		"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct proxy_header header = parse_all(lines[i], strlen(lines[i]));

		CU_ASSERT_EQUAL(header.kind, PROXY_UNKNOWN);
	}
}

static void bytes_behind_are_not_its_own(void)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 10.1.2.3 1 2\r\nAMQP";
	struct proxy_header header;

	CU_ASSERT_EQUAL(parse(line, sizeof(line) - 1, &header), 1);
	CU_ASSERT_EQUAL(header.size, sizeof(line) - 1 - 4);
}

static void lines_that_are_wrong(void)
{
	static const char *const lines[] = {
		"AMQP",
		"PROXYTCP4",
		"PROXY \r\n",
		"PROXY  TCP4 192.0.2.7 10.1.2.3 1 2\r\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 1 2\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 1\r\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 1 2 \r\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 1 2 3\r\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 1 65536\r\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 01 2\r\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 +1 2\r\n",
		"PROXY TCP4 192.0.2.7 10.1.2.3 99999999999 2\r\n",
		"PROXY TCP4 192.0.2.300 10.1.2.3 1 2\r\n",
		"PROXY TCP4 localhost 10.1.2.3 1 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 192.0.2.7 10.1.2.3 1 2\r\n",
		"PROXY TCP5 192.0.2.7 10.1.2.3 1 2\r\n",
		"PROXY UNKNOWNX\r\n",
	};
	struct proxy_header header;
	char endless[108];

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		CU_ASSERT_EQUAL(parse(lines[i], strlen(lines[i]), &header), -EPROTO);
	memset(endless, 'x', sizeof(endless));
	memcpy(endless, "PROXY UNKNOWN ", 14);
	CU_ASSERT_EQUAL(parse(endless, 106, &header), 0);
	CU_ASSERT_EQUAL(parse(endless, 107, &header), -EPROTO);
	memcpy(endless + 105, "\r\n", 2);
	CU_ASSERT_EQUAL(parse(endless, 107, &header), 1);
	memcpy(endless + 105, "x\r\n", 3);
	CU_ASSERT_EQUAL(parse(endless, 108, &header), -EPROTO);
}

/* ---- Version 2 ---- */

struct binary {
	uint8_t bytes[16 + 216 + 8];
	size_t size;
};

static struct binary make_binary(uint8_t command, uint8_t family, size_t n_addresses, size_t n_more)
{
	struct binary b = {.size = 16 + n_addresses + n_more};

	memcpy(b.bytes, SIGNATURE, 12);
	b.bytes[12] = command;
	b.bytes[13] = family;
	b.bytes[15] = (uint8_t)(n_addresses + n_more);
	for (size_t i = 16; i < b.size; i++)
		b.bytes[i] = (uint8_t)i;
	return b;
}

static void binary_names_ipv4(void)
{
	struct binary b = make_binary(0x21, 0x11, 12, 0);
	struct proxy_header header = parse_all(b.bytes, b.size);

	CU_ASSERT_EQUAL(header.kind, PROXY_ADDRESSES);
	CU_ASSERT_STRING_EQUAL(header.source.host, "16.17.18.19");
	CU_ASSERT_STRING_EQUAL(header.destination.host, "20.21.22.23");
	CU_ASSERT_EQUAL(header.source.port, 24 << 8 | 25);
	CU_ASSERT_EQUAL(header.destination.port, 26 << 8 | 27);
}

static void binary_names_ipv6(void)
{
	struct binary b = make_binary(0x21, 0x21, 36, 0);
	struct proxy_header header = parse_all(b.bytes, b.size);

	CU_ASSERT_STRING_EQUAL(header.source.host, "1011:1213:1415:1617:1819:1a1b:1c1d:1e1f");
	CU_ASSERT_STRING_EQUAL(header.destination.host, "2021:2223:2425:2627:2829:2a2b:2c2d:2e2f");
	CU_ASSERT_EQUAL(header.source.port, 48 << 8 | 49);
	CU_ASSERT_EQUAL(header.destination.port, 50 << 8 | 51);
}

static void binary_names_a_unix_socket(void)
{
	struct binary b = make_binary(0x21, 0x31, 216, 0);
	struct proxy_header header = parse_all(b.bytes, b.size);

	CU_ASSERT_EQUAL(header.kind, PROXY_ADDRESSES);
	CU_ASSERT_STRING_EQUAL(header.source.host, "unix");
	CU_ASSERT_FALSE(header.source.is_loopback);
}

static void binary_of_the_proxy_itself(void)
{
	struct binary b = make_binary(0x20, 0x00, 0, 0);
	struct proxy_header header = parse_all(b.bytes, b.size);

	CU_ASSERT_EQUAL(header.kind, PROXY_ITSELF);
	/* the family does not matter, nor what follows */
	b = make_binary(0x20, 0xff, 5, 0);
	CU_ASSERT_EQUAL(parse(b.bytes, 16, &header), 1);
	CU_ASSERT_EQUAL(header.kind, PROXY_ITSELF);
	CU_ASSERT_EQUAL(header.size, 21);
}

/* What follows the addresses may be long, and need not have come. */
static void binary_has_more_than_we_need(void)
{
	struct binary b = make_binary(0x21, 0x11, 12, 8);
	struct proxy_header header;

	CU_ASSERT_EQUAL(parse(b.bytes, 27, &header), 0);
	CU_ASSERT_EQUAL(parse(b.bytes, 28, &header), 1);
	CU_ASSERT_EQUAL(header.size, 36);
	b.bytes[14] = 0xff;
	b.bytes[15] = 0xff;
	CU_ASSERT_EQUAL(parse(b.bytes, 28, &header), 1);
	CU_ASSERT_EQUAL(header.size, 16 + 65535);
	b = make_binary(0x21, 0x00, 0, 8);
	CU_ASSERT_EQUAL(parse(b.bytes, 16, &header), 1);
	CU_ASSERT_EQUAL(header.kind, PROXY_UNKNOWN);
	CU_ASSERT_EQUAL(header.size, 24);
}

static void binaries_that_are_wrong(void)
{
	static const uint8_t wrong[][3] = {
		{0x11, 0x11, 12}, {0x22, 0x11, 12}, {0x21, 0x12, 12},  {0x21, 0x41, 12},
		{0x21, 0x11, 11}, {0x21, 0x21, 35}, {0x21, 0x31, 215}, {0x21, 0x10, 12},
	};
	struct proxy_header header;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct binary b = make_binary(wrong[i][0], wrong[i][1], wrong[i][2], 0);

		CU_ASSERT_EQUAL(parse(b.bytes, b.size, &header), -EPROTO);
	}
	CU_ASSERT_EQUAL(parse("\r\n\r\n\0\r\nQUIX", 12, &header), -EPROTO);
	CU_ASSERT_EQUAL(parse("\r\n\r\r", 4, &header), -EPROTO);
}

/* ---- Ranges ---- */

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage any = {.ss_family = AF_UNSPEC};
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		memcpy(&any, &ipv4, sizeof(ipv4));
	else if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1)
		memcpy(&any, &ipv6, sizeof(ipv6));
	return any;
}

static void ranges_have_what_they_say(void)
{
	static const struct {
		const char *range, *address;
		bool has;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "a00::", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"192.0.2.6/31", "192.0.2.7", true},
		{"0.0.0.0/0", "8.8.8.8", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "8.8.8.8", true},
		{"2001:db8::/33", "2001:db8:7fff::", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"::1", "::1", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sockaddr_storage address = address_of(cases[i].address);
		struct net_range range;

		CU_ASSERT_EQUAL_FATAL(net_range_parse(cases[i].range, &range), 0);
		CU_ASSERT_EQUAL(net_range_has(&range, &address), cases[i].has);
	}
}

static void ranges_that_are_wrong(void)
{
	static const char *const wrong[] = {
		"",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.1/8",
		"10.0.0.0/-1",
		"10.0.0.0/8x",
		"10.0.0.0/ 8",
		"::/129",
		"2001:db8::1/32",
		"localhost",
		"10.0.0",
		"/8",
		"10.0.0.0/8/8",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa",
	};
	struct net_range range;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CU_ASSERT_EQUAL(net_range_parse(wrong[i], &range), -EINVAL);
}

static void unix_sockets_are_of_the_loopback(void)
{
	struct sockaddr_storage address = {.ss_family = AF_UNIX};
	struct net_range range;

	CU_ASSERT_EQUAL_FATAL(net_range_parse("::1", &range), 0);
	CU_ASSERT_TRUE(net_range_has(&range, &address));
	CU_ASSERT_EQUAL_FATAL(net_range_parse("127.0.0.0/8", &range), 0);
	CU_ASSERT_FALSE(net_range_has(&range, &address));
	address.ss_family = AF_UNSPEC;
	CU_ASSERT_EQUAL_FATAL(net_range_parse("::/0", &range), 0);
	CU_ASSERT_FALSE(net_range_has(&range, &address));
}

UNIT_MAIN("net/proxy", UNIT_TEST(line_names_ipv4), UNIT_TEST(line_names_ipv6),
	  UNIT_TEST(line_may_name_nobody), UNIT_TEST(bytes_behind_are_not_its_own),
	  UNIT_TEST(lines_that_are_wrong), UNIT_TEST(binary_names_ipv4),
	  UNIT_TEST(binary_names_ipv6), UNIT_TEST(binary_names_a_unix_socket),
	  UNIT_TEST(binary_of_the_proxy_itself), UNIT_TEST(binary_has_more_than_we_need),
	  UNIT_TEST(binaries_that_are_wrong), UNIT_TEST(ranges_have_what_they_say),
	  UNIT_TEST(ranges_that_are_wrong), UNIT_TEST(unix_sockets_are_of_the_loopback))
