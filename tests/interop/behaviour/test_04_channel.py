# SPDX-License-Identifier: MIT
"""Channels: open, close, flow, and what an error on one leaves alone."""

import re

from lib import wire


def missing(t, queue):
    return "NOT_FOUND - no queue '%s' in vhost '%s'" % (queue, t.broker.vhost)


def test_open_ok_has_an_empty_reserved_field(t):
    client = t.wire()
    assert client.call(2, "channel.open").reserved_1 == b""


def test_second_open_is_504(t):
    client = t.wire()
    client.send(1, "channel.open")
    client.expect_connection_close(504, "CHANNEL_ERROR - second 'channel.open' seen", "channel.open")


def test_use_before_open_is_504(t):
    client = t.wire()
    client.send(2, "queue.declare", queue="x")
    client.expect_connection_close(504, "CHANNEL_ERROR - expected 'channel.open'", "queue.declare")


def test_use_after_close_is_504(t):
    client = t.wire()
    client.call(1, "channel.close", reply_code=200)
    client.send(1, "basic.qos", prefetch_count=1)
    client.expect_connection_close(504, "CHANNEL_ERROR - expected 'channel.open'", "basic.qos")


def test_close_by_the_client_is_answered(t):
    client = t.wire()
    client.call(1, "channel.close", reply_code=200, reply_text="done")


def test_number_may_be_used_again_after_close(t):
    client = t.wire()
    for _ in range(5):
        client.call(1, "channel.close", reply_code=200)
        client.open_channel(1)


def test_number_may_be_used_again_after_an_error(t):
    client = t.wire()
    for _ in range(5):
        client.send(1, "queue.declare", queue="none." + t.prefix, passive=True)
        client.expect_channel_close(1, 404, missing(t, "none." + t.prefix), "queue.declare")
        client.open_channel(1)
    client.expect_quiet(1)


def test_methods_after_an_error_are_ignored_until_close_ok(t):
    client = t.wire()
    queue = t.name("q")
    client.send(1, "queue.declare", queue="none." + t.prefix, passive=True)
    client.send(1, "queue.declare", queue=queue)
    client.publish(1, "", queue, b"ignored")
    client.expect_channel_close(1, 404)
    client.open_channel(1)
    client.send(1, "queue.declare", queue=queue, passive=True)
    client.expect_channel_close(1, 404, missing(t, queue))


def test_channel_close_that_crosses_an_error_is_answered(t):
    """Client and broker close at the same time: both closes get their close-ok."""
    client = t.wire()
    client.send(1, "queue.declare", queue="none." + t.prefix, passive=True)
    client.send(1, "channel.close", reply_code=200)
    client.read_method("channel.close", channel=1)
    client.read_method("channel.close-ok", channel=1)
    client.send(1, "channel.close-ok")
    client.open_channel(1)


def test_error_on_one_channel_leaves_the_others_alone(t):
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client, 2)
    client.send(1, "queue.declare", queue="none." + t.prefix, passive=True)
    client.expect_channel_close(1, 404)
    client.publish(2, "", queue, b"alive")
    assert client.get(2, queue).body == b"alive"


def test_consumers_end_with_their_channel(t):
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.call(2, "basic.consume", queue=queue)
    assert client.call(1, "queue.declare", queue=queue, passive=True).consumer_count == 1
    client.call(2, "channel.close", reply_code=200)
    assert client.call(1, "queue.declare", queue=queue, passive=True).consumer_count == 0


def test_exclusive_queues_outlive_their_channel(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "channel.close", reply_code=200)
    client.open_channel(2)
    client.call(2, "queue.declare", queue=queue, passive=True)


def test_flow_true_is_answered(t):
    client = t.wire()
    assert client.call(1, "channel.flow", active=True).active is True


def test_flow_false_is_540(t):
    client = t.wire()
    client.send(1, "channel.flow", active=False)
    client.expect_connection_close(540, "NOT_IMPLEMENTED - active=false", "channel.flow")


def test_access_request_gets_ticket_1(t):
    client = t.wire()
    client.send(1, "access.request", realm="/data", passive=True, active=True, write=True, read=True)
    assert client.read_method("access.request-ok").ticket == 1


def test_highest_channel_number(t):
    client = t.wire()
    client.open_channel(65535)
    queue = t.wire_queue(client, 65535)
    client.publish(65535, "", queue, b"m")
    assert client.get(65535, queue).body == b"m"


def test_methods_of_channels_interleave(t):
    """Content of two channels may be mixed frame by frame."""
    client = t.wire()
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.send(1, "basic.publish", routing_key=queue)
    client.send(2, "basic.publish", routing_key=queue)
    client.send_frame(wire.HEADER, 2, wire.encode_content_header(4))
    client.send_frame(wire.HEADER, 1, wire.encode_content_header(4))
    client.send_frame(wire.BODY, 1, b"on")
    client.send_frame(wire.BODY, 2, b"tw")
    client.send_frame(wire.BODY, 1, b"e1")
    client.send_frame(wire.BODY, 2, b"o2")
    client.expect_quiet(2)
    assert {client.get(1, queue).body, client.get(1, queue).body} == {b"one1", b"two2"}


def test_closing_a_channel_in_the_midst_of_content_is_505(t):
    client = t.wire()
    client.send(1, "basic.publish", routing_key="nowhere")
    client.send_frame(wire.HEADER, 1, wire.encode_content_header(10))
    client.send_frame(wire.BODY, 1, b"half")
    client.send(1, "channel.close", reply_code=200)
    client.expect_connection_close(505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
                                   "basic.publish")


def test_close_of_a_channel_never_opened_is_504(t):
    for method in ("channel.close", "channel.close-ok"):
        client = t.wire()
        client.send(9, method)
        client.expect_connection_close(504, "CHANNEL_ERROR - expected 'channel.open'", method)


def test_close_ok_or_flow_ok_that_nobody_asked_for_is_503(t):
    for method in ("channel.close-ok", "channel.flow-ok", "channel.open-ok"):
        client = t.wire()
        client.send(1, method)
        client.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", method)


def test_error_reply_names_class_and_method(t):
    client = t.wire()
    client.send(1, "basic.get", queue="none." + t.prefix)
    client.expect_channel_close(1, 404, missing(t, "none." + t.prefix), "basic.get")


def test_channel_error_in_pika(t):
    channel = t.channel()
    with t.channel_closed(404, missing(t, "none." + t.prefix)):
        channel.queue_declare("none." + t.prefix, passive=True)
    assert channel.is_closed and channel.connection.is_open
    channel.connection.channel()


def test_publish_error_closes_the_channel_asynchronously(t):
    client = t.wire()
    client.publish(1, "none." + t.prefix, "key", b"m")
    text = re.compile("^NOT_FOUND - no exchange 'none.%s' in vhost '%s'$" % (re.escape(t.prefix), t.broker.vhost))
    client.expect_channel_close(1, 404, text, "basic.publish")
