/* SPDX-License-Identifier: MIT */
/*
 * A whole broker in the fuzzer's process, on two loops that the fuzzer turns by hand, so that it
 * decides what overtakes what. Clients are socket pairs; what the broker sends is read here, frame
 * by frame, and must be well-formed and in a sensible order.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

#define WORLD_LOOPS    2u
#define WORLD_PEERS    3u
#define WORLD_CHANNELS 4u /* numbers 0 to 3 are used */

/* Content that the broker has begun to send on a channel. */
struct world_content {
	bool wants_header;
	uint64_t missing; /* body bytes */
};

/* A client. fd is -1 while it is not connected. */
struct world_peer {
	int fd;
	unsigned loop;
	bool is_polite; /* answers channel.close and connection.close, and opens the channel again
			 */
	bool is_deaf;	/* does not read */
	bool wants_protocol_header; /* what comes first may be the broker's protocol header */
	uint32_t frame_max;
	struct buffer in, out;
	struct world_content contents[WORLD_CHANNELS];
};

extern struct world_peer world_peers[WORLD_PEERS];

/* A name that the broker made: the last of queue.declare-ok, or of a reply_to. Empty: none yet. */
struct slice world_queue_name(void);
struct slice world_reply_name(void);

/* Before each input. */
void world_begin(void);

void world_connect(struct world_peer *peer);
/* Hard: as when the client is killed, with what it did not read. Otherwise its side is shut first.
 */
void world_disconnect(struct world_peer *peer, bool hard);

/* Queues bytes for the broker. */
void world_send(struct world_peer *peer, struct slice bytes);

/* One turn of a loop; clients write before and read after it. */
void world_turn(unsigned loop);
/* Turns all loops until nothing happens any more. */
void world_settle(void);

/* Whether a loop has something to do yet. */
bool world_has_work(void);

/* The bytes that the broker may hold before the memory alarm is set; 0: as many as it likes. */
void world_limit_memory(uint64_t bytes);

/* In the next turn, allocation number n of those that may fail, fails. */
void world_fail_memory(int n);

/* As when the broker is stopping: connection.close to all clients of a loop; or cuts them. */
void world_shutdown(unsigned loop, bool cut);

/* Disconnects all, takes out what is left, and checks that all is as it was in the beginning. */
void world_clean(void);

#endif
