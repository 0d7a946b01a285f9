# SPDX-License-Identifier: MIT
"""An open connection: its close, methods out of place, its end without a word."""

import re
import select

import pika

from lib import wire


def test_close_is_answered_with_close_ok(t):
    client = t.wire()
    client.call(0, "connection.close", reply_code=200, reply_text="bye")


def test_socket_ends_after_close_ok(t):
    """The broker waits for the client to close first, but not for ever; we close, and it is gone."""
    client = t.wire()
    client.call(0, "connection.close", reply_code=200)
    client.socket.shutdown(1)
    client.expect_end_of_stream()


def test_client_ends_the_socket_first(t):
    """A client with a thread for reading takes the socket's end for a lost connection, if it comes with close-ok."""
    client = t.wire()
    client.call(0, "connection.close", reply_code=200)
    # long for what would leave in the same packet; the broker gives the client some seconds
    assert not select.select([client.socket], [], [], 0.3)[0], "the socket has ended"


def test_socket_ends_when_the_client_does_not_end_it(t):
    client = t.wire()
    client.call(0, "connection.close", reply_code=200)
    if t.shunt:   # RabbitMQ waits for half a minute
        client.expect_end_of_stream()


def test_methods_after_close_are_ignored(t):
    client = t.wire()
    client.send_raw(
        wire.encode_frame(wire.METHOD, 0, wire.encode_method("connection.close", reply_code=200)) +
        wire.encode_frame(wire.METHOD, 1, wire.encode_method("queue.declare", queue=t.name("q"))))
    client.read_method("connection.close-ok")
    client.socket.shutdown(1)
    client.expect_end_of_stream()


def test_frames_after_a_connection_error_are_ignored(t):
    client = t.wire()
    queue = t.name("q")
    client.send_raw(
        wire.encode_frame(wire.METHOD, 1, wire.encode_method("channel.open")) +
        wire.encode_frame(wire.METHOD, 1, wire.encode_method("queue.declare", queue=queue)))
    client.expect_connection_close(504, method="channel.open")
    other = t.wire()
    other.send(1, "queue.declare", queue=queue, passive=True)
    other.expect_channel_close(1, 404)


def test_exclusive_queues_are_gone_when_close_ok_arrives(t):
    """Another connection may use the name at once."""
    client, other = t.wire(), t.wire()
    for _ in range(20):
        queue = t.wire_queue(client)
        client.call(0, "connection.close", reply_code=200)
        other.send(1, "queue.declare", queue=queue, passive=True)
        other.expect_channel_close(1, 404, "NOT_FOUND - no queue '%s' in vhost '%s'" % (queue, t.broker.vhost))
        other.open_channel(1)
        client = t.wire()


def test_exclusive_queues_go_with_a_lost_connection(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.close_socket()
    channel = t.channel()

    def gone():
        probe = channel.connection.channel()
        try:
            probe.queue_declare(queue, passive=True)
        except pika.exceptions.ChannelClosedByBroker as error:
            return error.reply_code == 404
        probe.close()
        return False
    t.wait(gone, "the end of the queue")


def test_unacked_messages_of_a_lost_connection_return(t):
    channel = t.channel()
    queue = t.queue(channel, exclusive=False)
    channel.basic_publish("", queue, b"m")
    client = t.wire()
    client.call(1, "basic.consume", queue=queue)
    client.read_message()
    client.close_socket()
    method, _, body = t.get(channel, queue)
    assert (method.redelivered, body) == (True, b"m")


def out_of_place(t, method, **fields):
    client = t.wire()
    client.send(0, method, **fields)
    client.expect_connection_close(504, "CHANNEL_ERROR - unexpected method in connection state running", method)


def test_second_connection_open_is_504(t):
    out_of_place(t, "connection.open", virtual_host=t.broker.vhost)


def test_second_start_ok_is_504(t):
    out_of_place(t, "connection.start-ok", mechanism="PLAIN", response=b"\0guest\0guest", locale="en_US")


def test_second_tune_ok_is_504(t):
    out_of_place(t, "connection.tune-ok", channel_max=10, frame_max=8192)


def test_secure_ok_out_of_place_is_504(t):
    out_of_place(t, "connection.secure-ok", response=b"x")


def test_close_ok_out_of_place_is_504(t):
    out_of_place(t, "connection.close-ok")


def test_servers_connection_methods_from_the_client_are_504(t):
    for method in ("connection.start", "connection.tune", "connection.open-ok", "connection.blocked"):
        out_of_place(t, method)


def test_channel_methods_on_channel_0_are_504(t):
    for method in ("channel.open", "queue.declare", "basic.publish", "tx.select"):
        out_of_place(t, method)


def test_connection_methods_on_a_channel_are_503(t):
    for method in ("connection.open", "connection.close", "connection.tune-ok"):
        client = t.wire()
        client.send(1, method)
        client.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", method)


def test_close_with_open_consumers(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "basic.consume", queue=queue)
    client.call(0, "connection.close", reply_code=200)


def test_a_connections_error_leaves_others_alone(t):
    client, other = t.wire(), t.wire()
    client.send(1, "channel.open")
    client.expect_connection_close(504)
    other.expect_quiet(1)


def test_update_secret_is_answered(t):
    client = t.wire()
    client.send(0, "connection.update-secret", new_secret=t.broker.password, reason="rotation")
    client.read_method("connection.update-secret-ok")


def test_connection_close_in_pika_closes_its_channels(t):
    connection = t.connect()
    channel = connection.channel()
    connection.close()
    assert channel.is_closed and connection.is_closed


def test_error_texts_are_cut_to_255_bytes(t):
    client = t.wire()
    client.send(1, "queue.declare", queue="q" * 250, passive=True)
    close = client.expect_channel_close(1, 404, re.compile("^NOT_FOUND - no queue 'qqqqq"))
    assert len(close.reply_text.encode()) <= 255
