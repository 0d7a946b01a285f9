# SPDX-License-Identifier: MIT
"""A broker at rest: it does not wake up, and it is small."""

import os
import resource
import socket
import subprocess
import tempfile
import time

from lib import broker as brokers
from lib.case import Skip
from lib.runner import limit, slow
from lib.watch import is_sanitized, resident_bytes, wake_ups


@slow
@limit(30)
def test_no_wake_ups_while_idle(t):
    """100 connections without heartbeats, with queues and consumers: no thread of the broker runs for two seconds."""
    broker = t.shuntd(loops=2)
    clients = []
    for _ in range(100):
        client = t.wire_to(broker, heartbeat=0)
        queue = client.call(1, "queue.declare", exclusive=True).queue
        client.call(1, "basic.consume", queue=queue)
        client.publish(1, "", queue, b"m")
        client.send(1, "basic.ack", delivery_tag=client.read_message().method.delivery_tag)
        client.expect_quiet(1)
        clients.append(client)

    expect_rest(t, broker)


def expect_rest(t, broker):
    def rests():
        """Nothing is left over from the beginning."""
        before = wake_ups(broker)
        time.sleep(0.6)
        return wake_ups(broker) == before
    t.wait(rests, "a broker at rest")
    before = wake_ups(broker)
    time.sleep(2)   # what is measured: nothing happens in this time
    woken = wake_ups(broker) - before
    assert woken == 0, "its threads woke up %d times in 2 s" % woken


@slow
@limit(30)
def test_no_wake_ups_with_a_backlog(t):
    """Some megabytes of messages wait in queues, and nobody comes for them."""
    broker = t.shuntd(loops=2)
    client = t.wire_to(broker, heartbeat=0)
    for name in ("a", "b"):
        client.call(1, "queue.declare", queue=name, exclusive=True)
        for _ in range(10000):
            client.publish(1, "", name, b"m" * 400)
    client.call(1, "queue.declare", queue="a", exclusive=True)   # so all have come
    expect_rest(t, broker)


@limit(20)
def test_limit_of_descriptors_is_raised(t):
    """Started with few, the broker takes as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        broker = t.shuntd(loops=2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    assert " descriptors=%d" % hard in broker.log_tail(400), broker.log_tail(400)


def file_limit(wanted):
    """Descriptors for that many connections, as far as we are allowed; the broker inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + 200:
        soft = wanted + 200 if hard == resource.RLIM_INFINITY else min(wanted + 200, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - 200)


@limit(60)
def test_idle_memory(t):
    """The goals are 8 MiB, and 10 KiB for each idle connection with one channel; twice as much fails."""
    count = file_limit(1000)
    broker = t.shuntd(loops=2)
    t.wire_to(broker).close()
    idle = resident_bytes(broker)
    clients = [t.wire_to(broker, heartbeat=0) for _ in range(count)]
    each = (resident_bytes(broker) - idle) / len(clients)
    print("idle: %.1f MiB resident, %.1f KiB for each of %d connections" % (idle / 2**20, each / 1024, count))
    if is_sanitized(broker):
        raise Skip("a sanitizer needs memory of its own")
    assert idle < 16 * 2**20, idle
    assert each < 20 * 1024, each


@limit(20)
def test_time_to_accept(t):
    """The goal is 50 ms from exec to the first connection; a second fails."""
    if not isinstance(t.broker, brokers.ShuntBroker):
        raise Skip("needs a shuntd of its own")
    # of some, as the machine may have much else to do
    took = min(time_to_accept(t) for _ in range(5))
    print("accepting %.1f ms after exec" % (took * 1000))
    assert took < t.broker.patience, took


def time_to_accept(t):
    with tempfile.TemporaryDirectory(prefix="shunt-interop-") as directory:
        default, port = brokers.free_ports(2)
        command = list(t.broker.wrapper) + [t.broker.shuntd]
        for option in ("listeners.tcp.default=%d" % default, "listeners.tcp.1=127.0.0.1:%d" % port,
                       "data_dir=%s/data" % directory, "control.socket=%s/control.sock" % directory,
                       "plugins.dir=%s" % t.broker.plugins if t.broker.plugins else "loops=2"):
            command += ["-o", option]
        with open(os.path.join(directory, "log"), "wb") as log:
            begin = time.monotonic()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except ConnectionRefusedError:
                    assert process.poll() is None and time.monotonic() - begin < t.limit
                    time.sleep(0.001)   # there is no event for "somebody listens now"
            return time.monotonic() - begin
        finally:
            process.terminate()
            process.wait(t.limit)
