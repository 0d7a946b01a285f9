# SPDX-License-Identifier: MIT
"""Limits agreed on by connection.tune: frame_max, channel_max, heartbeat."""

import re
import time

from lib import wire
from lib.runner import slow


def started(t):
    client = t.socket()
    client.start(user=t.broker.user, password=t.broker.password)
    return client


def refused_tune(t, text, **tune):
    """RabbitMQ 3.10 closes the socket after 3 s without a frame; RabbitMQ 4 and Shunt say why."""
    client = started(t)
    client.tune(**tune)
    if t.rabbit3:
        client.send(0, "connection.open", virtual_host=t.broker.vhost)
        client.expect_end_of_stream()
    else:
        client.expect_connection_close(530, text, "connection.tune-ok")


def test_tune_offers_rabbitmqs_defaults(t):
    tune = started(t).read_method("connection.tune")
    assert (tune.channel_max, tune.frame_max, tune.heartbeat) == (2047, 131072, 60)


def test_frame_max_4096_is_accepted(t):
    t.wire(frame_max=4096)


def test_frame_max_8192_is_accepted(t):
    t.wire(frame_max=8192)


@slow
def test_frame_max_below_4096_is_530(t):
    refused_tune(t, "NOT_ALLOWED - negotiated frame_max = 4095 is lower than the minimum allowed value (4096)",
                 frame_max=4095)


@slow
def test_frame_max_above_the_offer_is_530(t):
    refused_tune(t, "NOT_ALLOWED - negotiated frame_max = 131073 is higher than the maximum allowed value (131072)",
                 frame_max=131073)


@slow
def test_frame_max_without_limit_is_530(t):
    refused_tune(t, "NOT_ALLOWED - negotiated frame_max = 0 (no limit) is higher than the maximum allowed value "
                    "(131072)", frame_max=0)


@slow
def test_channel_max_without_limit_is_530(t):
    refused_tune(t, "NOT_ALLOWED - negotiated channel_max = 0 (no limit) is higher than the maximum allowed value "
                    "(2047)", channel_max=0)


@slow
def test_channel_max_above_the_offer_is_530(t):
    refused_tune(t, "NOT_ALLOWED - negotiated channel_max = 2048 is higher than the maximum allowed value (2047)",
                 channel_max=2048)


def test_delivered_bodies_are_cut_by_the_consumers_frame_max(t):
    client = t.wire(frame_max=4096)
    queue = t.wire_queue(client)
    body = bytes(range(256)) * 40
    client.publish(1, "", queue, body)
    message = client.get(1, queue)
    assert message.body == body
    assert message.body_frames == [4088, 4088, 10240 - 2 * 4088], message.body_frames


def test_body_may_be_cut_smaller_than_frame_max(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "basic.publish", routing_key=queue)
    client.send_frame(wire.HEADER, 1, wire.encode_content_header(6))
    for part in (b"a", b"bc", b"def"):
        client.send_frame(wire.BODY, 1, part)
    message = client.get(1, queue)
    assert message.body == b"abcdef"
    assert message.body_frames == [6]


def test_empty_body_frames_between_are_tolerated(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "basic.publish", routing_key=queue)
    client.send_frame(wire.HEADER, 1, wire.encode_content_header(3))
    for part in (b"", b"a", b"", b"bc"):
        client.send_frame(wire.BODY, 1, part)
    assert client.get(1, queue).body == b"abc"


def test_frame_of_exactly_frame_max_is_accepted(t):
    client = t.wire(frame_max=4096)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"x" * 4088)
    assert client.get(1, queue).body == b"x" * 4088


def test_frame_above_frame_max_is_501(t):
    client = t.wire(frame_max=4096)
    client.send(1, "basic.publish", routing_key="nowhere")
    client.send_frame(wire.HEADER, 1, wire.encode_content_header(5000))
    client.send_frame(wire.BODY, 1, b"x" * 5000)
    client.expect_connection_close(501, re.compile("^FRAME_ERROR - "), 0)


def test_frame_with_a_huge_claimed_size_is_501_at_once(t):
    """The size alone is enough: nobody waits for 4 GiB."""
    client = t.wire()
    client.send_raw(b"\x03\x00\x01\xff\xff\xff\xff")
    client.expect_connection_close(501, re.compile("^FRAME_ERROR - "), 0)


def test_channel_max_limits_open_channels(t):
    client = t.wire(channel_max=2)
    client.open_channel(2)
    client.send(3, "channel.open")
    client.expect_connection_close(
        530, "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)")


def test_channel_max_counts_channels_not_their_numbers(t):
    client = t.wire(channel_max=2)
    client.open_channel(60000)


def test_closed_channel_no_longer_counts(t):
    client = t.wire(channel_max=1)
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(2)


def test_2047_channels_on_one_connection(t):
    client = t.wire()
    for number in range(2, 2048):
        client.send(number, "channel.open")
    opened = {client.read_method("channel.open-ok").channel for _ in range(2, 2048)}
    assert opened == set(range(2, 2048))


@slow
def test_server_sends_heartbeats(t):
    """At heartbeat=1 one comes within 2 s of silence."""
    client = t.wire(heartbeat=1)
    frame = client.read_frame(limit=2.5)
    assert frame == (wire.HEARTBEAT, 0, b""), frame


@slow
def test_silent_client_is_dropped_after_two_to_three_heartbeats(t):
    client = t.wire(heartbeat=1)
    begin = time.monotonic()
    client.expect_end_of_stream(limit=8)
    assert 1.5 < time.monotonic() - begin < 5, time.monotonic() - begin


@slow
def test_client_that_sends_heartbeats_stays(t):
    client = t.wire(heartbeat=1)
    _read_heartbeats(client, 8, lambda: client.send_frame(wire.HEARTBEAT, 0))
    client.expect_quiet(1)


@slow
def test_any_traffic_counts_as_heartbeat(t):
    client = t.wire(heartbeat=1)
    _read_heartbeats(client, 8, lambda: client.send(1, "basic.ack", delivery_tag=0, multiple=True))
    client.expect_quiet(1)


def _read_heartbeats(client, count, answer):
    """Answers each heartbeat of the server; at heartbeat=1 they come every half second."""
    for _ in range(count):
        frame = client.read_frame(limit=3)
        assert frame.type == wire.HEARTBEAT, frame
        answer()


def test_heartbeat_may_be_longer_than_offered(t):
    t.wire(heartbeat=600)


def test_heartbeat_at_any_time_is_accepted(t):
    client = t.wire(heartbeat=0)
    client.send_frame(wire.HEARTBEAT, 0)
    client.expect_quiet(1)


def test_heartbeat_on_another_channel_is_505(t):
    client = t.wire()
    client.send_frame(wire.HEARTBEAT, 1)
    client.expect_connection_close(505, re.compile("^UNEXPECTED_FRAME - "))


def test_heartbeat_between_header_and_body_is_accepted(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "basic.publish", routing_key=queue)
    client.send_frame(wire.HEARTBEAT, 0)
    client.send_frame(wire.HEADER, 1, wire.encode_content_header(3))
    client.send_frame(wire.HEARTBEAT, 0)
    client.send_frame(wire.BODY, 1, b"abc")
    assert client.get(1, queue).body == b"abc"


def test_frame_max_in_pika(t):
    channel = t.connect(frame_max=4096).channel()
    queue = t.queue(channel)
    body = b"0123456789" * 2000
    channel.basic_publish("", queue, body)
    assert t.get(channel, queue)[2] == body


def test_channel_max_in_pika(t):
    connection = t.connect(channel_max=3)
    numbers = [connection.channel().channel_number for _ in range(3)]
    assert numbers == [1, 2, 3]
