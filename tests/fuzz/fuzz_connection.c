/* SPDX-License-Identifier: MIT */
/*
 * Whole connections. The bytes are a story of three clients: who sends what (by the grammar that
 * the protocol's table is, or garbage), when it stops reading, when it is killed, and which loop
 * turns when. After it, everybody leaves, and nothing may be left: no connection, no exclusive
 * queue, no unacknowledged delivery, no byte of a message, no descriptor.
 */
#include "fuzz.h"

#include "amqp/frame.h"
#include "grammar.h"
#include "world.h"

#define STEPS_MAX    400
#define BODY_MAX     65536
#define FRAME_MAX    131072
#define CONNECTS_MAX 8

static unsigned n_connects;

/* ---- Frames ---- */

static void put_frame(struct buffer *out, uint8_t type, uint16_t channel, struct slice payload)
{
	uint8_t *room = buffer_reserve(out, payload.size + AMQP_FRAME_OVERHEAD);
	struct amqp_writer w;

	fuzz_check(room != NULL);
	amqp_writer_init(&w, room, payload.size + AMQP_FRAME_OVERHEAD);
	amqp_put_octet(&w, type);
	amqp_put_short(&w, channel);
	amqp_put_long(&w, (uint32_t)payload.size);
	amqp_put_bytes(&w, payload);
	amqp_frame_put_end(&w);
	out->size += payload.size + AMQP_FRAME_OVERHEAD;
}

/* False: too long for a frame. */
static bool put_method(struct buffer *out, uint16_t channel, const struct amqp_method *method)
{
	size_t size = amqp_method_size(method);
	struct amqp_writer w;
	uint8_t *payload;

	if (size > FRAME_MAX)
		return false;
	payload = malloc(size);
	fuzz_check(payload != NULL);
	amqp_writer_init(&w, payload, size);
	amqp_method_encode(&w, method);
	fuzz_check(!w.failed && amqp_writer_left(&w) == 0);
	put_frame(out, AMQP_FRAME_METHOD, channel, slice_make(payload, size));
	free(payload);
	return true;
}

static void send_made(struct world_peer *peer, struct fuzz_source *source, uint16_t channel,
		      struct amqp_method *method)
{
	struct buffer table, out;

	buffer_init(&table);
	buffer_init(&out);
	grammar_make_method(source, method, &table);
	(void)put_method(&out, channel, method);
	world_send(peer, buffer_slice(&out));
	buffer_fini(&out);
	buffer_fini(&table);
}

static void send_method(struct world_peer *peer, struct fuzz_source *source, uint16_t channel)
{
	struct amqp_method m = {.id = grammar_choose_method(source)};

	send_made(peer, source, channel, &m);
}

static void send_cut_method(struct world_peer *peer, struct fuzz_source *source, uint16_t channel)
{
	struct amqp_method m = {.id = grammar_choose_method(source)};
	size_t cut = amqp_get_octet(source);
	struct buffer table, out;
	struct slice bytes;

	buffer_init(&table);
	buffer_init(&out);
	grammar_make_method(source, &m, &table);
	(void)put_method(&out, channel, &m);
	bytes = buffer_slice(&out);
	if (cut < bytes.size)
		bytes.size -= cut;
	world_send(peer, bytes);
	buffer_fini(&out);
	buffer_fini(&table);
}

/* ---- Content ---- */

static size_t choose_size(struct fuzz_source *source)
{
	unsigned choice = amqp_get_octet(source);

	return choice < 128 ? choice : choice < 224 ? (choice - 127u) * 64 : (choice - 223u) * 2048;
}

static void put_content_header(struct buffer *out, struct fuzz_source *source, uint16_t channel,
			       uint64_t body_size)
{
	struct amqp_content_header header = {.class_id = AMQP_CLASS_BASIC, .body_size = body_size};
	struct amqp_properties properties;
	struct buffer table, payload;
	struct amqp_writer w;
	size_t size;

	buffer_init(&table);
	buffer_init(&payload);
	grammar_make_properties(source, &properties, &table);
	size = amqp_properties_size(&properties);
	fuzz_check(buffer_reserve(&payload, AMQP_CONTENT_HEADER_FIXED + size) != NULL);
	amqp_writer_init(&w, payload.data + AMQP_CONTENT_HEADER_FIXED, size);
	amqp_properties_encode(&w, &properties);
	header.properties = slice_make(payload.data + AMQP_CONTENT_HEADER_FIXED, size);
	amqp_writer_init(&w, payload.data, AMQP_CONTENT_HEADER_FIXED);
	amqp_put_short(&w, header.class_id);
	amqp_put_short(&w, 0);
	amqp_put_longlong(&w, header.body_size);
	payload.size = AMQP_CONTENT_HEADER_FIXED + size;
	put_frame(out, AMQP_FRAME_HEADER, channel, buffer_slice(&payload));
	buffer_fini(&payload);
	buffer_fini(&table);
}

static void put_body(struct buffer *out, uint16_t channel, size_t size, size_t frame_size)
{
	static const uint8_t body[BODY_MAX];

	while (size > 0) {
		size_t n = size < frame_size ? size : frame_size;

		put_frame(out, AMQP_FRAME_BODY, channel, slice_make(body, n));
		size -= n;
	}
}

/* As it should be: method, header, body. */
static void publish(struct world_peer *peer, struct fuzz_source *source, uint16_t channel)
{
	struct amqp_method m = {.id = AMQP_BASIC_PUBLISH};
	unsigned copies = amqp_get_octet(source);
	size_t size = choose_size(source);
	struct buffer table, out;

	buffer_init(&table);
	buffer_init(&out);
	grammar_make_method(source, &m, &table);
	(void)put_method(&out, channel, &m);
	put_content_header(&out, source, channel, size);
	put_body(&out, channel, size, copies & 1 ? 4088 : 1000);
	for (copies = copies > 0xf0 ? 40 : copies % 3; copies > 0; copies--)
		world_send(peer, buffer_slice(&out));
	world_send(peer, buffer_slice(&out));
	buffer_fini(&out);
	buffer_fini(&table);
}

/* A header, a body or both, at the wrong time, or of the wrong size. */
static void stray_content(struct world_peer *peer, struct fuzz_source *source, uint16_t channel)
{
	unsigned choice = amqp_get_octet(source);
	size_t size = choose_size(source);
	uint64_t claimed = choice & 4 ? amqp_get_longlong(source) : size;
	struct buffer out;

	buffer_init(&out);
	if (choice & 1)
		put_content_header(&out, source, channel, claimed);
	if (choice & 2)
		put_body(&out, channel, size, 4088);
	world_send(peer, buffer_slice(&out));
	buffer_fini(&out);
}

static void raw_frame(struct world_peer *peer, struct fuzz_source *source, uint16_t channel)
{
	uint8_t type = amqp_get_octet(source);
	struct buffer out;

	buffer_init(&out);
	put_frame(&out, type < 0x80 ? type % 9 : type, type & 16 ? amqp_get_short(source) : channel,
		  fuzz_bytes(source, amqp_get_octet(source)));
	world_send(peer, buffer_slice(&out));
	buffer_fini(&out);
}

/* ---- Connecting ---- */

/* By the grammar, whose usual choice for every field is the right one, and so many channels. */
static void handshake(struct world_peer *peer, struct fuzz_source *source, unsigned channels)
{
	static const uint32_t ids[] = {AMQP_CONNECTION_START_OK, AMQP_CONNECTION_TUNE_OK,
				       AMQP_CONNECTION_OPEN};

	world_send(peer, slice_make(amqp_protocol_header, AMQP_PROTOCOL_HEADER_SIZE));
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct amqp_method m = {.id = ids[i]};

		send_made(peer, source, 0, &m);
	}
	for (unsigned i = 1; i <= channels; i++) {
		struct amqp_method m = {.id = AMQP_CHANNEL_OPEN};
		struct buffer out;

		buffer_init(&out);
		(void)put_method(&out, (uint16_t)i, &m);
		world_send(peer, buffer_slice(&out));
		buffer_fini(&out);
	}
}

/* A login, frame_max and channels that are right, whatever comes. */
static void sound_handshake(struct world_peer *peer, unsigned choice)
{
	/* start_ok by the grammar; tune_ok: three channels, frame_max of 4096 or 131072, no
	 * heartbeat; open "/" */
	const uint8_t bytes[] = {
		(uint8_t)(choice >> 4 & 7), 0, 0, 0, 2, choice & 1 ? 0 : 2, 0, 0, 0, 0xff, 0, 0};
	struct fuzz_source source;

	amqp_reader_init(&source, slice_make(bytes, sizeof(bytes)));
	peer->frame_max = choice & 1 ? 4096 : 131072;
	handshake(peer, &source, 3);
}

static void connect(struct world_peer *peer, struct fuzz_source *source)
{
	unsigned choice = amqp_get_octet(source);

	if (++n_connects > CONNECTS_MAX)
		return;
	world_connect(peer);
	peer->is_polite = (choice & 2) == 0;
	if (choice < 0xe0)
		sound_handshake(peer, choice);
	else if (choice < 0xf8)
		handshake(peer, source, choice & 3);
}

/* ---- A beginning, so that what follows has something to work on ---- */

static void say(unsigned peer, uint16_t channel, struct amqp_method m)
{
	struct buffer out;

	buffer_init(&out);
	(void)put_method(&out, channel, &m);
	world_send(&world_peers[peer], buffer_slice(&out));
	buffer_fini(&out);
}

static void declare(unsigned peer, const char *queue, unsigned choice)
{
	say(peer, 1,
	    (struct amqp_method){.id = AMQP_QUEUE_DECLARE,
				 .queue_declare = {.queue = slice_cstr(queue),
						   .durable = (choice & 1) != 0,
						   .exclusive = (choice & 2) != 0,
						   .auto_delete = (choice & 4) != 0}});
}

static void bind(unsigned peer, const char *queue, const char *exchange, const char *key)
{
	say(peer, 1,
	    (struct amqp_method){.id = AMQP_QUEUE_BIND,
				 .queue_bind = {.queue = slice_cstr(queue),
						.exchange = slice_cstr(exchange),
						.routing_key = slice_cstr(key)}});
}

static void consume(unsigned peer, const char *queue, const char *tag, bool no_ack)
{
	say(peer, 1,
	    (struct amqp_method){.id = AMQP_BASIC_CONSUME,
				 .basic_consume = {.queue = slice_cstr(queue),
						   .consumer_tag = slice_cstr(tag),
						   .no_ack = no_ack}});
}

static void set_qos(unsigned peer, unsigned count, bool global)
{
	say(peer, 1,
	    (struct amqp_method){
		    .id = AMQP_BASIC_QOS,
		    .basic_qos = {.prefetch_count = (uint16_t)count, .global = global}});
}

/* A request by direct reply-to: whoever gets it may answer. */
static void request(unsigned peer, const char *queue)
{
	struct buffer out;

	buffer_init(&out);
	(void)put_method(
		&out, 1,
		&(struct amqp_method){.id = AMQP_BASIC_PUBLISH,
				      .basic_publish = {.routing_key = slice_cstr(queue)}});
	put_frame(&out, AMQP_FRAME_HEADER, 1,
		  SLICE_LITERAL("\0\74\0\0\0\0\0\0\0\0\0\0\2\0\25amq.rabbitmq.reply-to"));
	world_send(&world_peers[peer], buffer_slice(&out));
	buffer_fini(&out);
}

/* Three clients, three queues, on both loops; consumers; a channel with confirms and one with tx.
 */
static void begin(unsigned choice, unsigned queues)
{
	if ((choice & 1) != 0)
		return;
	for (unsigned i = 0; i < WORLD_PEERS; i++) {
		world_connect(&world_peers[i]);
		world_peers[i].is_polite = true;
		sound_handshake(&world_peers[i], i == 1 ? 1 : 0);
	}
	declare(0, "q0", queues & 5);
	declare(1, "q1", queues >> 2 & 5);
	declare(1, "q2", queues >> 4);
	bind(0, "q0", "amq.fanout", "");
	bind(0, "q0", "amq.topic", "a.#");
	bind(1, "q1", "amq.direct", "a.b.c");
	bind(1, "q1", "amq.fanout", "q1");
	world_settle();
	say(0, 2, (struct amqp_method){.id = AMQP_CONFIRM_SELECT});
	say(1, 2, (struct amqp_method){.id = AMQP_TX_SELECT});
	if ((choice & 2) != 0)
		set_qos(1, choice >> 5, (choice & 16) != 0);
	if ((choice & 4) != 0)
		consume(1, "q0", "t0", false);
	if ((choice & 8) != 0)
		consume(2, "q1", "t1", (choice & 16) != 0);
	if ((choice & 12) != 12)
		return;
	consume(2, "amq.rabbitmq.reply-to", "t3", true);
	request(2, "q0");
	world_settle();
}

/* ---- The story ---- */

static void odd_step(struct world_peer *peer, struct fuzz_source *source, unsigned action)
{
	switch (action) {
	case 0:
		world_send(peer, fuzz_shortstr(source));
		break;
	case 1:
		world_disconnect(peer, true);
		break;
	case 2:
		world_disconnect(peer, false);
		break;
	case 3:
		peer->is_deaf = !peer->is_deaf;
		break;
	case 4:
		world_settle();
		break;
	case 5:
		world_limit_memory(amqp_get_octet(source) % 4 * 65536u);
		break;
	case 6:
		world_fail_memory(amqp_get_octet(source) % 32);
		break;
	case 7:
		world_shutdown(peer->loop, (amqp_get_octet(source) & 1) != 0);
		break;
	default:
		world_turn(action % WORLD_LOOPS);
	}
}

static void step(struct fuzz_source *source)
{
	unsigned op = amqp_get_octet(source);
	struct world_peer *peer = &world_peers[op % WORLD_PEERS];
	unsigned where = amqp_get_octet(source);
	uint16_t channel = where >= 0xf8 ? 0 : (uint16_t)(where % 3 + 1);
	unsigned action = op / WORLD_PEERS; /* 0 to 85 */

	if (action >= 76) {
		odd_step(peer, source, action - 76);
		return;
	}
	if (peer->fd < 0)
		connect(peer, source);
	if (action < 44)
		send_method(peer, source, channel);
	else if (action < 68)
		publish(peer, source, channel);
	else if (action < 70)
		stray_content(peer, source, channel);
	else if (action < 71)
		send_cut_method(peer, source, channel);
	else if (action < 72)
		raw_frame(peer, source, channel);
	else
		world_turn(peer->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_source source;
	unsigned steps = 0, choice;

	world_begin();
	n_connects = 0;
	amqp_reader_init(&source, slice_make(data, size));
	choice = amqp_get_octet(&source);
	begin(choice, amqp_get_octet(&source));
	while (amqp_reader_left(&source) > 0 && steps++ < STEPS_MAX)
		step(&source);
	world_settle();
	world_clean();
	return 0;
}
