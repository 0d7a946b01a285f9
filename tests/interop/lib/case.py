# SPDX-License-Identifier: MIT
"""What a test gets: connections that are closed for it, names that are its own and are deleted after it."""

import contextlib
import copy
import random
import shutil
import tempfile
import time

import pika
import pika.exceptions

from . import broker as brokers
from . import certificates
from . import wire
from .wire import LIMIT_SECONDS


class Skip(Exception):
    """Raised by a test that does not apply to the broker under test."""


def parameters_of(broker, vhost=None, credentials=None, **options):
    """pika's, for a connection to this broker."""
    options.setdefault("heartbeat", 0)
    if broker.tls is not None:
        options.setdefault("ssl_options", pika.SSLOptions(broker.tls, certificates.HOST))
    credentials = credentials or pika.PlainCredentials(broker.user, broker.password, erase_on_connect=False)
    return pika.ConnectionParameters(broker.host, broker.port, vhost or broker.vhost, credentials, **options)


class Case:
    """The fixtures of one test.

    t.broker is the broker, t.rabbit3 is true on RabbitMQ 3.x; t.shunt is true on Shunt."""

    def __init__(self, broker, janitor, test_name, limit):
        self.broker, self.janitor, self.limit = broker, janitor, limit
        self.shunt = broker.kind == "shunt"
        self.rabbit3 = broker.kind == "rabbitmq-3"
        self.prefix = "%s.%08x" % (test_name.replace("test_", "")[:24].strip("_"), random.getrandbits(32))
        self._names = []
        self._count = 0
        self._connections = []
        self._wires = []
        self._shared = None
        self._cleanups = []

    # -- names

    def name(self, hint="n"):
        """A name nobody else uses; a queue and an exchange of that name are deleted after the test."""
        self._count += 1
        name = "%s.%s%d" % (self.prefix, hint, self._count)
        self._names.append(name)
        return name

    def owns(self, name):
        """Adds a name the broker made to those that are deleted after the test."""
        self._names.append(name)
        return name

    # -- pika

    def parameters(self, broker=None, **options):
        options.setdefault("blocked_connection_timeout", 60 * self.broker.patience)
        options.setdefault("socket_timeout", 60 * self.broker.patience)
        options.setdefault("stack_timeout", 60 * self.broker.patience)
        return parameters_of(broker or self.broker, **options)

    def connect(self, broker=None, **options):
        """A new pika BlockingConnection, to the broker under test unless `broker` is another one."""
        connection = pika.BlockingConnection(self.parameters(broker, **options))
        self._connections.append(connection)
        return connection

    def channel(self):
        """A new channel on the test's own (first) connection."""
        if self._shared is None or not self._shared.is_open:
            self._shared = self.connect()
        return self._shared.channel()

    def queue(self, channel, **options):
        """Declares a queue with a name of this test, exclusive unless told otherwise; returns the name."""
        options.setdefault("exclusive", True)
        queue = options.pop("queue", None) or self.name("q")
        channel.queue_declare(queue, **options)
        return queue

    def exchange(self, channel, kind="direct", **options):
        """Declares an exchange with a name of this test; returns the name."""
        exchange = options.pop("exchange", None) or self.name("x")
        channel.exchange_declare(exchange, kind, **options)
        return exchange

    def bound_queue(self, channel, exchange, *routing_keys, arguments=None):
        queue = self.queue(channel)
        for key in routing_keys:
            channel.queue_bind(queue, exchange, key, arguments)
        return queue

    def get(self, channel, queue, auto_ack=True):
        """basic.get until there is a message; returns (method, properties, body)."""
        found = []

        def look():
            found[:] = [channel.basic_get(queue, auto_ack)]
            return found[0][0] is not None
        self.wait(look, "a message in %s" % queue)
        return found[0]

    def bodies(self, channel, queue):
        """Everything ready in the queue, taken out, as a list of bodies."""
        out = []
        while True:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return out
            out.append(body)

    def counts(self, channel, queue):
        """(ready messages, consumers) as a passive declare tells them."""
        method = channel.queue_declare(queue, passive=True).method
        return method.message_count, method.consumer_count

    def deliveries(self, channel, count):
        """The next `count` deliveries of the channel's consumers made with t.consume()."""
        inbox = channel.inbox

        def enough():
            if len(inbox) < count:
                channel.connection.process_data_events(0.05)
            return len(inbox) >= count
        self.wait(enough, "%d deliveries" % count, pause=0)
        out = inbox[:count]
        del inbox[:count]
        return out

    def wait_counts(self, channel, queue, messages, consumers=None):
        """Until the queue tells these counts: RabbitMQ lets the question overtake messages under way."""
        def reached():
            got = self.counts(channel, queue)
            return got[0] == messages and consumers in (None, got[1])
        self.wait(reached, "%s messages, %s consumers in %s" % (messages, consumers, queue))

    def consume(self, channel, queue, **options):
        """Consumes into channel.inbox as (method, properties, body); returns the consumer tag."""
        if not hasattr(channel, "inbox"):
            channel.inbox = []
        return channel.basic_consume(queue, lambda _, m, p, b: channel.inbox.append((m, p, b)), **options)

    def no_delivery(self, channel, queue):
        """Nothing is under way from the queue to the channel."""
        self.counts(channel, queue)
        channel.connection.process_data_events(0)
        assert not channel.inbox, "unexpected delivery: %r" % (channel.inbox[0],)

    # -- expectations

    @contextlib.contextmanager
    def channel_closed(self, code, text=None, rabbit3=None):
        """The block ends with the broker closing the channel; `rabbit3` is the text there when it differs.

        For errors of publish, ack and other methods without an answer, put a call with an answer last."""
        try:
            yield
        except pika.exceptions.ChannelClosedByBroker as error:
            self._check_closed(error, code, text, rabbit3)
        else:
            raise AssertionError("the channel is still open; expected %d %s" % (code, text))

    @contextlib.contextmanager
    def connection_closed(self, code, text=None, rabbit3=None):
        try:
            yield
        except pika.exceptions.ConnectionClosedByBroker as error:
            self._check_closed(error, code, text, rabbit3)
        else:
            raise AssertionError("the connection is still open; expected %d %s" % (code, text))

    def _check_closed(self, error, code, text, rabbit3):
        text = self.either(text, rabbit3)
        assert error.reply_code == code, "expected %d, got %d %s" % (code, error.reply_code, error.reply_text)
        if text is not None:
            matches = (text.search(error.reply_text) if hasattr(text, "search")
                       else wire.reply_text(text) == error.reply_text)
            assert matches, "expected %r, got %r" % (text, error.reply_text)

    def either(self, text, rabbit3):
        """The text to expect of this broker: RabbitMQ 3.x words some of them otherwise."""
        return rabbit3 if self.rabbit3 and rabbit3 is not None else text

    def wait(self, condition, what, limit=None, pause=0.01):
        """Until condition() is true, with a limit; `pause` is the time between two looks."""
        deadline = time.monotonic() + max(limit * self.broker.patience if limit else 0, self.limit)
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain for %s" % what)
            if pause:
                time.sleep(pause)

    # -- the wire

    def socket(self, limit=LIMIT_SECONDS):
        """A wire.Client that has connected, and no more."""
        return self.socket_to(self.broker, limit)

    def wire(self, **options):
        """A wire.Client with the connection open and channel 1 open."""
        options.setdefault("user", self.broker.user)
        options.setdefault("password", self.broker.password)
        options.setdefault("vhost", self.broker.vhost)
        client = self.socket().handshake(**options)
        client.open_channel(1)
        return client

    def wire_queue(self, client, channel=1, **options):
        """Declares a queue of this test on the wire, exclusive unless told otherwise; returns the name."""
        options.setdefault("exclusive", True)
        queue = options.pop("queue", None) or self.name("q")
        client.call(channel, "queue.declare", queue=queue, **options)
        return queue

    # -- another broker

    def shuntd(self, *options, loops=2, wrapper=(), **how):
        """A shuntd of the test's own with these settings; where another broker is under test, the test is skipped.

        It speaks TLS if that does; `authority=None`: it is plain."""
        if not isinstance(self.broker, brokers.ShuntBroker):
            raise Skip("needs a shuntd of its own")
        how.setdefault("authority", self.broker.authority)
        own = brokers.ShuntBroker(self.broker.shuntd, self.broker.plugins, loops, options,
                                  list(self.broker.wrapper) + list(wrapper), **how)
        own.patience = self.broker.patience
        own.start()
        self.cleanup(own.stop)
        return own

    def distrust(self):
        """From here on clients are told to trust an authority that has signed nothing of the broker's; where TLS is not
        spoken, the test is skipped."""
        if self.broker.authority is None:
            raise Skip("only with --tls")
        folder = tempfile.mkdtemp(prefix="shunt-tls-")
        self.cleanup(lambda: shutil.rmtree(folder))
        self.broker = copy.copy(self.broker)
        self.broker.authority = certificates.Authority(folder, "stranger")
        self.broker.tls = self.broker.authority.context()

    def wire_to(self, broker, **options):
        """As wire(), to another broker."""
        options.setdefault("user", broker.user)
        options.setdefault("password", broker.password)
        client = self.socket_to(broker).handshake(**options)
        client.open_channel(1)
        return client

    def socket_to(self, broker, limit=LIMIT_SECONDS, **how):
        client = wire.Client(broker.host, broker.port, limit * self.broker.patience, broker.tls, **how)
        self._wires.append(client)
        return client

    def knock(self, broker):
        """One that has connected, and waits for nothing: the kernel takes it, also where the broker does not."""
        client = wire.Client(broker.host, broker.port, LIMIT_SECONDS * self.broker.patience)
        self._wires.append(client)
        if broker.tls is None:
            client.send_protocol_header()
        return client

    def enter(self, client, broker, limit=LIMIT_SECONDS):
        """Until the broker answers one that has knocked."""
        if broker.tls is not None:
            client.begin_tls(broker.tls)
            client.send_protocol_header()
        client.read_method("connection.start", limit=limit)

    # -- the end

    def cleanup(self, function):
        """Called after the test, last added first."""
        self._cleanups.append(function)

    def finish(self):
        """Closes everything and deletes what bears our names."""
        for connection in self._connections:
            try:
                if connection.is_open:
                    connection.close()
            except (pika.exceptions.AMQPError, OSError, ValueError):
                pass
        for client in self._wires:
            client.close_socket()
        try:
            self.janitor.delete(self._names)
        finally:
            for function in reversed(self._cleanups):
                function()


class Janitor:
    """Deletes queues and exchanges, on one connection for all tests of a worker."""

    def __init__(self, broker):
        self.broker = broker
        self.client = None

    def _open(self):
        self.client = wire.Client(self.broker.host, self.broker.port, tls=self.broker.tls)
        self.client.handshake(vhost=self.broker.vhost, user=self.broker.user, password=self.broker.password)
        self.client.open_channel(1)

    def delete(self, names):
        for attempt in range(2):
            try:
                if self.client is None:
                    self._open()
                for name in names:
                    self._delete(name)
                return
            except (OSError, wire.Closed, AssertionError):
                self.client = None   # e.g. closed for a name that a broken test left in a strange state
                if attempt:
                    raise

    def _delete(self, name):
        for method, field in (("queue.delete", "queue"), ("exchange.delete", "exchange")):
            if len(name.encode()) > 255:
                continue
            self.client.send(1, method, **{field: name})
            answer = self.client.read_method(method + "-ok", "channel.close")
            if answer.name == "channel.close":
                # locked: exclusive to a connection that the broker has not buried yet; it goes with it
                self.client.send(1, "channel.close-ok")
                self.client.open_channel(1)
