# SPDX-License-Identifier: MIT
"""Direct reply-to: RPC without a reply queue."""

import re
import threading

import pika

REPLY_TO = "amq.rabbitmq.reply-to"


def asking(t):
    """A client that listens on the pseudo queue."""
    client = t.wire()
    client.call(1, "basic.consume", queue=REPLY_TO, no_ack=True)
    return client


def test_request_and_reply(t):
    client, server = asking(t), t.wire()
    queue = t.wire_queue(server, exclusive=False)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO, "correlation_id": "7"})
    server.call(1, "basic.consume", queue=queue, no_ack=True)
    request = server.read_message()
    server.publish(1, "", request.properties["reply_to"], b"pong", {"correlation_id": "7"})
    reply = client.read_message()
    assert (reply.body, reply.properties) == (b"pong", {"correlation_id": "7"})
    assert reply.method.exchange == "" and reply.method.routing_key == request.properties["reply_to"]


def test_reply_to_is_rewritten_for_the_server(t):
    client, server = asking(t), t.wire()
    queue = t.wire_queue(server, exclusive=False)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO, "message_id": "m", "headers": {"a": 1}})
    server.call(1, "basic.consume", queue=queue, no_ack=True)
    properties = server.read_message().properties
    assert re.match(r"^amq\.rabbitmq\.reply-to\..{10,}", properties.pop("reply_to"))
    assert properties == {"message_id": "m", "headers": {"a": 1}}


def test_other_reply_to_is_not_rewritten(t):
    client = asking(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"ping", {"reply_to": "my-own-queue"})
    assert client.get(1, queue).properties == {"reply_to": "my-own-queue"}


def test_replies_from_another_channel_and_many_of_them(t):
    client = asking(t)
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO})
    reply_to = client.get(1, queue).properties["reply_to"]
    for number in range(100):
        client.publish(2, "", reply_to, b"%d" % number)
    assert [int(client.read_message(channel=1).body) for _ in range(100)] == list(range(100))


def test_same_name_for_all_requests_of_a_consumer(t):
    client = asking(t)
    queue = t.wire_queue(client)
    names = set()
    for _ in range(3):
        client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO})
        names.add(client.get(1, queue).properties["reply_to"])
    assert len(names) == 1


def test_reply_to_a_gone_client_is_dropped(t):
    client, server = asking(t), t.wire()
    queue = t.wire_queue(server, exclusive=False)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO})
    client.expect_quiet(1)
    server.call(1, "basic.consume", queue=queue, no_ack=True)
    reply_to = server.read_message().properties["reply_to"]
    client.close()
    server.publish(1, "", reply_to, b"pong")
    server.expect_quiet(1)


def test_declare_of_a_live_reply_name_tells_that_it_is_there(t):
    """A server may look whether the client still waits."""
    client = asking(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO})
    reply_to = client.get(1, queue).properties["reply_to"]
    server = t.wire()
    answer = server.call(1, "queue.declare", queue=reply_to, passive=True)
    assert (answer.queue, answer.message_count, answer.consumer_count) == (reply_to, 0, 1)


def test_declare_of_a_dead_reply_name_is_404(t):
    client = asking(t)
    client.open_channel(2)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO})
    reply_to = client.get(1, queue).properties["reply_to"]
    client.call(1, "channel.close", reply_code=200)
    client.send(2, "queue.declare", queue=reply_to, passive=True)
    client.expect_channel_close(2, 404, method="queue.declare")


def test_declare_of_the_pseudo_queue_is_answered(t):
    answer = t.wire().call(1, "queue.declare", queue=REPLY_TO)
    assert answer.queue == REPLY_TO


def test_consuming_with_ack_is_406(t):
    client = t.wire()
    client.send(1, "basic.consume", queue=REPLY_TO)
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", "basic.consume")


def test_second_reply_consumer_on_a_channel_is_406(t):
    client = asking(t)
    client.send(1, "basic.consume", queue=REPLY_TO, no_ack=True)
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - reply consumer already set", "basic.consume")


def test_request_without_a_reply_consumer_is_406(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO})
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - fast reply consumer does not exist", "basic.publish")


def test_cancelled_reply_consumer_is_gone(t):
    client = t.wire()
    client.call(1, "basic.consume", queue=REPLY_TO, no_ack=True, consumer_tag="mine")
    client.call(1, "basic.cancel", consumer_tag="mine")
    client.call(1, "basic.consume", queue=REPLY_TO, no_ack=True, consumer_tag="mine")


def test_forged_reply_name_reaches_nobody(t):
    """RabbitMQ 3.x closes the connection of the forger with 541, or drops the message."""
    client = asking(t)
    queue = t.wire_queue(client)
    client.publish(1, "", queue, b"ping", {"reply_to": REPLY_TO})
    reply_to = client.get(1, queue).properties["reply_to"]
    for forged in (reply_to[:-2] + ("AA" if reply_to[-2:] != "AA" else "BB"), REPLY_TO + ".", REPLY_TO + ".x",
                   REPLY_TO + ".x.y", reply_to[:len(reply_to) // 2], reply_to + "x"):
        server = t.wire()
        server.publish(1, "", forged, b"forged")
        server.send(1, "channel.flow", active=True)
        answer = server.read_method("channel.flow-ok", *(["connection.close"] if t.rabbit3 else []))
        assert answer.name == "channel.flow-ok" or answer.reply_code == 541, answer
    client.publish(1, "", reply_to, b"last")
    assert client.read_message().body == b"last"


def test_rpc_in_pika(t):
    """As in pika's own example, with the server in a thread."""
    queue = t.name("q")
    server_channel = t.connect().channel()
    server_channel.queue_declare(queue)

    def on_request(channel, _method, properties, body):
        channel.basic_publish("", properties.reply_to, body.upper())
        channel.stop_consuming()
    server_channel.basic_consume(queue, on_request, auto_ack=True)
    thread = threading.Thread(target=server_channel.start_consuming, daemon=True)
    thread.start()
    channel = t.channel()
    replies = []
    channel.basic_consume(REPLY_TO, lambda *a: replies.append(a[3]), auto_ack=True)
    channel.basic_publish("", queue, b"hello", pika.BasicProperties(reply_to=REPLY_TO))
    t.wait(lambda: channel.connection.process_data_events(0.02) or replies, "the reply")
    assert replies == [b"HELLO"]
    thread.join(5)
