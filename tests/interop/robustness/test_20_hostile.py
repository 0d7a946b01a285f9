# SPDX-License-Identifier: MIT
"""Lengths that are lies, streams that break off, more connections than descriptors."""

import re
import resource
import socket
import struct

from lib import certificates, wire
from lib.runner import limit, slow
from lib.shuntctl import ctl
from lib.watch import (MiB, check_growth, cpu_seconds, descriptors, frames, publish_frames, reset, resident_bytes)

FRAME_ERROR = re.compile("^FRAME_ERROR - ")


# ---- Claims

def check_claim(t, data, code, on_channel=False, **tune):
    """The bytes get this exception, and cost nothing."""
    broker = t.shuntd()
    warm = t.wire_to(broker)   # what a first connection costs is not the question
    warm.call(1, "queue.declare", queue="q")
    warm.publish(1, "", "q", bytes(1000))
    before = resident_bytes(broker)
    for _ in range(20):
        client = t.wire_to(broker, **tune)
        client.send_raw(data)
        if on_channel:
            client.expect_channel_close(1, code)
            client.expect_quiet(client.open_channel(1))
        else:
            client.expect_connection_close(code)
        client.close_socket()
    check_growth(broker, before, MiB)
    assert warm.get(1, "q").body == bytes(1000)


def frame_head(kind, channel, size):
    return struct.pack(">BHI", kind, channel, size)


def test_frame_of_4_gib(t):
    check_claim(t, frame_head(wire.METHOD, 1, 0xffffffff) + bytes(100), 501)


def test_frame_of_2_gib_before_tune(t):
    broker = t.shuntd()
    before = resident_bytes(broker)
    for size in (0x7fffffff, 0xffffffff, 4097):
        client = t.socket_to(broker)
        client.send_protocol_header()
        client.read_method("connection.start")
        client.send_raw(frame_head(wire.METHOD, 0, size))
        client.expect_connection_close(501, FRAME_ERROR)
    check_growth(broker, before, MiB)


def content_header(size):
    return frames(1, "basic.publish", routing_key="q") + wire.encode_frame(
        wire.HEADER, 1, struct.pack(">HHQH", 60, 0, size, 0))


def test_body_of_2_to_the_63(t):
    check_claim(t, content_header(1 << 63), 406, on_channel=True)


def test_body_of_2_to_the_64(t):
    check_claim(t, content_header((1 << 64) - 1), 406, on_channel=True)


def test_body_just_above_the_limit(t):
    check_claim(t, content_header(134217729), 406, on_channel=True)


def test_bodies_announced_but_not_sent_cost_nothing(t):
    """200 channels announce 128 MiB each, which is allowed, and send nothing."""
    broker = t.shuntd()
    client = t.wire_to(broker)
    before = resident_bytes(broker)
    for channel in range(2, 202):
        client.open_channel(channel)
        client.send(channel, "basic.publish", routing_key="q")
        client.send_frame(wire.HEADER, channel, struct.pack(">HHQH", 60, 0, 134217728, 0))
    client.expect_quiet(1)
    check_growth(broker, before, 4 * MiB)
    # and they do not set the memory alarm
    other = t.wire_to(broker)
    other.call(1, "confirm.select")
    other.publish(1, "", "q", b"m")
    other.read_method("basic.ack")


def declare_with_arguments(raw):
    """A queue.declare whose arguments are these bytes, length included."""
    head = struct.pack(">HHH", 50, 10, 0) + wire.shortstr("q") + b"\0"
    return wire.encode_frame(wire.METHOD, 1, head + raw)


def test_table_of_4_gib(t):
    check_claim(t, declare_with_arguments(struct.pack(">I", 0xffffffff)), 501)


def test_string_of_4_gib_in_a_table(t):
    entry = wire.shortstr("x") + b"S" + struct.pack(">I", 0xffffffff)
    check_claim(t, declare_with_arguments(struct.pack(">I", len(entry)) + entry), 501)


def test_array_of_4_gib_in_a_table(t):
    entry = wire.shortstr("x") + b"A" + struct.pack(">I", 0xfffffff0)
    check_claim(t, declare_with_arguments(struct.pack(">I", len(entry)) + entry), 501)


def test_table_in_headers_longer_than_its_frame(t):
    properties = struct.pack(">HI", 1 << 13, 0xfffffff0)
    data = frames(1, "basic.publish", routing_key="q") + wire.encode_frame(
        wire.HEADER, 1, struct.pack(">HHQ", 60, 0, 0) + properties)
    broker = t.shuntd()
    client = t.wire_to(broker)   # the first login brings in pages of the libraries that hash
    before = resident_bytes(broker)
    client.send_raw(data)
    close = client.read_method("connection.close")
    assert close.reply_code in (501, 502), close
    check_growth(broker, before, MiB)


# ---- Streams that break off

def handshake_bytes():
    """All that a client sends till its channel is open, and a publish."""
    properties = {"product": "wire", "capabilities": {"connection.blocked": True}}
    return b"".join([
        wire.PROTOCOL_HEADER,
        frames(0, "connection.start-ok", client_properties=properties, mechanism="PLAIN",
               response=b"\0guest\0guest", locale="en_US"),
        frames(0, "connection.tune-ok", channel_max=2047, frame_max=131072, heartbeat=0),
        frames(0, "connection.open", virtual_host="/"),
        frames(1, "channel.open"),
        frames(1, "queue.declare", exclusive=True),
        publish_frames(1, "", "q", b"body"),
    ])


def connect_raw(broker):
    s = socket.create_connection((broker.host, broker.port), timeout=10)
    return broker.tls.wrap_socket(s, server_hostname=certificates.HOST) if broker.tls else s


def connections_are_gone(t, broker, most):
    """None is listed, and its descriptors are no more than that."""
    listed = ctl(t, "-q", "list_connections", "pid", broker=broker).split()
    return [word for word in listed if word != "pid"] == [] and descriptors(broker) <= most


def one_that_is_served(t, broker):
    """It came last, so all others have been accepted."""
    t.wire_to(broker).close()


@slow
@limit(60)
def test_2000_connections_that_break_off_at_every_byte(t):
    """Closed in turn by FIN and by RST; nothing of them is left."""
    broker = t.shuntd(loops=2)
    before = descriptors(broker)
    one_that_is_served(t, broker)
    t.wait(lambda: connections_are_gone(t, broker, before), "the end of the first")
    stream, memory = handshake_bytes(), resident_bytes(broker)
    for number in range(2000):
        with connect_raw(broker) as s:
            s.sendall(stream[:number % (len(stream) + 1)])
            if number % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one_that_is_served(t, broker)
    t.wait(lambda: connections_are_gone(t, broker, before), "the end of all, and %d descriptors" % before)
    listed = ctl(t, "-q", "list_queues", "name", broker=broker).split()
    assert [word for word in listed if word != "name"] == [], listed
    check_growth(broker, memory, 4 * MiB)
    t.wire_to(broker).expect_quiet(1)


@limit(40)
def test_connections_that_come_and_go_leave_no_memory(t):
    """500 times connect, declare, consume, publish without confirm, and die."""
    broker = t.shuntd(loops=2)

    def live_and_die():
        client = t.wire_to(broker)
        queue = client.call(1, "queue.declare", exclusive=True).queue
        client.call(1, "basic.consume", queue=queue)
        client.send_raw(publish_frames(1, "", queue, bytes(2000)) * 3)
        reset(client)
    before = descriptors(broker)
    for _ in range(100):
        live_and_die()
    one_that_is_served(t, broker)
    t.wait(lambda: connections_are_gone(t, broker, before), "the end of them")
    memory = resident_bytes(broker)
    for _ in range(400):
        live_and_die()
    one_that_is_served(t, broker)
    t.wait(lambda: connections_are_gone(t, broker, before), "the end of all, and %d descriptors" % before)
    check_growth(broker, memory, 4 * MiB)


# ---- Descriptors

@limit(40)
def test_out_of_descriptors_while_running(t):
    """Accepting rests, quietly and without burning time; connections go on; more descriptors, and it resumes."""
    broker = t.shuntd(loops=2)
    first = t.wire_to(broker)
    first.call(1, "queue.declare", queue="q", exclusive=True)
    usual = resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE)
    few = descriptors(broker) + 4
    resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (few, usual[1]))
    crowd = [t.knock(broker) for _ in range(40)]
    t.wait(lambda: "accepting connections rests" in broker.log_tail(400), "a line in the log")
    spent = cpu_seconds(broker)
    for _ in range(200):
        first.publish(1, "", "q", b"m")
        assert first.get(1, "q").body == b"m"
    assert cpu_seconds(broker) - spent < 5
    assert broker.log_tail(400).count("accepting connections rests") <= 3, broker.log_tail(400)
    resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, usual)
    for client in crowd:
        t.enter(client, broker)
    t.wait(lambda: "accepting connections goes on" in broker.log_tail(400), "a line in the log")


@limit(40)
def test_descriptor_that_is_given_back_is_used_at_once(t):
    broker = t.shuntd(loops=2)
    clients = [t.wire_to(broker) for _ in range(4)]
    usual = resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (descriptors(broker), usual[1]))
    waiting = t.knock(broker)
    t.wait(lambda: "accepting connections rests" in broker.log_tail(), "a line in the log")
    for client in clients:
        client.close()
    t.enter(waiting, broker)
