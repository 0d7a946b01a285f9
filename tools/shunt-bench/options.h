/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_OPTIONS_H
#define TOOLS_SHUNT_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/compiler.h"

enum bench_mode {
	BENCH_MODE_FLOW,	/* publish and consume at the same time */
	BENCH_MODE_FILL,	/* publish all, then consume all */
	BENCH_MODE_CONNECTIONS, /* open connections and keep them */
	BENCH_MODE_CHURN,	/* open and close connections */
};

enum bench_exchange {
	BENCH_EXCHANGE_DEFAULT,
	BENCH_EXCHANGE_DIRECT,
	BENCH_EXCHANGE_FANOUT,
	BENCH_EXCHANGE_TOPIC,
	BENCH_EXCHANGE_HEADERS,
	BENCH_EXCHANGE_OTHER, /* exchange_type; bound as a direct one */
};

#define OPTIONS_PEERS_MAX 10000

/* What the command line asks for. Strings are on the heap. */
struct options {
	enum bench_mode mode;
	char *host, *user, *password, *vhost;
	uint16_t port;
	bool is_tls;
	char *cacertfile, *certfile, *keyfile; /* NULL: not named */
	bool verify_peer;
	unsigned producers, consumers, queues;
	size_t size;
	uint64_t messages; /* of all producers together; 0: by time */
	double seconds, warmup_s;
	double rate;	  /* of all producers together, per second; 0: as fast as it goes */
	unsigned confirm; /* outstanding per producer; 0: no confirms */
	unsigned ack;	  /* one basic.ack for so many; 0: auto-ack */
	unsigned prefetch;
	bool durable, persistent;
	enum bench_exchange exchange;
	char *exchange_type; /* of BENCH_EXCHANGE_OTHER */
	char *header;	     /* of each message, with its routing key; NULL: none */
	unsigned bindings;
	unsigned connections, concurrency;
	double hold_s;	  /* how long idle connections are kept */
	double timeout_s; /* without any progress */
	unsigned threads;
	unsigned noise;		     /* further producers that publish flat out */
	unsigned slow;		     /* further consumers that read slowly */
	bool is_noise, reads_slowly; /* no options: set for those */
	pid_t pid;		     /* of the broker; 0: unknown */
	bool json;
};

/*
 * 0: go on. 1: nothing more to do (help, version). -EINVAL: usage, explained on `err`.
 * options_fini() is due in all cases.
 */
int options_parse(struct options *options, int argc, char **argv, FILE *out, FILE *err) MUST_USE;
void options_fini(struct options *options);

const char *options_exchange_name(const struct options *options);

#endif
