/* SPDX-License-Identifier: MIT */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "../unit.h"

static void expect_parsed(const char *text, const char *host, uint16_t port)
{
	char ret_host[256];
	uint16_t ret_port = 0;

	CU_ASSERT_EQUAL(net_address_parse(slice_cstr(text), ret_host, &ret_port), 0);
	CU_ASSERT_STRING_EQUAL(ret_host, host);
	CU_ASSERT_EQUAL(ret_port, port);
}

static void parse(void)
{
	expect_parsed("5672", "", 5672);
	expect_parsed("0", "", 0);
	expect_parsed("127.0.0.1:5672", "127.0.0.1", 5672);
	expect_parsed("[::1]:5672", "::1", 5672);
	expect_parsed("::1:5672", "::1", 5672);
	expect_parsed(":::5672", "::", 5672);
	expect_parsed("[fe80::1%eth0]:1", "fe80::1%eth0", 1);
	expect_parsed("fe80::1%eth0:1", "fe80::1%eth0", 1);
	expect_parsed("localhost:65535", "localhost", 65535);
}

static void parse_refuses(void)
{
	static const char *const wrong[] = {
		"",	":5672",     "host",   "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1",
		"[]:1", "::1", "a:b:1", "[host]:1", "[1.2.3.4]:1", "[%eth0]:1", "[::1:5672", "::1]:x", "h:1 ",	   "h:123456",	    "56 72"};
	char long_host[300];
	char host[256];
	uint16_t port;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CU_ASSERT_EQUAL(net_address_parse(slice_cstr(wrong[i]), host, &port), -EINVAL);
	CU_ASSERT_EQUAL(net_address_parse(slice_make("a\0b:1", 5), host, &port), -EINVAL);
	memset(long_host, 'h', sizeof(long_host));
	memcpy(long_host + sizeof(long_host) - 2, ":1", 2);
	CU_ASSERT_EQUAL(net_address_parse(slice_make(long_host, sizeof(long_host)), host, &port),
			-EINVAL);
	CU_ASSERT_EQUAL(net_address_parse(slice_make(long_host + 43, 257), host, &port), 0);
	CU_ASSERT_EQUAL(net_address_parse(slice_make(long_host + 42, 258), host, &port), -EINVAL);
}

static struct net_address of_ipv6(const char *text, uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
	return net_address_of((const struct sockaddr *)&address, sizeof(address));
}

static void expect_printed(struct net_address address, const char *expected, bool is_loopback)
{
	char text[NET_ADDRESS_TEXT_MAX];

	net_address_print(&address, text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	CU_ASSERT_EQUAL(address.is_loopback, is_loopback);
}

static void print(void)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(51022)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET, "10.0.0.7", &ipv4.sin_addr), 1);
	expect_printed(net_address_of((const struct sockaddr *)&ipv4, sizeof(ipv4)),
		       "10.0.0.7:51022", false);
	CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET, "127.8.0.1", &ipv4.sin_addr), 1);
	expect_printed(net_address_of((const struct sockaddr *)&ipv4, sizeof(ipv4)),
		       "127.8.0.1:51022", true);
	expect_printed(net_address_of((const struct sockaddr *)&un, sizeof(un)), "unix", true);
	expect_printed(of_ipv6("::1", 1), "[::1]:1", true);
	expect_printed(of_ipv6("2001:db8::1", 5672), "[2001:db8::1]:5672", false);
	expect_printed(of_ipv6("::ffff:127.0.0.1", 5672), "127.0.0.1:5672", true);
	expect_printed(of_ipv6("::ffff:1.2.3.4", 5672), "1.2.3.4:5672", false);
	expect_printed(of_ipv6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
		       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", false);
	/* An address that is cut off is none. */
	expect_printed(net_address_of((const struct sockaddr *)&ipv4, sizeof(ipv4) - 1), "", false);
}

UNIT_MAIN("net/address", UNIT_TEST(parse), UNIT_TEST(parse_refuses), UNIT_TEST(print))
