# SPDX-License-Identifier: MIT
"""kombu on py-amqp: what Celery, Nova and others stand on. (kombu's other AMQP transport, librabbitmq, is not in Debian.)"""

import importlib.util
import logging
import socket
import ssl
import threading

from lib.runner import limit

# py-amqp warns of the basic.cancel that comes when the queues are deleted under its consumers, after the test
logging.getLogger("amqp").addHandler(logging.NullHandler())


def available():
    return None if importlib.util.find_spec("kombu") else "kombu is not installed"


def connection_of(t, password=None, **options):
    import kombu
    authority = t.broker.authority
    return kombu.Connection(hostname=t.broker.host, port=t.broker.port, userid=t.broker.user,
                            password=password or t.broker.password, virtual_host=t.broker.vhost, transport="pyamqp",
                            connect_timeout=30, ssl=authority.kombu_options() if authority else False, **options)


def connect(t, **options):
    connection = connection_of(t, **options)
    connection.connect()
    t.cleanup(connection.release)
    return connection


def drained(t, connection, messages, count):
    """Events of the connection until there are so many messages in the list."""
    while len(messages) < count:
        connection.drain_events(timeout=t.limit)
    return messages


def test_producer_and_consumer(t):
    import kombu
    connection = connect(t)
    exchange = kombu.Exchange(t.name("media"), "direct", durable=True)
    queue = kombu.Queue(t.name("video"), exchange=exchange, routing_key="video")
    got = []
    with connection.Consumer(queue, callbacks=[lambda body, message: (got.append((body, message)), message.ack())]):
        producer = connection.Producer(serializer="json")
        producer.publish({"name": "/tmp/lolcat1.avi", "size": 1301013}, exchange=exchange, routing_key="video",
                         declare=[queue])
        (body, message), = drained(t, connection, got, 1)
    assert body == {"name": "/tmp/lolcat1.avi", "size": 1301013}
    assert message.content_type == "application/json" and message.properties["delivery_mode"] == 2


def test_serializers_and_compression(t):
    connection = connect(t)
    queue = connection.SimpleQueue(t.name("q"), no_ack=True, serializer="json")
    queue.consumer.accept = {"application/json", "application/x-python-serialize", "application/data"}
    for serializer, compression in (("json", None), ("pickle", None), ("json", "gzip"), ("json", "bzip2"),
                                    ("raw", "zlib")):
        body = b"\0\xff" * 5000 if serializer == "raw" else {"numbers": list(range(2000)), "text": "ä€"}
        queue.put(body, serializer=serializer, compression=compression)
        message = queue.get(timeout=30)
        assert message.payload == body, (serializer, compression)
        assert ("compression" in message.headers) == bool(compression)
    queue.close()


def test_simple_queue(t):
    connection = connect(t)
    queue = connection.SimpleQueue(t.name("simple"))
    for number in range(20):
        queue.put({"n": number})
    t.wait(lambda: queue.qsize() == 20, "20 messages")
    for number in range(10):
        message = queue.get(timeout=30)
        assert message.payload == {"n": number}
        message.ack()
    message = queue.get(timeout=30)
    message.requeue()
    again = queue.get(timeout=30)
    while not again.delivery_info["redelivered"]:   # prefetched ones come first
        again.ack()
        again = queue.get(timeout=30)
    assert again.payload == {"n": 10}
    queue.clear()
    queue.close()


def test_simple_buffer(t):
    connection = connect(t)
    buffer = connection.SimpleBuffer(t.name("buffer"))
    buffer.put("gone when read")
    assert buffer.get(timeout=30).payload == "gone when read"
    try:
        buffer.get(block=False)
        raise AssertionError("the buffer is not empty")
    except buffer.Empty:
        pass
    buffer.close()


def test_drain_events_times_out(t):
    connection = connect(t)
    connection.default_channel.queue_declare(t.name("q"), exclusive=True)
    try:
        connection.drain_events(timeout=0.1)
        raise AssertionError("an event out of nothing")
    except socket.timeout:
        pass
    assert connection.default_channel.is_open


def test_confirms_and_mandatory(t):
    connection = connect(t, transport_options={"confirm_publish": True})
    channel = connection.channel()
    queue = channel.queue_declare(exclusive=True).queue
    producer = connection.Producer(channel)
    for number in range(200):
        producer.publish(number, routing_key=queue, timeout=30)
    assert channel.queue_declare(queue, passive=True).message_count == 200
    returned = []
    producer = connection.Producer(channel, on_return=lambda error, *rest: returned.append(error))
    producer.publish("nobody", routing_key=t.name("nowhere"), mandatory=True, timeout=30)
    error, = returned
    assert error.reply_code == 312 and error.reply_text == "NO_ROUTE"


def test_ack_reject_requeue(t):
    import kombu
    connection = connect(t)
    queue = kombu.Queue(t.name("q"), exclusive=True)
    got = []
    producer = connection.Producer()
    with connection.Consumer(queue, callbacks=[lambda body, message: got.append(message)], prefetch_count=3):
        for number in range(6):
            producer.publish(number, routing_key=queue.name)
        first = drained(t, connection, got, 3)[:3]
        assert [m.payload for m in first] == [0, 1, 2]
        first[0].ack()
        first[1].reject()
        first[2].requeue()
        # the requeued one stands at the head again
        again = drained(t, connection, got, 6)[3:]
        assert sorted(m.payload for m in again) == [2, 3, 4]
        assert [m.delivery_info["redelivered"] for m in again if m.payload == 2] == [True]
        again[-1].ack(multiple=True)
        assert drained(t, connection, got, 7)[6].payload == 5


def test_changed_prefetch_holds_at_once(t):
    """What Celery does with a worker's prefetch; kombu decides by the broker's name with which flag."""
    import kombu
    connection = connect(t)
    queue = kombu.Queue(t.name("q"), exclusive=True)
    got = []
    at_once = dict(apply_global=not connection.qos_semantics_matches_spec)
    channel = connection.default_channel
    channel.basic_qos(0, 1, at_once["apply_global"])
    with connection.Consumer(queue, callbacks=[lambda body, message: got.append(message)]) as consumer:
        for number in range(10):
            connection.Producer().publish(number, routing_key=queue.name)

        def waiting():
            return channel.queue_declare(queue.name, passive=True).message_count
        drained(t, connection, got, 1)
        t.wait(lambda: waiting() == 9, "the rest to wait")
        consumer.qos(prefetch_count=4, **at_once)
        drained(t, connection, got, 4)
        assert waiting() == 6
        consumer.qos(prefetch_count=2, **at_once)
        for message in got[:2]:
            message.ack()
        assert waiting() == 6 and len(got) == 4     # two are out, as many as may be
        got[2].ack()
        drained(t, connection, got, 5)
        assert waiting() == 5
        consumer.qos(prefetch_count=0, **at_once)
        drained(t, connection, got, 10)


@limit(30)
def test_fanout_broadcast(t):
    import kombu
    from kombu.common import Broadcast
    connection = connect(t)
    name = t.name("broadcast")
    boxes = []
    consumers = []
    for number in range(3):
        own, box = connect(t), []
        consumer = own.Consumer(Broadcast(name, queue=t.name("bcast%d" % number)), no_ack=True,
                                callbacks=[lambda body, message, box=box: box.append(body)])
        consumer.consume()
        consumers.append(consumer)
        boxes.append((own, box))
    connection.Producer().publish("to all", exchange=kombu.Exchange(name, "fanout"), serializer="json")
    for own, box in boxes:
        assert drained(t, own, box, 1) == ["to all"]


@limit(30)
def test_pidbox(t):
    """kombu's mailbox: what `celery inspect` and `celery control` stand on."""
    from kombu import pidbox
    namespace = t.name("box")
    mailbox = pidbox.Mailbox(namespace, type="fanout")
    stop = threading.Event()
    nodes = []
    for host in ("one", "two"):
        connection = connect(t)
        node = mailbox(connection).Node(host, channel=connection.channel())
        node.handlers["who"] = lambda state, host=host, **_: {"host": host}
        node.listen(callback=node.handle_message)
        nodes.append((node, connection))

    def serve(connection):
        while not stop.is_set():
            try:
                connection.drain_events(timeout=0.2)
            except socket.timeout:
                pass
    threads = [threading.Thread(target=serve, args=(c,), daemon=True) for _, c in nodes]
    for thread in threads:
        thread.start()
    try:
        asking = mailbox(connect(t))
        answers = asking.multi_call("who", timeout=30, limit=2)
        assert sorted(next(iter(a.values()))["host"] for a in answers) == ["one", "two"]
        answers = asking._broadcast("who", reply=True, destination=["two"], timeout=30, limit=1)
        assert answers == [{"two": {"host": "two"}}]
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    for exchange in (namespace + ".pidbox", "reply.%s.pidbox" % namespace):
        t.owns(exchange)


def test_topic_headers_and_bindings(t):
    import kombu
    connection = connect(t)
    channel = connection.channel()
    topic = kombu.Exchange(t.name("topic"), "topic", channel=channel, auto_delete=True)
    headers = kombu.Exchange(t.name("headers"), "headers", channel=channel)
    topic.declare()
    headers.declare()
    queue = kombu.Queue(t.name("q"), exclusive=True, channel=channel, bindings=[
        kombu.binding(topic, "stock.*.nyse"), kombu.binding(headers, arguments={"x-match": "all", "level": 3})])
    queue.declare()
    producer = connection.Producer(channel)
    producer.publish("1", exchange=topic, routing_key="stock.ibm.nyse")
    producer.publish("no", exchange=topic, routing_key="stock.ibm.xetra")
    producer.publish("2", exchange=headers, headers={"level": 3, "more": True})
    producer.publish("no", exchange=headers, headers={"level": "3"})
    producer.publish("3", exchange="", routing_key=queue.name)
    messages = []
    while len(messages) < 3:
        message = queue.get(no_ack=True)
        if message:
            messages.append(message.payload)
    assert messages == ["1", "2", "3"]
    assert queue.purge() == 0


def test_queue_arguments(t):
    import kombu
    connection = connect(t)
    channel = connection.channel()
    queue = kombu.Queue(t.name("q"), channel=channel, expires=60.0, message_ttl=0.1, durable=False)
    queue.declare()
    connection.Producer(channel).publish("brief", routing_key=queue.name, expiration=30)
    t.wait(lambda: channel.queue_declare(queue.name, passive=True).message_count == 0, "the message's end")
    assert queue.queue_arguments in (None, {})


def test_channel_error_and_recovery(t):
    connection = connect(t)
    channel = connection.channel()
    missing = t.name("missing")
    try:
        channel.queue_declare(missing, passive=True)
        raise AssertionError("a queue that does not exist was found")
    except connection.channel_errors as error:
        assert error.code == 404 and "NOT_FOUND - no queue '%s' in vhost '/'" % missing in str(error)
    revived = []

    def publish(channel_):
        channel_.queue_declare(missing, durable=False, auto_delete=True)
        return channel_.queue_declare(missing, passive=True).message_count
    connection.ensure_connection(max_retries=1)
    safe = connection.autoretry(lambda channel=None: publish(channel or connection.channel()), on_revive=revived.append)
    assert safe()[0] == 0


def test_ensure_reconnects_after_the_connection_is_lost(t):
    connection = connect(t)
    queue = t.name("q")
    producer = connection.Producer()
    publish = connection.ensure(producer, producer.publish, max_retries=3, interval_start=0, interval_step=0.1)
    channel = t.channel()
    channel.queue_declare(queue)
    publish("one", routing_key=queue)
    # below TLS, of which Python's own shutdown() would make an end without telling py-amqp
    socket.socket.shutdown(connection.connection.transport.sock, socket.SHUT_RDWR)
    publish("two", routing_key=queue)
    t.wait_counts(channel, queue, 2)


def test_connection_errors(t):
    refused = connection_of(t, password="wrong")
    try:
        refused.connect()
    except Exception as error:   # pylint: disable=broad-except
        assert "403" in str(error) and "ACCESS_REFUSED" in str(error), error
    else:
        raise AssertionError("the wrong password was right")
    finally:
        refused.release()


def test_distrust(t):
    t.distrust()
    try:
        connect(t)
        raise AssertionError("a stranger's certificate was as good")
    except ssl.SSLCertVerificationError:
        pass


def test_heartbeat_check(t):
    connection = connect(t, heartbeat=2)
    assert connection.get_heartbeat_interval() == 2
    for _ in range(12):
        connection.heartbeat_check(rate=8)
        try:
            connection.drain_events(timeout=0.25)
        except socket.timeout:
            pass
    assert connection.connected


def test_pools(t):
    from kombu.pools import connections, producers, reset
    connection = connect(t)
    queue = t.name("q")
    channel = t.channel()
    channel.queue_declare(queue)

    def publish():
        for number in range(20):
            with producers[connection].acquire(block=True) as producer:
                producer.publish(number, routing_key=queue, retry=True)
    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(t.limit)
    t.wait_counts(channel, queue, 80)
    connections[connection].force_close_all()
    reset()
