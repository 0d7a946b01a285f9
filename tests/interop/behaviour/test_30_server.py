# SPDX-License-Identifier: MIT
"""Shunt as a whole, each test with a shuntd of its own: settings, plugins, limits, the end."""

import re
import signal
import subprocess

from lib import wire
from lib.case import Skip
from lib.watch import MiB, ShortQueues, send_until_blocked


def exit_status(t, *options):
    """Starts shuntd with settings that it must refuse; returns (exit status, what it printed)."""
    if not hasattr(t.broker, "shuntd"):
        raise Skip("needs a shuntd of its own")
    command = [t.broker.shuntd, "-o", "listeners.tcp.default=0", "-o", "plugins.dir=%s" % t.broker.plugins]
    for option in options:
        command += ["-o", option]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=15, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def test_sigterm_closes_every_connection_with_320(t):
    broker = t.shuntd()
    clients = [t.wire_to(broker) for _ in range(10)]
    broker.tell_to_end()
    for client in clients:
        client.expect_connection_close(320, re.compile("^CONNECTION_FORCED - "))
        client.close_socket()
    assert broker.process.wait(10) == 0


def test_sigterm_ends_also_with_clients_that_do_not_answer(t):
    broker = t.shuntd()
    clients = [t.wire_to(broker), t.socket_to(broker)]
    broker.tell_to_end()
    assert broker.process.wait(15) == 0
    assert clients


def test_sighup_does_not_end_the_broker(t):
    broker = t.shuntd()
    client = t.wire_to(broker)
    broker.process.send_signal(signal.SIGHUP)
    client.expect_quiet(1)
    t.wire_to(broker)


def test_missing_plugin_makes_its_exchange_type_unknown(t):
    broker = t.shuntd("plugin=exchange-direct")
    client = t.wire_to(broker)
    client.send(1, "exchange.declare", exchange="e", type="topic")
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - unknown exchange type 'topic'", "exchange.declare")
    client.open_channel(1)
    client.call(1, "exchange.declare", exchange="e", type="direct")
    client.call(1, "queue.declare", queue="q", exclusive=True)
    client.call(1, "queue.bind", queue="q", exchange="e", routing_key="k")
    client.publish(1, "e", "k", b"direct")
    client.publish(1, "", "q", b"default")
    assert [client.get(1, "q").body, client.get(1, "q").body] == [b"direct", b"default"]


def test_standard_exchange_without_its_plugin_stays_defined(t):
    client = t.wire_to(t.shuntd("plugin=exchange-direct"))
    client.call(1, "exchange.declare", exchange="amq.topic", passive=True)
    client.publish(1, "amq.topic", "k", b"m")
    client.expect_channel_close(
        1, 406, "PRECONDITION_FAILED - the type 'topic' of exchange 'amq.topic' in vhost '/' is not loaded",
        "basic.publish")


def test_plugins_by_path(t):
    broker = t.broker
    if not hasattr(broker, "plugins"):
        raise Skip("needs a shuntd of its own")
    client = t.wire_to(t.shuntd("plugin=%s/exchange-fanout.so" % broker.plugins))
    client.call(1, "exchange.declare", exchange="e", type="fanout")


def test_plugin_that_is_not_there_is_exit_78(t):
    status, output = exit_status(t, "plugin=no-such-plugin")
    assert status == 78 and "no-such-plugin" in output, (status, output)


def test_unknown_key_is_exit_78(t):
    status, output = exit_status(t, "no.such.key=1")
    assert status == 78 and "no.such.key" in output, (status, output)


def test_bad_value_is_exit_78(t):
    status, output = exit_status(t, "channel_max=many")
    assert status == 78 and "channel_max" in output, (status, output)


def test_default_user_and_password(t):
    broker = t.shuntd("default_user=wolf", "default_pass=moon")
    t.wire_to(broker, user="wolf", password="moon")
    client = t.socket_to(broker)
    client.start(user="guest", password="guest")
    client.expect_connection_close(403)


def test_tune_settings(t):
    client = t.socket_to(t.shuntd("heartbeat=17", "channel_max=99", "frame_max=65536"))
    client.start()
    tune = client.read_method("connection.tune")
    assert (tune.heartbeat, tune.channel_max, tune.frame_max) == (17, 99, 65536)


def test_compat_product_and_version(t):
    client = t.socket_to(t.shuntd("compat.product=RabbitMQ", "compat.version=3.13.7"))
    client.send_protocol_header()
    properties = wire.decode_table(client.read_method("connection.start").server_properties)
    assert (properties["product"], properties["version"]) == ("RabbitMQ", "3.13.7")


def test_max_message_size(t):
    client = t.wire_to(t.shuntd("max_message_size=1000"))
    client.call(1, "queue.declare", queue="q", exclusive=True)
    client.publish(1, "", "q", b"x" * 1000)
    assert len(client.get(1, "q").body) == 1000
    client.publish(1, "", "q", b"x" * 1001)
    client.expect_channel_close(
        1, 406, "PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000", "basic.publish")


def ends(client):
    """Reads until the broker closes the socket, whatever it says before."""
    try:
        while True:
            client.read_raw(1)
    except wire.Closed:
        return


def test_handshake_timeout(t):
    """In milliseconds, as RabbitMQ's; it ends with connection.open."""
    broker = t.shuntd("handshake_timeout=%d" % int(1500 * t.broker.patience))   # a login takes a while, too
    silent, begun, opened = t.socket_to(broker), t.socket_to(broker), t.wire_to(broker)
    begun.send_protocol_header()
    ends(silent)
    ends(begun)
    opened.expect_quiet(1)


def test_memory_alarm_blocks_publishers_only(t):
    """connection.blocked comes once, consumers go on, and when they have taken enough, connection.unblocked."""
    broker = t.shuntd("vm_memory_high_watermark.absolute=40MB")
    publisher, consumer = t.wire_to(broker), t.wire_to(broker)
    queues = ShortQueues(consumer, 100000, 100 * MiB)
    sent = send_until_blocked(publisher, queues.chunks())
    assert sent is not None, "100 MiB went in with a limit of 40 MB"
    blocked = publisher.read_method("connection.blocked", channel=0)
    assert blocked.reason == "low on memory", blocked
    assert queues.ready() > 100
    queues.consume(no_ack=True)
    for _ in range(sent * queues.per_queue):
        consumer.read_message()
    publisher.read_method("connection.unblocked", channel=0)


def test_out_of_file_descriptors(t):
    """Accepting rests; connections go on; when there are descriptors again, accepting resumes."""
    broker = t.shuntd(wrapper=["/bin/sh", "-c", 'ulimit -n 64; exec "$0" "$@"'])
    first = t.wire_to(broker)
    crowd = [t.knock(broker) for _ in range(100)]
    first.call(1, "queue.declare", queue="q", exclusive=True)
    first.publish(1, "", "q", b"m")
    assert first.get(1, "q").body == b"m"
    for client in crowd:
        client.close_socket()
    t.wire_to(broker)


def test_one_loop_and_four_loops(t):
    for loops in (1, 4):
        broker = t.shuntd(loops=loops)
        clients = [t.wire_to(broker) for _ in range(8)]
        clients[0].call(1, "queue.declare", queue="q")
        for client in clients:
            client.call(1, "confirm.select")
            client.publish(1, "", "q", b"m")
            client.read_method("basic.ack")
        assert clients[-1].call(1, "queue.declare", queue="q", passive=True).message_count == 8
