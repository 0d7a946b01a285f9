/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_STREAM_H
#define KERNEL_NET_STREAM_H

/*
 * The inside of a transport, shared by the files that make it: transport.c (life and events),
 * receive.c (input), send.c (output) and leave.c (from loop to loop). Nobody else includes it.
 */

#include <event2/event_struct.h>

#include "base/bug.h"
#include "base/list.h"
#include "loop/loop.h"
#include "net/readers.h"
#include "net/transport.h"

enum stream_state {
	STREAM_OPEN,
	STREAM_FLUSHING, /* closing: output goes out, input is discarded */
	STREAM_SHUT,	 /* nothing more to send; waits for the peer's end */
	STREAM_OVER,	 /* closed() has been called */
	STREAM_DESTROYED,
};

struct stream {
	struct transport t; /* first */
	const struct transport_handler *handler;
	const struct transport_layer *layer;
	void *layer_context;
	struct net_pool *pool;
	int fd;
	unsigned loop;
	enum stream_state state;
	int write_error;
	int failure; /* of our own: the input task ends the stream */
	bool is_paused;
	bool is_reading; /* the readable event is added */
	bool is_waiting; /* the writable event is added, for output */
	bool at_end;	 /* the peer has ended */
	bool resumed;	 /* kept bytes are to be handed over by the input task */
	bool read_wants_write;
	bool write_wants_read;
	bool owes_end; /* closing, and the peer is to end first: shutdown is still to come */
	bool is_hasty; /* closing, and waits for nothing: neither room in the socket nor the peer's
			  end */
	struct event readable;
	struct event writable;
	bool is_busy;		/* the last read was full: net/readers.h */
	bool is_feeding;	/* the last read brought messages for deliveries that lag behind */
	bool is_held;		/* for that */
	size_t unit_bytes;	/* of a unit of its input's work; 0: not known */
	struct list in_readers; /* net_readers.waiting, .busy or .held, or none */
	struct loop_task flush;
	struct loop_task input;
	struct loop_timer limit; /* of the closing, or of a failed write */
	uint8_t *kept;		 /* unconsumed bytes: kept_size from kept_start */
	size_t kept_start;
	size_t kept_size;
	size_t kept_capacity;
	size_t want;
	size_t low_watermark;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t n_reads; /* that brought something */
	uint64_t n_writes;
	uint64_t last_read_ms;
	uint64_t last_write_ms;
	struct net_address peer;
	struct net_address *local; /* NULL: as the system says */
};

static inline struct stream *stream_of(struct transport *t)
{
	return container_of(t, struct stream, t);
}

static inline const struct stream *stream_of_const(const struct transport *t)
{
	return container_of(t, const struct stream, t);
}

/*
 * Ends the stream and calls closed(). From the loop only, never from a transport function, and as
 * the last thing done with s: the handler may destroy it.
 */
void stream_finish(struct stream *s, int error);

/* Adds the event, which the system may refuse (too many are watched): then the stream ends soon. */
void stream_add_event(struct stream *s, struct event *event);

/* Takes it out of the loop's hands: events, input, timer; not the flush. */
void stream_stop_all(struct stream *s);
/* The events are the calling loop's from now on. */
void stream_assign_events(struct stream *s);

/* receive.c */
void stream_start_reading(struct stream *s);
void stream_stop_reading(struct stream *s);
/* The socket is readable, or the layer has bytes. Reads `room` bytes at most; returns how many. */
size_t stream_read_chunk(struct stream *s, size_t room);
void stream_run_input(struct loop_task *task);
void stream_forget_kept(struct stream *s);

/* send.c */
void stream_flush(struct stream *s); /* the socket may take bytes */
void stream_run_flush(struct loop_task *task);

#endif
