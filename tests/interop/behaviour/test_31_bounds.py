# SPDX-License-Identifier: MIT
"""What clients that do not read, do not wait or do not finish may cost the broker, and that nobody waits for ever."""

import os
import re
import select
import signal
import subprocess

from lib import wire
from lib.case import Skip
from lib.runner import limit
from lib.watch import check_growth, resident_bytes


def on_two_loops(t, *options):
    """A broker with two loops, and a client on each."""
    broker = t.shuntd(*options, loops=2)
    return broker, t.wire_to(broker), t.wire_to(broker)


def encode(channel, method, **values):
    return wire.encode_frame(wire.METHOD, channel, wire.encode_method(method, **values))


def encode_publish(channel, exchange, routing_key, body, properties=None):
    return (encode(channel, "basic.publish", exchange=exchange, routing_key=routing_key) +
            wire.encode_frame(wire.HEADER, channel, wire.encode_content_header(len(body), properties)) +
            wire.encode_frame(wire.BODY, channel, body))


def sent_until_refused(client, frames, most):
    """Sends the frames again and again without reading, until the broker takes no more for 2 s; returns the bytes."""
    sent = 0
    client.socket.setblocking(False)
    try:
        while sent < most:
            rest = frames
            while rest:
                if not select.select([], [client.socket], [], 2)[1]:
                    return sent
                try:
                    n = client.socket.send(rest)
                except BlockingIOError:
                    continue   # there is room, but not for a whole record of TLS
                sent += n
                rest = rest[n:]
        return sent
    finally:
        client.socket.settimeout(client.limit)


@limit(60)
def test_pipeline_that_never_runs_dry_is_not_kept(t):
    """Frames that wait for a channel's answer are forgotten once they are handled, also while others wait."""
    broker, owner, client = on_two_loops(t)
    owner.call(1, "queue.declare", queue="q")
    before = resident_bytes(broker)
    question = encode(1, "queue.declare", queue="q", passive=True, arguments={"x": "y" * 60000})
    for _ in range(40):
        client.send_raw(question * 100)
        while select.select([client.socket], [], [], 0)[0]:
            client.socket.recv(1 << 18)
    check_growth(broker, before, 100e6)


@limit(60)
def test_replies_to_one_that_does_not_read(t):
    """Direct reply-to: replies to a requester that does not read are dropped in the end."""
    broker = t.shuntd()
    requester, server = t.wire_to(broker), t.wire_to(broker)
    server.call(1, "queue.declare", queue="requests")
    requester.call(1, "basic.consume", queue="amq.rabbitmq.reply-to", no_ack=True)
    requester.publish(1, "", "requests", b"?", {"reply_to": "amq.rabbitmq.reply-to"})
    while True:
        request = server.get(1, "requests")
        if request:
            break
    before = resident_bytes(broker)
    sent_until_refused(server, encode_publish(1, "", request.properties["reply_to"], bytes(100000)), 400e6)
    server.expect_quiet(1)
    check_growth(broker, before, 200e6)


@limit(40)
def test_memory_alarm_heeds_transactions(t):
    """What a transaction keeps counts, and its publisher is blocked."""
    client = t.wire_to(t.shuntd("vm_memory_high_watermark.absolute=40MB"))
    client.call(1, "tx.select")
    sent = sent_until_refused(client, encode_publish(1, "", "q", bytes(100000)), 300e6)
    assert sent < 300e6, "300 MB went in with a limit of 40 MB"
    client.read_method("connection.blocked", channel=0)


@limit(40)
def test_memory_alarm_heeds_bodies_that_are_not_complete(t):
    """A publisher is blocked in the midst of its bodies, too."""
    client = t.wire_to(t.shuntd("vm_memory_high_watermark.absolute=40MB"))
    frames = []
    for channel in range(2, 202):
        client.open_channel(channel)
        frames += [encode(channel, "basic.publish", routing_key="q"),
                   wire.encode_frame(wire.HEADER, channel, wire.encode_content_header(2000000))]
        frames += [wire.encode_frame(wire.BODY, channel, bytes(100000))] * 15
    everything = b"".join(frames)
    sent = sent_until_refused(client, everything, len(everything))
    assert sent < len(everything), "%d MB went in with a limit of 40 MB" % (len(everything) / 1e6)
    client.read_method("connection.blocked", channel=0)


def test_frames_behind_a_close_that_had_to_wait(t):
    """queue.declare, channel.close, channel.open in one go: the channel is opened again, wherever the queue is."""
    _, owner, client = on_two_loops(t)
    owner.call(1, "queue.declare", queue="q")
    client.send_raw(encode(1, "queue.declare", queue="q", passive=True) +
                    encode(1, "channel.close", reply_code=200) + encode(1, "channel.open") +
                    encode(1, "queue.declare", queue="q", passive=True) + encode(1, "channel.flow", active=True))
    for method in ("queue.declare-ok", "channel.close-ok", "channel.open-ok", "queue.declare-ok", "channel.flow-ok"):
        client.read_method(method, channel=1)


@limit(40)
def test_frames_behind_answers_that_are_not_read(t):
    """The broker stops handling frames while its answers are not taken; then it goes on, in order, and forgets none."""
    _, owner, client = on_two_loops(t)
    owner.call(1, "queue.declare", queue="far")
    client.call(1, "queue.declare", queue="near")
    for _ in range(420):
        owner.publish(1, "", "near", bytes(100000))
    owner.expect_quiet(1, "near")
    get = encode(1, "basic.get", queue="near", no_ack=True)
    ask = encode(1, "queue.declare", queue="near", passive=True)
    client.send_raw(encode(1, "queue.declare", queue="far", passive=True) + get * 300 +
                    encode(1, "channel.close", reply_code=200) + encode(1, "channel.open") + ask * 3 + get * 20)
    t.wait(lambda: owner.call(1, "queue.declare", queue="near", passive=True).message_count < 400, "the first gets")
    client.send_raw(ask + get * 100 + ask + encode(0, "connection.close", reply_code=200))
    got = []
    while not got or got[-1] != "connection.close-ok":
        method = client.read_method()
        got.append(method.name)
        if method.name == "basic.get-ok":
            client.read_content(method)
    assert got == (["queue.declare-ok"] + ["basic.get-ok"] * 300 + ["channel.close-ok", "channel.open-ok"] +
                   ["queue.declare-ok"] * 3 + ["basic.get-ok"] * 20 + ["queue.declare-ok"] + ["basic.get-ok"] * 100 +
                   ["queue.declare-ok", "connection.close-ok"]), got


def test_frames_behind_a_method_that_fails(t):
    """The channel's end by an error does not swallow the client's channel.close, nor what comes after close-ok."""
    _, owner, client = on_two_loops(t)
    owner.call(1, "queue.declare", queue="q")
    client.send_raw(encode(1, "queue.declare", queue="q", passive=True) +
                    encode(1, "basic.ack", delivery_tag=7) + encode(1, "basic.qos", prefetch_count=1) +
                    encode(1, "channel.close", reply_code=200) + encode(1, "channel.close-ok") +
                    encode(1, "channel.open") + encode(1, "channel.flow", active=True))
    client.read_method("queue.declare-ok", channel=1)
    wire.check_close(client.read_method("channel.close", channel=1), 406, None, "basic.ack")
    for method in ("channel.close-ok", "channel.open-ok", "channel.flow-ok"):
        client.read_method(method, channel=1)


def test_close_behind_a_question_that_is_refused(t):
    """As above, but it is the method that waits which fails."""
    _, owner, client = on_two_loops(t)
    owner.call(1, "queue.declare", queue="q")
    owner.call(1, "basic.consume", queue="q", exclusive=True)
    client.send_raw(encode(1, "basic.consume", queue="q") + encode(1, "channel.close", reply_code=200) +
                    encode(1, "channel.close-ok") + encode(1, "channel.open"))
    wire.check_close(client.read_method("channel.close", channel=1), 403, None, "basic.consume")
    for method in ("channel.close-ok", "channel.open-ok"):
        client.read_method(method, channel=1)


def test_publishes_behind_a_question_and_connection_close(t):
    """All in one go: the queue gets what was published, and close-ok comes last."""
    owner, client = on_two_loops(t)[1:] if t.shunt else (t.wire(), t.wire())
    queue = t.name("q")
    owner.call(1, "queue.declare", queue=queue)
    client.send_raw(encode(1, "queue.declare", queue=queue, passive=True) +
                    b"".join(encode_publish(1, "", queue, b"m") for _ in range(10)) +
                    encode(0, "connection.close", reply_code=200))
    client.read_method("queue.declare-ok", channel=1)
    client.read_method("connection.close-ok", channel=0)
    t.wait(lambda: owner.call(1, "queue.declare", queue=queue, passive=True).message_count == 10, "ten messages")


def test_frame_that_is_too_large_gets_its_answer(t):
    """The client goes on writing its frame for a while; it can still read why the connection is closed."""
    client = t.wire(frame_max=4096)
    frame = wire.encode_frame(wire.HEADER, 1, bytes(8000000))
    client.socket.setblocking(False)
    while frame and select.select([], [client.socket], [], 2)[1]:
        try:
            frame = frame[client.socket.send(frame):]
        except BlockingIOError:   # over TLS a record may not fit where the socket takes something
            continue
    client.socket.settimeout(client.limit)
    wire.check_close(client.read_method("connection.close", channel=0), 501, re.compile("^FRAME_ERROR - "), 0)
    client.expect_end_of_stream()


def test_confirms_come_before_the_close_of_their_channel(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "confirm.select")
    client.send_raw(encode_publish(1, "", queue, b"1") + encode_publish(1, "", queue, b"2") +
                    encode_publish(1, t.name("none"), queue, b"3"))
    answer = client.read_method(channel=1)
    tags = []
    while answer.name == "basic.ack":
        tags.append((answer.delivery_tag, answer.multiple))
        answer = client.read_method(channel=1)
    wire.check_close(answer, 404, None, "basic.publish")
    if t.shunt:
        assert tags == [(2, True)], tags


def test_confirms_come_before_the_close_for_a_bad_header(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "confirm.select")
    client.send_raw(encode_publish(1, "", queue, b"1") +
                    encode_publish(1, "", queue, b"2", {"expiration": "soon"}))
    if t.shunt:
        assert client.read_method("basic.ack", channel=1).delivery_tag == 1
    answer = client.read_method(channel=1)
    while answer.name == "basic.ack":
        answer = client.read_method(channel=1)
    wire.check_close(answer, 406, None, "basic.publish")


def test_loopback_users_none_with_several(t):
    if not hasattr(t.broker, "shuntd"):
        raise Skip("needs a shuntd of its own")
    for users in (["guest"], ["guest", "bob"], ["bob", "guest", "eve"]):
        command = [t.broker.shuntd, "--check-config", "-o", "plugins.dir=%s" % t.broker.plugins]
        for user in users:
            command += ["-o", "loopback_users.%s=true" % user]
        done = subprocess.run(command + ["-o", "loopback_users=none"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=15, check=False)
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")


def test_recover_is_no_part_of_a_transaction(t):
    """It requeues at once what is unacknowledged, but for what the transaction has acknowledged."""
    client = t.wire()
    queue = t.wire_queue(client)
    for body in (b"1", b"2"):
        client.publish(1, "", queue, body)
    client.call(1, "tx.select")
    first = client.get(1, queue, no_ack=False)
    second = client.get(1, queue, no_ack=False)
    assert (first.body, second.body) == (b"1", b"2")
    client.send(1, "basic.ack", delivery_tag=first.method.delivery_tag)
    client.call(1, "basic.recover", requeue=True)
    again = client.get(1, queue, no_ack=False)
    assert again is not None and again.body == b"2" and again.method.redelivered
    assert client.get(1, queue) is None
    client.call(1, "tx.commit")
    assert client.get(1, queue) is None


def test_second_reply_consumer_of_the_same_tag(t):
    client = t.wire()
    client.call(1, "basic.consume", queue="amq.rabbitmq.reply-to", consumer_tag="t", no_ack=True)
    client.send(1, "basic.consume", queue="amq.rabbitmq.reply-to", consumer_tag="t", no_ack=True)
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - reply consumer already set", "basic.consume")


def test_tag_of_a_reply_consumer_may_hold_anything(t):
    """Also a NUL."""
    for tag in ("a\0b", "\0"):
        client = t.wire()
        queue = t.wire_queue(client)
        client.call(1, "basic.consume", queue="amq.rabbitmq.reply-to", consumer_tag=tag, no_ack=True)
        client.publish(1, "", queue, b"?", {"reply_to": "amq.rabbitmq.reply-to"})
        request = client.get(1, queue)
        client.publish(1, "", request.properties["reply_to"], b"!")
        reply = client.read_message()
        assert (reply.method.consumer_tag, reply.body) == (tag, b"!"), reply
        client.close()


def test_sighup_keeps_the_options(t):
    """What was said by -o comes after the file, also when that is read again."""
    if not hasattr(t.broker, "shuntd"):
        raise Skip("needs a shuntd of its own")
    path = "/tmp/shunt-interop-%s.conf" % t.prefix
    with open(path, "w", encoding="ascii") as f:
        f.write("log.level = info\n")
    t.cleanup(lambda: os.unlink(path))
    broker = t.shuntd("vm_memory_high_watermark.absolute=40MB", wrapper=[
        "/bin/sh", "-c", 'shuntd=$1; shift; exec "$shuntd" -c "$0" "$@"', path])
    client = t.wire_to(broker)
    broker.process.send_signal(signal.SIGHUP)
    t.wait(lambda: "configuration reloaded" in broker.log_tail(), "the configuration")
    client.call(1, "tx.select")   # what a transaction keeps stays in memory
    assert sent_until_refused(client, encode_publish(1, "", "q", bytes(100000)), 300e6) < 300e6
