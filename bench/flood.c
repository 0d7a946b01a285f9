/* SPDX-License-Identifier: MIT */
/*
 * Wrong logins, so many a second: flood PORT RATE SECONDS [SOURCE]. Each is a connection of its own from SOURCE (127.0.0.2)
 * to 127.0.0.1:PORT that says its protocol header and a start-ok with a wrong password in one go, reads what comes, and
 * closes when it has been told that it is refused, or after a second. For bench/logins. At the end one line:
 * "tried N refused N late N failed N seconds S".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OPEN_MAX_AT_ONCE 8000
#define GIVE_UP_MS 1000
#define FD_MAX 16384

struct guess {
	uint64_t began_ms; /* 0: free */
	int has_spoken;
};

static struct guess guesses[FD_MAX];
static unsigned char hello[512];
static size_t hello_size, number_at;
static struct sockaddr_in source, target;
static unsigned long n_tried, n_refused, n_late, n_failed;
static unsigned n_open;
static int epoll;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void put(const void *bytes, size_t size)
{
	memcpy(hello + hello_size, bytes, size);
	hello_size += size;
}

static void put_long(uint32_t value)
{
	const uint32_t wire = htonl(value);

	put(&wire, sizeof(wire));
}

/* "AMQP", then start-ok; the client can be told by connection.close. */
static void make_hello(void)
{
	static const char response[] = "\0guest\0wrong00000000";
	static const char capability[] = "\34authentication_failure_closet\1";
	size_t size_at;

	put("AMQP\0\0\11\1", 8);
	put("\1\0\0", 3);
	size_at = hello_size;
	put_long(0);
	put("\0\12\0\13", 4);
	put_long((uint32_t)(1 + 12 + 1 + 4 + sizeof(capability) - 1)); /* the properties: one table */
	put("\14capabilitiesF", 14);
	put_long(sizeof(capability) - 1);
	put(capability, sizeof(capability) - 1);
	put("\5PLAIN", 6);
	put_long(sizeof(response) - 1);
	put(response, sizeof(response) - 1);
	number_at = hello_size - 8;
	put("\5en_US", 6);
	const uint32_t size = htonl((uint32_t)(hello_size - size_at - 4));
	memcpy(hello + size_at, &size, 4);
	put("\316", 1);
}

/* Each is another one: what was wrong once need not be hashed again. */
static void next_password(void)
{
	for (size_t at = number_at + 8; at-- > number_at;) {
		if (hello[at]++ != '9')
			return;
		hello[at] = '0';
	}
}

static void end(int fd)
{
	(void)close(fd);
	guesses[fd].began_ms = 0;
	n_open--;
}

static void begin(uint64_t now_ms)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1;
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd };

	n_tried++;
	if (fd < 0 || fd >= FD_MAX) {
		n_failed++;
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	/* Ports are chosen when it connects, so that there are enough of them; and are free again at once. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	n_open++;
	guesses[fd] = (struct guess){ .began_ms = now_ms };
	if (bind(fd, (struct sockaddr *)&source, sizeof(source)) != 0 ||
	    (connect(fd, (struct sockaddr *)&target, sizeof(target)) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		n_failed++;
		end(fd);
	}
}

static void look(int fd, uint32_t events)
{
	struct guess *guess = &guesses[fd];
	static unsigned char bytes[65536];
	ssize_t n = 0;

	if (guess->began_ms == 0)
		return;
	if ((events & EPOLLOUT) != 0 && !guess->has_spoken) {
		guess->has_spoken = 1;
		next_password();
		n = send(fd, hello, hello_size, MSG_NOSIGNAL);
		if (n != (ssize_t)hello_size) {
			n_failed++;
			end(fd);
			return;
		}
	}
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		static const char refused[] = "ACCESS_REFUSED";

		if (memmem(bytes, (size_t)n, refused, sizeof(refused) - 1) != NULL) {
			n_refused++;
			end(fd);
			return;
		}
	}
	if (n == 0 || errno != EAGAIN) {
		n_failed++;
		end(fd);
	}
}

static void give_up_old(uint64_t now_ms)
{
	for (int fd = 0; fd < FD_MAX; fd++) {
		if (guesses[fd].began_ms == 0 || guesses[fd].began_ms + GIVE_UP_MS > now_ms)
			continue;
		n_late++;
		end(fd);
	}
}

static void flood(double rate, double seconds)
{
	uint64_t began = now_us(), now = began, looked_ms = 0;
	struct epoll_event events[512];

	while ((double)(now - began) < seconds * 1e6) {
		double due = (double)(now - began) / 1e6 * rate;
		int n;

		for (int i = 0; i < 64 && (double)n_tried < due && n_open < OPEN_MAX_AT_ONCE; i++)
			begin(now / 1000);
		n = epoll_wait(epoll, events, 512, (double)n_tried < due && n_open < OPEN_MAX_AT_ONCE ? 0 : 1);
		for (int i = 0; i < n; i++)
			look(events[i].data.fd, events[i].events);
		now = now_us();
		if (now / 1000 > looked_ms + 100) {
			looked_ms = now / 1000;
			give_up_old(looked_ms);
		}
	}
	printf("tried %lu refused %lu late %lu failed %lu seconds %.1f\n", n_tried, n_refused, n_late, n_failed,
	       (double)(now - began) / 1e6);
}

int main(int argc, char **argv)
{
	struct rlimit limit;

	if (argc < 4) {
		fprintf(stderr, "usage: flood PORT RATE SECONDS [SOURCE]\n");
		return 64;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < FD_MAX ? limit.rlim_max : FD_MAX;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	target = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])) };
	source = (struct sockaddr_in){ .sin_family = AF_INET };
	(void)inet_pton(AF_INET, "127.0.0.1", &target.sin_addr);
	if (inet_pton(AF_INET, argc > 4 ? argv[4] : "127.0.0.2", &source.sin_addr) != 1)
		return 64;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	make_hello();
	flood(atof(argv[2]), atof(argv[3]));
	return 0;
}
