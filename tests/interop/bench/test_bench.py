# SPDX-License-Identifier: MIT
"""shunt-bench against the broker: short runs of each mode. What counts is that nothing is lost, doubled or reordered,
and that the figures are there; how large they are is no matter here.

shunt-bench is found beside shuntd, or through the environment variable SHUNT_BENCH."""

import json
import os
import subprocess

from lib import broker as brokers
from lib import certificates
from lib.case import Skip
from lib.runner import limit


def path_of(t):
    if os.environ.get("SHUNT_BENCH"):
        return os.environ["SHUNT_BENCH"]
    if not isinstance(t.broker, brokers.ShuntBroker):
        raise Skip("SHUNT_BENCH does not name it")
    folder = os.path.dirname(os.path.abspath(t.broker.shuntd))
    for path in (os.path.join(folder, "shunt-bench"), os.path.join(folder, "..", "bin", "shunt-bench")):
        if os.access(path, os.X_OK):
            return path
    raise Skip("no shunt-bench beside shuntd")


def start(t, *arguments, broker=None):
    """Runs it, returns the finished process; the broker under test unless the arguments say otherwise."""
    broker = broker or t.broker
    tls = ["--tls", "--cacertfile", broker.authority.file] if broker.authority else []
    command = [path_of(t), "--host", broker.host, "--port", str(broker.port),
               "--timeout", str(10 * t.broker.patience)] + tls + [str(a) for a in arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=t.limit * 1.5, text=True,
                          check=False)


def bench(t, *arguments, broker=None):
    """Runs it with --json; returns the figures, after checking that it found nothing wrong."""
    done = start(t, "--json", *arguments, broker=broker)
    assert done.returncode == 0, "status %d\n%s%s" % (done.returncode, done.stdout, done.stderr)
    assert not done.stderr, done.stderr
    figures = json.loads(done.stdout)
    if "check" in figures:
        assert figures["check"]["ok"] and not figures["check"]["stalled"], figures
    return figures


def flow(t, messages, *arguments, copies=1):
    """A run by number: all messages are published, and as many copies of each delivered."""
    figures = bench(t, "--messages", messages, *arguments)
    assert figures["check"]["published"] == messages, figures
    assert figures["check"]["delivered"] == messages * copies, figures
    assert figures["published"]["rate"] > 0 and figures["delivered"]["rate"] > 0, figures
    return figures


@limit(60)
def test_transient_auto_ack(t):
    figures = flow(t, 20000)
    assert figures["latency"]["count"] == 20000, figures
    assert figures["broker"], figures


@limit(60)
def test_by_time_with_warmup(t):
    figures = bench(t, "--seconds", 0.5, "--warmup", 0.2)
    assert figures["check"]["published"] > figures["published"]["count"] > 0, figures


@limit(60)
def test_ack_every_50(t):
    flow(t, 20000, "--ack", 50, "--prefetch", 500)


@limit(60)
def test_ack_every_message(t):
    flow(t, 5000, "--ack", 1, "--prefetch", 100)
    flow(t, 300, "--ack", 1, "--prefetch", 1)


@limit(60)
def test_confirms(t):
    figures = flow(t, 10000, "--confirm", 500)
    assert figures["confirm_latency"]["count"] == 10000, figures
    flow(t, 200, "--confirm", 1)


@limit(60)
def test_persistent(t):
    flow(t, 2000, "--persistent", "--confirm", 500, "--ack", 50, "--prefetch", 500)


@limit(60)
def test_many_peers_on_one_queue(t):
    flow(t, 12000, "--producers", 4, "--consumers", 4)


@limit(60)
def test_many_peers_on_many_queues(t):
    flow(t, 12000, "--producers", 3, "--consumers", 5, "--queues", 8, "--threads", 2)
    flow(t, 12000, "--producers", 8, "--consumers", 8, "--queues", 3, "--ack", 10, "--prefetch", 50)


@limit(60)
def test_fanout(t):
    flow(t, 2000, "--fanout", 10, copies=10)


@limit(60)
def test_direct(t):
    flow(t, 5000, "--exchange", "direct", "--queues", 4, "--bindings", 100)


@limit(60)
def test_topic(t):
    flow(t, 5000, "--exchange", "topic", "--queues", 4, "--bindings", 300)


@limit(60)
def test_headers(t):
    flow(t, 2000, "--exchange", "headers", "--queues", 4, "--bindings", 20)


@limit(60)
def test_a_header(t):
    flow(t, 2000, "--exchange", "direct", "--queues", 4, "--header", "country")


@limit(60)
def test_other_types(t):
    flow(t, 2000, "--exchange", "x-random", "--header", "a", "--confirm", 100)


@limit(60)
def test_bodies_of_many_sizes(t):
    for size in (0, 1, 8, 15, 16, 4096, 16384):
        flow(t, 500, "--size", size)
    for size in (131064, 131065, 1000000):
        flow(t, 50, "--size", size)


@limit(60)
def test_fixed_rate(t):
    figures = bench(t, "--seconds", 1, "--rate", 500, "--confirm", 100, "--producers", 2)
    # late or early by a little, but not by the broker's speed
    assert 100 < figures["published"]["count"] <= 520, figures
    assert figures["send_lag"]["count"] > 0 and figures["latency"]["count"] > 0, figures


@limit(60)
def test_beside_noise(t):
    figures = bench(t, "--seconds", 0.5, "--rate", 500, "--noise", 2, "--slow", 1)
    assert 0 < figures["published"]["count"] <= 260, figures
    assert figures["check"]["delivered"] == figures["check"]["published"], figures
    assert figures["noise"]["peers"] == 2 and figures["noise"]["published"]["count"] > 1000, figures
    assert figures["noise"]["delivered"]["count"] > 0, figures
    # it reads a few KiB at a time, so that it is left behind
    slow = figures["slow"]
    assert slow["published"]["count"] > slow["delivered"]["count"] > 0, figures


@limit(60)
def test_fill_and_drain(t):
    figures = bench(t, "--fill", "--messages", 20000, "--queues", 2, "--consumers", 2)
    assert figures["fill"]["count"] == figures["drain"]["count"] == 20000, figures


@limit(60)
def test_without_consumers_all_is_in_the_queues(t):
    figures = bench(t, "--messages", 1000, "--consumers", 0, "--confirm", 100)
    assert figures["check"]["queued"] == 1000, figures


@limit(60)
def test_connections(t):
    figures = bench(t, "--connections", 100, "--hold", 0.1)
    assert figures["opened"]["count"] == figures["handshake"]["count"] == 100, figures


@limit(60)
def test_churn(t):
    figures = bench(t, "--churn", "--messages", 100, "--concurrency", 10)
    assert figures["cycles"]["count"] == 100, figures


@limit(60)
def test_the_brokers_process(t):
    if t.broker.process is None:
        raise Skip("its process is not known")
    figures = bench(t, "--messages", 20000, "--pid", t.broker.process.pid)
    assert figures["published"]["broker_cpu_us_each"] > 0, figures
    assert figures["rss"]["before"] > 0 and figures["rss"]["after"] > 0, figures


@limit(60)
def test_for_people(t):
    done = start(t, "--messages", 1000, "--confirm", 10)
    assert done.returncode == 0, done
    for word in ("published", "delivered", "confirm", "latency", "none lost, doubled or reordered"):
        assert word in done.stdout, done.stdout


@limit(60)
def test_what_the_broker_refuses_is_printed(t):
    host = "%s:%d" % (t.broker.host, t.broker.port)
    done = start(t, "--url", "amqp://guest:wrong@%s/" % host, "--messages", 1)
    assert done.returncode == 69 and "403 ACCESS_REFUSED" in done.stderr, done
    done = start(t, "--url", "amqp://guest:guest@%s/no-such-vhost" % host, "--messages", 1)
    assert done.returncode == 69 and "530 NOT_ALLOWED" in done.stderr, done


@limit(60)
def test_nobody_listens(t):
    port, = brokers.free_ports(1)
    done = start(t, "--port", port, "--messages", 1)
    assert done.returncode == 69 and "Connection refused" in done.stderr, done


@limit(60)
def test_wrong_usage(t):
    for arguments in (("--size", "x"), ("--ack", 10, "--prefetch", 5), ("--no-such-option",), ("--fill", "--noise", 1), ("--verify", "x"),
                      ("--keyfile", "k")):
        done = start(t, *arguments)
        assert done.returncode == 64 and done.stderr and not done.stdout, done


# ---- TLS


@limit(60)
def test_tls(t):
    own = certificates.Tls(t)
    for arguments in ((), ("--ack", 1, "--prefetch", 100, "--confirm", 100), ("--size", 100000, "--confirm", 10),
                      ("--producers", 3, "--consumers", 3, "--queues", 2, "--threads", 2)):
        figures = bench(t, "--messages", 3000, *arguments, broker=own)
        assert figures["check"]["delivered"] == 3000, figures
        assert figures["tls"].startswith("TLSv1.3 TLS_"), figures
    figures = bench(t, "--churn", "--messages", 30, "--concurrency", 10, broker=own)
    assert figures["cycles"]["count"] == 30 and figures["tls"].startswith("TLSv1.3 "), figures
    assert bench(t, "--connections", 30, "--hold", 0.1, broker=own)["opened"]["count"] == 30
    done = start(t, "--messages", 10, broker=own)
    assert done.returncode == 0 and ", TLSv1.3 TLS_" in done.stdout.splitlines()[0], done


@limit(60)
def test_tls_certificates(t):
    """The broker's is verified, with its host, and one's own is shown."""
    own = certificates.Tls(t, verify="verify_peer", fail_if_no_peer_cert="true")
    path = own.authority.path
    shown = ("--certfile", path("client.pem"), "--keyfile", path("client.key"))
    url = "amqps://guest:guest@%%s:%d" % own.port

    def refused(text, *arguments, broker=own):
        done = start(t, "--messages", 10, *arguments, broker=broker)
        assert done.returncode == 69 and text in done.stderr, done

    for host in ("localhost", "127.0.0.1"):
        assert bench(t, "--messages", 10, "--url", url % host, *shown, broker=own)["check"]["delivered"] == 10
    refused("certificate required")
    refused("self-signed certificate", *shown, "--cacertfile", path("client.pem"))
    refused("cannot load --cacertfile no-such-file: No such file or directory", *shown, "--cacertfile", "no-such-file")
    refused("cannot load the private key", "--certfile", path("client.pem"), "--keyfile", own.authority.file)
    refused("wrong version number", "--port", own.broker.port)
    other = certificates.Tls(t, certified="elsewhere.invalid")
    refused("IP address mismatch", broker=other)
    refused("hostname mismatch", "--host", "localhost", broker=other)
    assert bench(t, "--messages", 10, "--verify", "verify_none", broker=other)["check"]["delivered"] == 10
