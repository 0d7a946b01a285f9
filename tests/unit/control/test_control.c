/* SPDX-License-Identifier: MIT */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/pool.h"

#include "../unit.h"

#define LIMIT_MS 60000u

static char folder[] = "/tmp/shunt-control-XXXXXX";
static char path[80];
static struct control *control;
static unsigned n_stops;

static void stop(void *context)
{
	CU_ASSERT_PTR_EQUAL(context, &n_stops);
	n_stops++;
}

/* ping and stop need no broker. */
static const struct control_config config = {
	.version = "0.0.0",
	.cluster_name = "node\xff",
	.data_dir = "/nowhere",
	.stop = stop,
	.context = &n_stops,
};

static void set_folder(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* as the server does */
	strcpy(folder, "/tmp/shunt-control-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
}

static void clear_folder(void)
{
	loop_pool_destroy();
	unlink(path);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void set(void)
{
	set_folder();
	CU_ASSERT_EQUAL_FATAL(control_create(path, &config, &control), 0);
}

static void clear(void)
{
	struct stat file;

	control_destroy(control);
	CU_ASSERT_NOT_EQUAL(lstat(path, &file), 0);
	clear_folder();
}

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, name);
	return address;
}

static int client(void)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Turns until n lines have come, or the end; returns all of it. The caller frees it. */
static char *hear(int fd, unsigned n)
{
	uint64_t deadline = clock_monotonic_ms() + LIMIT_MS;
	size_t size = 0, capacity = (size_t)1 << 20;
	char *text = mem_zalloc(capacity);

	while (n != 0) {
		ssize_t got = recv(fd, text + size, capacity - 1 - size, 0);

		CU_ASSERT_TRUE_FATAL(clock_monotonic_ms() < deadline);
		for (ssize_t i = 0; i < got && n != 0; i++)
			n -= text[size + (size_t)i] == '\n';
		if (got > 0)
			size += (size_t)got;
		else if (got == 0 || errno != EAGAIN)
			break;
		else
			loop_run_once(false);
	}
	return text;
}

static void hears(int fd, unsigned n, const char *expected)
{
	char *text = hear(fd, n);

	CU_ASSERT_STRING_EQUAL(text, expected);
	mem_free(text);
}

#define PONG "{\"value\":{\"node\":\"node\\\\xFF\"}}\n{\"ok\":true}\n"

/* ---- Talking ---- */

static void ping(void)
{
	int fd;

	set();
	fd = client();
	say(fd, "{\"command\":\"ping\"}\n");
	hears(fd, 2, PONG);
	say(fd, " { \"more\": [1], \"command\" : \"ping\" } \n");
	hears(fd, 2, PONG);
	close(fd);
	clear();
}

static void request_in_pieces(void)
{
	static const char request[] = "{\"command\":\"ping\"}\n";
	char piece[2] = "";
	int fd;

	set();
	fd = client();
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		piece[0] = request[i];
		say(fd, piece);
		loop_run_once(false);
	}
	hears(fd, 2, PONG);
	close(fd);
	clear();
}

/* None of them on the back of the one before: a stack is not that deep. */
static void thousands_of_requests_at_once(void)
{
	static const char request[] = "{\"command\":\"ping\"}\n";
	enum { COUNT = 50000 };
	unsigned n_sent = 0, n_lines = 0;
	uint64_t deadline = clock_monotonic_ms() + LIMIT_MS;
	char text[65536];
	int fd;

	set();
	fd = client();
	while (n_lines < 2 * COUNT) {
		ssize_t n;

		CU_ASSERT_TRUE_FATAL(clock_monotonic_ms() < deadline);
		while (n_sent < COUNT && send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1)
			n_sent++;
		loop_run_once(false);
		n = recv(fd, text, sizeof(text), 0);
		for (ssize_t i = 0; i < n; i++)
			n_lines += text[i] == '\n';
	}
	close(fd);
	clear();
}

static void bad_requests(void)
{
	static const char *const requests[] = { "\n", "ping\n", "[]\n", "{}\n", "{\"command\":1}\n", "\"ping\"\n",
						"{\"command\":\"ping\"\n", "{\"command\":\"ping\"}}\n", "\xff\n",
						"{\"command\":\"ping\",\"command\":\"stop\"}\n" };
	int fd;

	set();
	n_stops = 0;
	fd = client();
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		say(fd, requests[i]);
		hears(fd, 1, "{\"error\":\"the request is not an object with a command\",\"status\":65}\n");
	}
	say(fd, "{\"command\":\"nosuch\"}\n");
	hears(fd, 1, "{\"error\":\"unknown command 'nosuch'\",\"status\":64}\n");
	say(fd, "{\"command\":\"ping\"}\n");
	hears(fd, 2, PONG);
	CU_ASSERT_EQUAL(n_stops, 0);
	close(fd);
	clear();
}

/* The text is cut, in the midst of a letter perhaps, and still an answer. */
static void error_text_is_cut(void)
{
	char *request = mem_zalloc(8192), *answer;
	size_t n = (size_t)sprintf(request, "{\"command\":\"");
	json_error_t error;
	json_t *value;
	int fd;

	set();
	for (size_t i = 0; i < 1000; i++)
		n += (size_t)sprintf(request + n, "%s", i == 0 ? "x" : "\xc3\xbc");
	strcpy(request + n, "\"}\n");
	fd = client();
	say(fd, request);
	answer = hear(fd, 1);
	value = json_loads(answer, 0, &error);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(value, "status")), 64);
	json_decref(value);
	mem_free(answer);
	mem_free(request);
	close(fd);
	clear();
}

static void request_without_end_is_cut_off(void)
{
	char *zeros = mem_zalloc(1 << 16), byte;
	uint64_t deadline = clock_monotonic_ms() + LIMIT_MS;
	size_t n_sent = 0;
	ssize_t n;
	int fd;

	set();
	fd = client();
	do {
		n = send(fd, zeros, 1 << 16, MSG_NOSIGNAL);
		n_sent += n > 0 ? (size_t)n : 0;
		loop_run_once(false);
		CU_ASSERT_TRUE_FATAL(clock_monotonic_ms() < deadline);
	} while (n > 0 || errno == EAGAIN);
	CU_ASSERT_TRUE(n_sent < 4u << 20);
	CU_ASSERT_TRUE(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	mem_free(zeros);
	clear();
}

static void stop_is_told_on(void)
{
	int fd;

	set();
	n_stops = 0;
	fd = client();
	say(fd, "{\"command\":\"stop\"}\n{\"command\":\"ping\"}\n");
	hears(fd, 3, "{\"ok\":true}\n" PONG);
	CU_ASSERT_EQUAL(n_stops, 1);
	close(fd);
	clear();
}

static void clients_that_go_and_clients_that_stay(void)
{
	int gone, half, staying;

	set();
	gone = client();
	half = client();
	staying = client();
	say(gone, "{\"command\":\"ping\"}\n");
	say(half, "{\"comm");
	close(gone);
	for (unsigned i = 0; i < 10; i++)
		loop_run_once(false);
	close(half);
	say(staying, "{\"command\":\"ping\"}\n");
	hears(staying, 2, PONG);
	/* it is still there when the control goes */
	clear();
	CU_ASSERT_EQUAL(recv(staying, path, 1, 0), 0);
	close(staying);
}

/* ---- The file ---- */

static void file_is_for_its_user_alone(void)
{
	struct stat file;
	mode_t mask = umask(0);

	set();
	CU_ASSERT_EQUAL(stat(path, &file), 0);
	CU_ASSERT_TRUE(S_ISSOCK(file.st_mode));
	CU_ASSERT_EQUAL(file.st_mode & 0777, 0600);
	CU_ASSERT_EQUAL(umask(mask), 0);
	clear();
}

static void stale_socket_is_replaced(void)
{
	struct sockaddr_un address;
	int fd;

	set_folder();
	address = address_of(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(control_create(path, &config, &control), 0);
	fd = client();
	say(fd, "{\"command\":\"ping\"}\n");
	hears(fd, 2, PONG);
	close(fd);
	clear();
}

static void living_socket_is_left_alone(void)
{
	struct control *second = NULL;
	int fd;

	set();
	CU_ASSERT_EQUAL(control_create(path, &config, &second), -EADDRINUSE);
	CU_ASSERT_PTR_NULL(second);
	fd = client();
	say(fd, "{\"command\":\"ping\"}\n");
	hears(fd, 2, PONG);
	close(fd);
	clear();
}

/* Somebody listens and does not accept; he is not asked for longer than it takes. */
static void busy_socket_is_left_alone(void)
{
	struct sockaddr_un address;
	int busy, fds[8];

	set_folder();
	address = address_of(path);
	busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(busy, (const struct sockaddr *)&address, sizeof(address)), 0);
	CU_ASSERT_EQUAL(listen(busy, 0), 0);
	for (unsigned i = 0; i < 8; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fds[i], (const struct sockaddr *)&address, sizeof(address));
	}
	CU_ASSERT_EQUAL(control_create(path, &config, &control), -EADDRINUSE);
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
	close(busy);
	clear_folder();
}

static void another_file_is_left_alone(void)
{
	struct stat file;
	int fd;

	set_folder();
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	CU_ASSERT_EQUAL(control_create(path, &config, &control), -EEXIST);
	CU_ASSERT_EQUAL(stat(path, &file), 0);
	CU_ASSERT_TRUE(S_ISREG(file.st_mode));
	clear_folder();
}

static void paths_that_cannot_be(void)
{
	char long_path[200];

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	set_folder();
	CU_ASSERT_EQUAL(control_create(long_path, &config, &control), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(control_create("/no/such/folder/control.sock", &config, &control), -ENOENT);
	control_destroy(NULL);
	clear_folder();
}

/* ---- Descriptors ---- */

/* Then one client at a time is served all the same, and accepting rests instead of turning round and round. */
static void without_descriptors(void)
{
	struct rlimit before, low;
	int first, second, last;

	set();
	first = client();
	second = client();
	last = dup(0);
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)last;
	close(last);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
	say(first, "{\"command\":\"ping\"}\n");
	say(second, "{\"command\":\"ping\"}\n");
	hears(first, 2, PONG);
	for (unsigned i = 0; i < 5; i++)
		loop_run_once(false);
	CU_ASSERT_EQUAL(recv(second, &(char){ 0 }, 1, MSG_PEEK), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	close(first);
	hears(second, 2, PONG);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(second);
	clear();
}

UNIT_MAIN("control", UNIT_TEST(ping), UNIT_TEST(request_in_pieces), UNIT_TEST(thousands_of_requests_at_once),
	  UNIT_TEST(bad_requests), UNIT_TEST(error_text_is_cut), UNIT_TEST(request_without_end_is_cut_off),
	  UNIT_TEST(stop_is_told_on), UNIT_TEST(clients_that_go_and_clients_that_stay),
	  UNIT_TEST(file_is_for_its_user_alone), UNIT_TEST(stale_socket_is_replaced),
	  UNIT_TEST(living_socket_is_left_alone), UNIT_TEST(busy_socket_is_left_alone),
	  UNIT_TEST(another_file_is_left_alone), UNIT_TEST(paths_that_cannot_be), UNIT_TEST(without_descriptors))
