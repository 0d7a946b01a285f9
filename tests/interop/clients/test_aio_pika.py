# SPDX-License-Identifier: MIT
"""aio-pika (on aiormq and pamqp): asyncio programs."""

import asyncio
import importlib.util

from lib.proxy import Proxy
from lib.runner import limit


def available():
    return None if importlib.util.find_spec("aio_pika") else "aio-pika is not installed"


async def connect(t, robust=False, broker=None, **options):
    import aio_pika
    broker = broker or t.broker
    if t.broker.authority:
        options.update(ssl=True, ssl_context=t.broker.authority.context())
    make = aio_pika.connect_robust if robust else aio_pika.connect
    return await make(host=broker.host, port=broker.port, login=options.pop("login", broker.user),
                      password=options.pop("password", broker.password), virtualhost=t.broker.vhost, **options)


def run(t, scenario, **options):
    """scenario(connection) with a limit."""
    async def whole():
        connection = await connect(t, **options)
        try:
            await scenario(connection)
        finally:
            await connection.close()
    asyncio.run(asyncio.wait_for(whole(), t.limit))


def test_publish_with_confirm_and_iterate(t):
    import aio_pika

    async def scenario(connection):
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        queue = await channel.declare_queue(exclusive=True)
        for number in range(50):
            await channel.default_exchange.publish(
                aio_pika.Message(b"%d" % number, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), queue.name)
        got = []
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    got.append(int(message.body))
                if len(got) == 50:
                    break
        assert got == list(range(50))
    run(t, scenario)


def test_properties(t):
    import datetime

    import aio_pika

    async def scenario(connection):
        channel = await connection.channel()
        queue = await channel.declare_queue(t.name("q"), exclusive=True)
        sent = aio_pika.Message(
            b"{}", headers={"text": "ä", "number": 1 << 40, "flag": True, "list": [1, "two"], "table": {"a": 1.5}},
            content_type="application/json", content_encoding="utf-8", priority=3, correlation_id="c", reply_to="r",
            message_id="m", timestamp=datetime.datetime(2020, 1, 2, 3, 4, 5), type="kind", user_id=t.broker.user,
            app_id="suite", expiration=60)
        await channel.default_exchange.publish(sent, queue.name)
        got = await queue.get(timeout=30)
        await got.ack()
        for name in ("body", "headers", "content_type", "content_encoding", "priority", "correlation_id", "reply_to",
                     "message_id", "timestamp", "type", "user_id", "app_id", "expiration"):
            assert getattr(got, name) == getattr(sent, name), name
    run(t, scenario)


def test_unroutable_message_raises(t):
    import aio_pika

    async def scenario(connection):
        channel = await connection.channel(on_return_raises=True)
        try:
            await channel.default_exchange.publish(aio_pika.Message(b"x"), t.name("nowhere"), mandatory=True)
            raise AssertionError("it was delivered to nobody")
        except aio_pika.exceptions.DeliveryError as error:
            assert error.message.delivery.reply_text == "NO_ROUTE"
    run(t, scenario)


def test_reject_and_requeue(t):
    import aio_pika

    async def scenario(connection):
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(aio_pika.Message(b"x"), queue.name)
        message = await queue.get(timeout=30)
        assert not message.redelivered
        await message.reject(requeue=True)
        message = await queue.get(timeout=30)
        assert message.redelivered
        await message.nack(requeue=False)
        assert await queue.get(fail=False) is None
    run(t, scenario)


def test_topic_and_exchange_bindings(t):
    import aio_pika

    async def scenario(connection):
        channel = await connection.channel()
        topic = await channel.declare_exchange(t.name("x"), aio_pika.ExchangeType.TOPIC, auto_delete=True)
        fanout = await channel.declare_exchange(t.name("x"), aio_pika.ExchangeType.FANOUT)
        queue = await channel.declare_queue(exclusive=True)
        await fanout.bind(topic, "a.#")
        await queue.bind(fanout)
        await topic.publish(aio_pika.Message(b"1"), "a.b")
        assert (await queue.get(timeout=30)).body == b"1"
        await fanout.unbind(topic, "a.#")
    run(t, scenario)


def test_rpc(t):
    import aio_pika

    async def scenario(connection):
        channel = await connection.channel()
        requests = await channel.declare_queue(t.name("rpc"), exclusive=True)
        replies = await channel.declare_queue(exclusive=True)
        answers, all_here = {}, asyncio.Event()

        async def serve(message):
            async with message.process():
                await channel.default_exchange.publish(
                    aio_pika.Message(message.body * 2, correlation_id=message.correlation_id), message.reply_to)

        def take(message):
            answers[message.correlation_id] = message.body
            if len(answers) == 50:
                all_here.set()
        await requests.consume(serve)
        await replies.consume(take, no_ack=True)
        for number in range(50):
            await channel.default_exchange.publish(
                aio_pika.Message(b"%d" % number, correlation_id=str(number), reply_to=replies.name), requests.name)
        await all_here.wait()
        await channel.set_qos(prefetch_count=1)   # a round trip: the last acknowledgement is out
        assert answers == {str(n): b"%d%d" % (n, n) for n in range(50)}
    run(t, scenario)


def test_master_worker_pattern(t):
    from aio_pika.patterns import Master

    async def scenario(connection):
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=4)
        master, name, done = Master(channel), t.name("work"), asyncio.Queue()

        async def work(*, number):
            await done.put(number)
        await master.create_worker(name, work, auto_delete=True)
        for number in range(20):
            await master.create_task(name, kwargs={"number": number})
        assert sorted([await done.get() for _ in range(20)]) == list(range(20))
        await channel.set_qos(prefetch_count=1)   # a round trip: the last acknowledgement is out
    run(t, scenario)


def test_transaction(t):
    import aio_pika

    async def scenario(connection):
        channel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(exclusive=True)
        async with channel.transaction():
            for _ in range(10):
                await channel.default_exchange.publish(aio_pika.Message(b"x"), queue.name)
        counted = await channel.declare_queue(queue.name, passive=True, exclusive=True)
        assert counted.declaration_result.message_count == 10
    run(t, scenario)


def test_channel_errors(t):
    import aio_pika

    async def scenario(connection):
        channel = await connection.channel()
        missing = t.name("missing")
        try:
            await channel.declare_queue(missing, passive=True)
            raise AssertionError("a queue that does not exist was found")
        except aio_pika.exceptions.ChannelNotFoundEntity as error:
            assert "NOT_FOUND - no queue '%s' in vhost '/'" % missing in str(error)
        channel = await connection.channel()
        try:
            await channel.declare_exchange("amq.topic", "fanout")
            raise AssertionError("amq.topic was declared as fanout")
        except aio_pika.exceptions.ChannelPreconditionFailed as error:
            assert "inequivalent arg 'type' for exchange 'amq.topic' in vhost '/'" in str(error)
    run(t, scenario)


def test_wrong_password(t):
    import aio_pika

    async def whole():
        try:
            await connect(t, password="wrong")
            raise AssertionError("the wrong password was right")
        except aio_pika.exceptions.ProbableAuthenticationError as error:
            assert "ACCESS_REFUSED" in str(error)
    asyncio.run(asyncio.wait_for(whole(), t.limit))


def test_distrust(t):
    async def whole():
        try:
            await connect(t)
            raise AssertionError("a stranger's certificate was as good")
        except ConnectionError as error:
            assert "certificate verify failed" in str(error), error
    t.distrust()
    asyncio.run(asyncio.wait_for(whole(), t.limit))


@limit(40)
def test_robust_connection_comes_back(t):
    """A cut wire: the connection, its exclusive queue, the binding and the consumer are made again."""
    import aio_pika
    proxy = Proxy(t)

    async def scenario(connection):
        channel = await connection.channel()
        exchange = await channel.declare_exchange(t.name("x"), aio_pika.ExchangeType.FANOUT)
        queue = await channel.declare_queue(t.name("q"), exclusive=True)
        await queue.bind(exchange)
        got, back = asyncio.Queue(), asyncio.Event()

        async def take(message):
            async with message.process():
                await got.put(message.body)
        await queue.consume(take)
        await exchange.publish(aio_pika.Message(b"before"), "")
        assert await got.get() == b"before"
        connection.reconnect_callbacks.add(lambda *_: back.set())
        proxy.cut()
        await back.wait()
        await exchange.publish(aio_pika.Message(b"after"), "")
        assert await got.get() == b"after"
        await channel.set_qos(prefetch_count=1)   # a round trip: the last acknowledgement is out
    run(t, scenario, robust=True, broker=proxy, reconnect_interval=0.1)


def test_large_bodies_side_by_side(t):
    import os

    import aio_pika

    async def scenario(connection):
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        bodies = [os.urandom(300000 + n) for n in range(10)]
        await asyncio.gather(*(channel.default_exchange.publish(aio_pika.Message(b), queue.name) for b in bodies))
        got = [(await queue.get(no_ack=True, timeout=30)).body for _ in bodies]
        assert sorted(got) == sorted(bodies)
    run(t, scenario)
