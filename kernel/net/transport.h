/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_TRANSPORT_H
#define KERNEL_NET_TRANSPORT_H

/*
 * One stream connection: bytes in, bytes out, on the loop that created it, or that it went to
 * (transport_leave). All functions are called on that loop and none of them calls a handler:
 * handlers run from the loop, and each of them may destroy the transport.
 *
 * Input is read in chunks of up to TRANSPORT_CHUNK_SIZE into memory that all connections of a loop
 * share, at most one chunk per connection and turn; net/readers.h has who is read when, and how
 * much. The handler says what the input cost (loop/budget.h). Only what the handler leaves
 * unconsumed is kept by the connection, in a buffer of its size.
 *
 * Output is put into blocks from a pool of the loop, or queued without copying, and leaves at the
 * end of the turn in one system call. An idle connection holds neither input nor output memory.
 *
 * Errors are positive errno values.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/slice.h"
#include "net/address.h"
#include "net/output.h"
#include "net/pool.h"

/* The most that is read from one connection in a turn. */
#define TRANSPORT_CHUNK_SIZE NET_CHUNK_SIZE
/* The most that transport_reserve always gives. */
#define TRANSPORT_BLOCK_SIZE NET_BLOCK_SIZE
/* Smaller bodies are copied by transport_write_shared. */
#define TRANSPORT_SHARE_MIN ((size_t)4 * 1024)
/* The defaults. */
#define TRANSPORT_LOW_WATERMARK	 ((size_t)64 * 1024)
#define TRANSPORT_HIGH_WATERMARK ((size_t)256 * 1024)

struct transport;

struct transport_handler {
	/*
	 * All unread bytes, contiguous. Returns how many of them were consumed; the rest is kept
	 * and comes again, with more bytes behind it (see transport_want). The bytes are valid
	 * during the call, also after a destroy in it.
	 */
	size_t (*data)(struct transport *t, struct slice bytes);
	/*
	 * The connection is over: 0 is an orderly end by the peer, otherwise an errno value
	 * (ETIMEDOUT: the peer did not close in time after transport_close_after_flush; ENOMEM: no
	 * memory for what the peer sent). Called once; no other call follows. What is written from
	 * now on goes nowhere. The owner destroys the transport.
	 */
	void (*closed)(struct transport *t, int error);
	/*
	 * The queued output went down to the low watermark after having been above the high one.
	 * May be NULL.
	 */
	void (*drained)(struct transport *t);
};

/*
 * What lies between the transport and its socket: the plain socket, or TLS. Results are as of
 * read(2) and writev(2), with a negative errno value for a failure: -EAGAIN waits for the socket in
 * the direction of the call, -EINPROGRESS for the other direction (TLS may have to write in order
 * to read). read gives 0 at an orderly end, and may give -EAGAIN when it has done enough for once
 * and has more pending.
 * A writev that waits for the other direction waits while reading is paused.
 * `is_last`: shutdown follows as soon as all is taken, so that the end may leave with these bytes.
 */
struct transport_layer {
	ssize_t (*read)(void *context, int fd, void *buffer, size_t size);
	ssize_t (*writev)(void *context, int fd, const struct iovec *iov, int n_iov, bool is_last);
	/* Says that no more output comes. */
	int (*shutdown)(void *context, int fd);
	/*
	 * Whether read would give bytes without the socket becoming readable. May be NULL
	 * (never).
	 */
	bool (*has_pending)(void *context);
	/* The transport lets go of the context. May be NULL. */
	void (*release)(void *context);
};

/* The part that the inline functions need; the rest is the transport's own. */
struct transport {
	struct net_output out;
	size_t high_watermark;
	bool is_congested; /* was above the high watermark, and not below the low one since */
	bool is_armed;	   /* a flush will come */
	void *context;
};

/*
 * Takes the connected stream socket `fd`, which is non-blocking. What else there is to be set, the
 * listener has seen to. The handler outlives the transport.
 */
struct transport *transport_create(int fd, const struct transport_handler *handler, void *context);
/*
 * As transport_create with something beneath; layer outlives the transport, layer_context is
 * released with it.
 */
struct transport *transport_create_layered(int fd, const struct transport_layer *layer,
					   void *layer_context,
					   const struct transport_handler *handler, void *context);
/*
 * Closes the socket at once, drops what is queued. Memory goes, and shared bytes are released, at
 * the turn's end.
 */
void transport_destroy(struct transport *t);

/*
 * Flushes what is queued, says that nothing more comes, and waits for the peer to close, discarding
 * what it sends; then closed() is called, at the latest linger_ms from now (ETIMEDOUT). With 0 it
 * sends what the socket takes at once, and waits for nothing. Ends a pause. data() and drained()
 * are not called any more.
 */
void transport_close_after_flush(struct transport *t, unsigned linger_ms);

/*
 * As the former with a linger_ms that is not 0, but it is the peer who ends first: that nothing
 * more comes is said only after that, or at the limit. For a peer that knows by what was sent that
 * this is the end: its threads may see the socket's before they have done what the last bytes say.
 */
void transport_close_after_peer(struct transport *t, unsigned linger_ms);

/*
 * To another loop: it leaves here, and arrives there, after which it is there as it was here:
 * paused. In between nobody may touch it. It can leave while reading is paused, all output is sent,
 * and it is not ending; not from a handler.
 */
bool transport_can_leave(const struct transport *t);
void transport_leave(struct transport *t);
void transport_arrive(struct transport *t);

static inline void *transport_context(const struct transport *t)
{
	return t->context;
}

/* ---- input ---- */

/*
 * From data(): it makes no sense to call again with fewer than `size` bytes, counted from the first
 * unconsumed one. Large frames are then gathered in place, without copying them at every read.
 * Holds until the next data(). Memory is taken as bytes come, not by the size wanted.
 */
void transport_want(struct transport *t, size_t size);

/*
 * While paused nothing is read, data() is not called and the peer's end is not seen. Pausing twice
 * is pausing once.
 */
void transport_pause_reading(struct transport *t);
/* Bytes that were kept come first, from the loop. */
void transport_resume_reading(struct transport *t);
bool transport_is_paused(const struct transport *t);

/* ---- output ---- */

void transport_arm(struct transport *t); /* for transport_commit */

/*
 * Contiguous room for size bytes at the end of the output, to be filled and then committed (all, or
 * fewer from the front) before any other output call. For more than TRANSPORT_BLOCK_SIZE it may
 * return NULL, when memory is out.
 */
static inline uint8_t *transport_reserve(struct transport *t, size_t size)
{
	if (__builtin_expect(size > (size_t)(t->out.end - t->out.next), 0) &&
	    net_output_make_room(&t->out, size) < 0)
		return NULL;
	return t->out.next;
}

static inline void transport_commit(struct transport *t, size_t size)
{
	t->out.next += size;
	if (__builtin_expect(!t->is_armed, 0))
		transport_arm(t);
}

/* Copies the bytes. */
void transport_write(struct transport *t, struct slice bytes);
/*
 * Queues the bytes without copying; release(owner) is called once, when they are sent or will never
 * be. Fewer than TRANSPORT_SHARE_MIN bytes are copied, and released in the call.
 */
void transport_write_shared(struct transport *t, struct slice bytes, void (*release)(void *owner),
			    void *owner);

/* Bytes that wait to be sent. */
static inline size_t transport_queued(const struct transport *t)
{
	return net_output_size(&t->out);
}

/* low < high; the defaults are TRANSPORT_LOW_WATERMARK and TRANSPORT_HIGH_WATERMARK. */
void transport_set_watermarks(struct transport *t, size_t low, size_t high);
/* True from above the high watermark until drained() is called. */
static inline bool transport_is_congested(const struct transport *t)
{
	return t->is_congested || transport_queued(t) > t->high_watermark;
}

/* ---- what is known of it ---- */

/*
 * loop_now_ms() of the last read that brought bytes, of the last write that took some; of the
 * creation before that.
 */
uint64_t transport_last_read_ms(const struct transport *t);
uint64_t transport_last_write_ms(const struct transport *t);
/*
 * Whether the socket has bytes, or the end, that were not read yet. Asks the system: for whoever is
 * about to give up waiting for some, as they may have come long ago and wait for their turn.
 */
bool transport_is_readable(const struct transport *t);
uint64_t transport_bytes_read(const struct transport *t);
uint64_t transport_bytes_written(const struct transport *t);
/* How often, in system calls. */
uint64_t transport_reads(const struct transport *t);
uint64_t transport_writes(const struct transport *t);
const struct net_address *transport_peer(const struct transport *t);
/* Asks the system each time, as few want to know; without a port once it is destroyed. */
struct net_address transport_local(const struct transport *t);
/* These take the place of what the system knows: a proxy spoke for the peer. */
void transport_set_addresses(struct transport *t, const struct net_address *peer,
			     const struct net_address *local);

#endif
