# SPDX-License-Identifier: MIT
"""The disk alarm: with too little room on the disk nobody publishes, and all else goes on."""

import os
import signal
import tempfile

from lib import wire
from lib.runner import limit

PLENTY = "disk_free_limit.absolute = 1000000GB\n"   # more than any disk of a test has
LITTLE = "disk_free_limit.absolute = 1\n"


class Settings:
    """A shuntd with a file of settings that can be changed while it runs."""

    def __init__(self, t, text, *options):
        self.t = t
        with tempfile.NamedTemporaryFile("w", prefix="shunt-interop-", suffix=".conf", delete=False) as f:
            self.path = f.name
        t.cleanup(lambda: os.unlink(self.path))
        self.write(text)
        # options come after the file, and what they say stays
        self.broker = t.shuntd(*options, wrapper=[
            "/bin/sh", "-c", 'shuntd=$1; shift; exec "$shuntd" -c "$0" "$@"', self.path])

    def write(self, text):
        with open(self.path, "w", encoding="ascii") as f:
            f.write(text)

    def change(self, text):
        self.write(text)
        self.broker.process.send_signal(signal.SIGHUP)


def confirmed(client, count):
    tag = 0
    while tag < count:
        tag = client.read_method("basic.ack").delivery_tag


def fill(t, settings, count):
    """A publisher that waits for confirms, and its queue with messages in it."""
    publisher = t.wire_to(settings.broker)
    publisher.call(1, "queue.declare", queue="q")
    publisher.call(1, "confirm.select")
    for number in range(count):
        publisher.publish(1, "", "q", b"%d" % number)
    confirmed(publisher, count)
    return publisher


@limit(30)
def test_low_disk_blocks_publishers_only(t):
    settings = Settings(t, LITTLE)
    publisher = fill(t, settings, 10)
    settings.change(PLENTY)
    assert publisher.read_method("connection.blocked", channel=0).reason == "low on disk"
    publisher.publish(1, "", "q", b"late")
    # others come in, take what is there, acknowledge it, declare and delete
    consumer = t.wire_to(settings.broker)
    consumer.call(1, "basic.qos", prefetch_count=1)
    consumer.call(1, "basic.consume", queue="q")
    for number in range(10):
        message = consumer.read_message()
        assert message.body == b"%d" % number, message
        consumer.send(1, "basic.ack", delivery_tag=message.method.delivery_tag)
    assert consumer.call(1, "queue.declare", queue="q", passive=True).message_count == 0
    consumer.call(1, "queue.declare", queue="other")
    consumer.call(1, "queue.delete", queue="other")
    # and when there is room, what was held comes in
    settings.change(LITTLE)
    publisher.read_method("connection.unblocked", channel=0)
    confirmed(publisher, 11)
    assert consumer.read_message().body == b"late"


@limit(30)
def test_low_disk_from_the_start(t):
    """The first publish is answered by connection.blocked; who does not know of that is held all the same."""
    settings = Settings(t, PLENTY)
    publisher, deaf = t.wire_to(settings.broker), t.wire_to(settings.broker, capabilities={})
    for client in (publisher, deaf):
        client.call(1, "confirm.select")
        client.publish(1, "", "nowhere", b"m")
    assert publisher.read_method("connection.blocked", channel=0).reason == "low on disk"
    settings.change("disk_free_limit.absolute = 0\n")   # off
    publisher.read_method("connection.unblocked", channel=0)
    for client in (publisher, deaf):
        confirmed(client, 1)


@limit(30)
def test_low_on_both(t):
    """connection.blocked comes once, and connection.unblocked when neither is low."""
    memory = "vm_memory_high_watermark.absolute = %s\n"
    settings = Settings(t, LITTLE + memory % "1GB")
    publisher = fill(t, settings, 10)
    settings.change(LITTLE + memory % "1")
    assert publisher.read_method("connection.blocked", channel=0).reason == "low on memory"
    settings.change(PLENTY + memory % "1")
    t.wait(lambda: "disk alarm set" in settings.broker.log_tail(), "the disk alarm")
    late = t.wire_to(settings.broker)
    late.publish(1, "", "q", b"m")
    assert late.read_method("connection.blocked", channel=0).reason == "low on disk & memory"
    settings.change(PLENTY + memory % "1GB")
    t.wait(lambda: "memory alarm cleared" in settings.broker.log_tail(), "the memory alarm's end")
    settings.change(LITTLE + memory % "1GB")
    # nothing came in between
    for client in (publisher, late):
        assert client.read_method("connection.blocked", "connection.unblocked").name == "connection.unblocked"
    wire.Client.expect_quiet(publisher, 1)
