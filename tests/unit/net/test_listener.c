/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "loop/loop.h"

#include "../unit.h"

#define MAX 200

static struct listener *the_listener;
static int accepted_fds[MAX];
static unsigned n_accepted;
static bool is_accepted;
static struct net_address last_peer;
static unsigned n_rests, n_resumes;
static int rest_error;
static bool destroy_at_accept;

static void accepted(void *context, int fd, const struct sockaddr_storage *peer)
{
	CU_ASSERT_PTR_EQUAL(context, &the_listener);
	CU_ASSERT_TRUE_FATAL(n_accepted < MAX);
	CU_ASSERT_TRUE((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	CU_ASSERT_TRUE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	accepted_fds[n_accepted++] = fd;
	last_peer = net_address_of((const struct sockaddr *)peer, sizeof(*peer));
	is_accepted = true;
	if (destroy_at_accept) {
		listener_destroy(the_listener);
		the_listener = NULL;
	}
}

static void resting(void *context, bool rests, int error)
{
	(void)context;
	if (rests)
		n_rests++;
	else
		n_resumes++;
	rest_error = error;
}

static const struct listener_handler handler = {
	.accepted = accepted, .resting = resting, .takes_all = true};
static const struct listener_handler sparing = {.accepted = accepted, .resting = resting};

static void set_handler(const char *address, const struct listener_handler *of)
{
	loop_set();
	n_accepted = 0;
	is_accepted = false;
	n_rests = 0;
	n_resumes = 0;
	destroy_at_accept = false;
	CU_ASSERT_EQUAL_FATAL(
		listener_create(slice_cstr(address), 128, of, &the_listener, &the_listener),
		0);
	CU_ASSERT_NOT_EQUAL(listener_port(the_listener), 0);
}

static void set(const char *address)
{
	set_handler(address, &handler);
}

static void clear(void)
{
	while (n_accepted > 0)
		(void)close(accepted_fds[--n_accepted]);
	listener_destroy(the_listener);
	the_listener = NULL;
	loop_clear();
}

/*
 * A connecting socket, or -1. Connects without waiting: the kernel does that for a listening
 * socket.
 */
static int connect_to(int family)
{
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} address = {.ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
	socklen_t size = sizeof(address.ipv6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.ipv6.sin6_port = htons(listener_port(the_listener));
	if (family == AF_INET) {
		address.ipv4 = (struct sockaddr_in){.sin_family = AF_INET,
						    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		address.ipv4.sin_port = htons(listener_port(the_listener));
		size = sizeof(address.ipv4);
	}
	if (fd < 0)
		return -1;
	if (connect(fd, &address.any, size) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return has;
}

static bool is_on(int fd, int level, int option)
{
	socklen_t size = sizeof(int);
	int value = 0;

	CU_ASSERT_EQUAL(getsockopt(fd, level, option, &value, &size), 0);
	return value != 0;
}

static void expect_configured(int fd)
{
	CU_ASSERT_TRUE(is_on(fd, IPPROTO_TCP, TCP_NODELAY));
	CU_ASSERT_TRUE(is_on(fd, SOL_SOCKET, SO_KEEPALIVE));
	CU_ASSERT_TRUE((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	CU_ASSERT_TRUE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void expect_connection(int family, const char *host)
{
	int fd = connect_to(family);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	is_accepted = false;
	turn_until(&is_accepted);
	CU_ASSERT_STRING_EQUAL(last_peer.host, host);
	CU_ASSERT_TRUE(last_peer.is_loopback);
	expect_configured(accepted_fds[n_accepted - 1]);
	(void)close(fd);
}

static void one_address_of_ipv4(void)
{
	set("127.0.0.1:0");
	CU_ASSERT_STRING_EQUAL(listener_address(the_listener)->host, "127.0.0.1");
	expect_connection(AF_INET, "127.0.0.1");
	if (has_ipv6())
		CU_ASSERT_EQUAL(connect_to(AF_INET6), -1);
	clear();
}

static void one_address_of_ipv6(void)
{
	if (!has_ipv6())
		return;
	set("[::1]:0");
	CU_ASSERT_STRING_EQUAL(listener_address(the_listener)->host, "::1");
	expect_connection(AF_INET6, "::1");
	CU_ASSERT_EQUAL(connect_to(AF_INET), -1);
	clear();
}

static void all_addresses(void)
{
	static const char *const addresses[] = {"0", "[::]:0"};

	for (size_t i = 0; i < (has_ipv6() ? 2 : 1); i++) {
		set(addresses[i]);
		expect_connection(AF_INET, "127.0.0.1");
		if (has_ipv6())
			expect_connection(AF_INET6, "::1");
		CU_ASSERT_EQUAL(n_accepted, has_ipv6() ? 2 : 1);
		clear();
	}
}

static void errors(void)
{
	struct listener *other = NULL;
	char address[64];

	set("127.0.0.1:0");
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", listener_port(the_listener));
	CU_ASSERT_EQUAL(listener_create(slice_cstr(address), 1, &handler, NULL, &other),
			-EADDRINUSE);
	CU_ASSERT_EQUAL(listener_create(slice_cstr("192.0.2.1:0"), 1, &handler, NULL, &other),
			-EADDRNOTAVAIL);
	CU_ASSERT_EQUAL(listener_create(slice_cstr("1.2.3:x"), 1, &handler, NULL, &other), -EINVAL);
	CU_ASSERT_EQUAL(listener_create(slice_cstr("::1"), 1, &handler, NULL, &other), -EINVAL);
	CU_ASSERT_PTR_NULL(other);
	clear();
}

static void batches(void)
{
	int fds[100];

	set("127.0.0.1:0");
	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_TRUE_FATAL((fds[i] = connect_to(AF_INET)) >= 0);
	turn(1);
	CU_ASSERT_EQUAL(n_accepted, LISTENER_BATCH);
	turn(1);
	CU_ASSERT_EQUAL(n_accepted, 100);
	CU_ASSERT_EQUAL(n_rests, 0);
	for (unsigned i = 0; i < 100; i++)
		(void)close(fds[i]);
	clear();
}

static void destroy_in_the_callback(void)
{
	int first, second;

	set("127.0.0.1:0");
	first = connect_to(AF_INET);
	second = connect_to(AF_INET);
	destroy_at_accept = true;
	turn(3);
	CU_ASSERT_EQUAL(n_accepted, 1);
	(void)close(first);
	(void)close(second);
	clear();
}

/* ---- out of descriptors: in a child, as it concerns the whole process ---- */

static void in_child(void (*test)(void))
{
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0) {
		test();
		_exit(CU_get_number_of_failures() > 0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Leaves `n` descriptors to be had. */
static void limit_descriptors(unsigned n)
{
	int next = dup(0);
	struct rlimit limit = {.rlim_cur = (rlim_t)next + n, .rlim_max = RLIM_INFINITY};

	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)next + n;
	(void)close(next);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int waiting_fds[3];

/* Three have connected, and there is a descriptor for the first only. */
static void run_out(void)
{
	set("127.0.0.1:0");
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_TRUE_FATAL((waiting_fds[i] = connect_to(AF_INET)) >= 0);
	limit_descriptors(1);
	turn(1);
	CU_ASSERT_EQUAL(n_accepted, 1);
	CU_ASSERT_EQUAL(n_rests, 0); /* there might have been no other */
	turn(1);
	CU_ASSERT_EQUAL(n_rests, 1);
	CU_ASSERT_EQUAL(rest_error, EMFILE);
	CU_ASSERT_TRUE(listener_is_resting(the_listener));
	turn(5);
	CU_ASSERT_EQUAL(n_accepted, 1);
	CU_ASSERT_EQUAL(n_rests, 1);
}

static void rests_child(void)
{
	uint64_t began;

	run_out();
	began = loop_now_ms();
	(void)close(accepted_fds[0]);
	n_accepted = 0;
	is_accepted = false;
	turn_until(&is_accepted); /* by itself */
	CU_ASSERT_TRUE(loop_now_ms() - began >= LISTENER_REST_MS - 20);
	CU_ASSERT_EQUAL(n_accepted, 1);
	CU_ASSERT_EQUAL(n_resumes, 1);
	CU_ASSERT_EQUAL(n_rests, 1);
	turn(2); /* and the third has to wait again */
	CU_ASSERT_EQUAL(n_rests, 2);
	clear();
}

static void resumes_child(void)
{
	run_out();
	listener_resume(the_listener);
	turn(1); /* in vain, and it is not said again */
	CU_ASSERT_EQUAL(n_rests, 1);
	CU_ASSERT_EQUAL(n_resumes, 0);
	CU_ASSERT_TRUE(listener_is_resting(the_listener));
	(void)close(accepted_fds[0]);
	n_accepted = 0;
	listener_resume(the_listener);
	listener_resume(the_listener);
	turn(1);
	CU_ASSERT_EQUAL(n_accepted, 1);
	CU_ASSERT_EQUAL(n_resumes, 1);
	clear();
}

/* There are some left, for others than connections. */
static void leaves_the_last_child(void)
{
	set_handler("127.0.0.1:0", &sparing);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_TRUE_FATAL((waiting_fds[i] = connect_to(AF_INET)) >= 0);
	while (dup(0) < 160)
		;
	limit_descriptors(12); /* 10 of the limit's 173 are not for connections */
	turn(2);
	CU_ASSERT_EQUAL(n_accepted, 2);
	CU_ASSERT_EQUAL(n_rests, 1);
	CU_ASSERT_EQUAL(rest_error, EMFILE);
	listener_resume(the_listener);
	turn(2); /* in vain */
	CU_ASSERT_EQUAL(n_accepted, 2);
	CU_ASSERT_EQUAL(n_rests, 1);
	CU_ASSERT_TRUE(dup(0) >= 0);
	(void)close(accepted_fds[0]);
	listener_resume(the_listener);
	turn(2);
	CU_ASSERT_EQUAL(n_accepted, 3);
	clear();
}

static void leaves_the_last_descriptors(void)
{
	in_child(leaves_the_last_child);
}

static void rests_without_descriptors(void)
{
	in_child(rests_child);
}

static void resumes_when_told(void)
{
	in_child(resumes_child);
}

UNIT_MAIN("net/listener", UNIT_TEST(one_address_of_ipv4), UNIT_TEST(one_address_of_ipv6),
	  UNIT_TEST(all_addresses), UNIT_TEST(errors), UNIT_TEST(batches),
	  UNIT_TEST(destroy_in_the_callback), UNIT_TEST(rests_without_descriptors), UNIT_TEST(leaves_the_last_descriptors),
	  UNIT_TEST(resumes_when_told))
