# SPDX-License-Identifier: MIT
"""What /proc says of a broker process: memory, descriptors, threads. And clients that send without reading."""

import os
import re
import select
import socket
import struct

from . import wire

MiB = 1 << 20


def _status(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def _number(text, name):
    return int(re.search(r"^%s:\s*(\d+)" % name, text, re.MULTILINE).group(1))


def resident_bytes(broker):
    return _number(_status("/proc/%d/status" % broker.process.pid), "VmRSS") * 1024


def peak_bytes(broker):
    """The most it ever had since forget_peak(), or since it began."""
    return _number(_status("/proc/%d/status" % broker.process.pid), "VmHWM") * 1024


def forget_peak(broker):
    with open("/proc/%d/clear_refs" % broker.process.pid, "w", encoding="ascii") as f:
        f.write("5\n")


def is_sanitized(broker):
    """Sanitizers need memory of their own, and keep what is freed: then bounds mean nothing."""
    maps = _status("/proc/%d/maps" % broker.process.pid)
    return any(name in maps for name in ("libasan", "libtsan", "libubsan", "vgpreload"))


def check_peak(broker, most):
    """It never had more than this, in bytes."""
    peak = peak_bytes(broker)
    assert is_sanitized(broker) or peak <= most, "%.1f MiB resident at the peak, at most %.1f MiB expected" % (
        peak / MiB, most / MiB)


def check_growth(broker, before, most):
    now = resident_bytes(broker)
    assert is_sanitized(broker) or now - before <= most, "grew from %.1f to %.1f MiB, %.1f MiB are allowed" % (
        before / MiB, now / MiB, most / MiB)


def descriptors(broker):
    return len(os.listdir("/proc/%d/fd" % broker.process.pid))


def wake_ups(broker):
    """How often its loops went to sleep since they began: grows whenever one of them wakes up. (A sanitizer may have a
    thread of its own.)"""
    total = 0
    for task in os.listdir("/proc/%d/task" % broker.process.pid):
        text = _status("/proc/%d/task/%s/status" % (broker.process.pid, task))
        if int(task) == broker.process.pid or re.search(r"^Name:\s*loop-", text, re.MULTILINE):
            total += _number(text, "voluntary_ctxt_switches")
    return total


def cpu_seconds(broker):
    fields = _status("/proc/%d/stat" % broker.process.pid).rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- Clients

def frames(channel, method, **values):
    return wire.encode_frame(wire.METHOD, channel, wire.encode_method(method, **values))


def publish_frames(channel, exchange, routing_key, body, properties=None, frame_max=131072, **flags):
    """A whole publish, with its body cut as frame_max says."""
    room = frame_max - 8
    return b"".join([frames(channel, "basic.publish", exchange=exchange, routing_key=routing_key, **flags),
                     wire.encode_frame(wire.HEADER, channel, wire.encode_content_header(len(body), properties))] +
                    [wire.encode_frame(wire.BODY, channel, body[i:i + room]) for i in range(0, len(body), room)])


def send_until_refused(client, data, most, idle=1.5):
    """Sends data again and again, reading nothing, till the broker has taken nothing for `idle` seconds, or `most`
    bytes are sent. Returns the number of bytes; whole copies of data, unless it was refused."""
    sent = 0
    client.socket.setblocking(False)
    try:
        while sent < most:
            rest = memoryview(data)
            while rest:
                if not select.select([], [client.socket], [], idle)[1]:
                    return sent
                n = client.socket.send(rest)
                rest = rest[n:]
                sent += n
        return sent
    finally:
        client.socket.settimeout(client.limit)


def send_until_blocked(client, chunks):
    """Sends them until connection.blocked, or anything, comes; returns how many went whole, at least. None: all of them,
    and nothing came."""
    sent = 0
    client.socket.setblocking(False)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                readable, writable, _ = select.select([client.socket], [client.socket], [], 10)
                if readable:
                    return sent
                assert writable, "refused without connection.blocked"
                rest = rest[client.socket.send(rest):]
            sent += 1
        return None
    finally:
        client.socket.settimeout(client.limit)


class ShortQueues:
    """Messages of a long queue go to the disk. So what takes memory beyond a limit for sure is many queues that are
    short: each keeps a MiB in memory whatever happens, unless they and their messages are durable. The owner declares
    them."""

    def __init__(self, owner, body_size, total, durable=False):
        self.owner = owner
        self.properties = {"delivery_mode": 2} if durable else None
        self.body_size = body_size
        self.per_queue = 900 * 1024 // (body_size + 200)
        self.names = ["short.%d" % i for i in range(total // (self.per_queue * body_size))]
        for name in self.names:
            owner.call(1, "queue.declare", queue=name, durable=durable)

    def chunks(self):
        """What fills them, one after the other."""
        for name in self.names:
            yield publish_frames(1, "", name, bytes(self.body_size), self.properties) * self.per_queue

    def ready(self):
        return sum(self.owner.call(1, "queue.declare", queue=name, passive=True).message_count for name in self.names)

    def consume(self, **how):
        for name in self.names:
            self.owner.send(1, "basic.consume", queue=name, nowait=True, **how)

    def purge(self):
        for name in self.names:
            self.owner.call(1, "queue.purge", queue=name)


def has_input(client):
    """Something has come that is not read yet, in the socket or taken from it before."""
    return bool(client._input) or bool(select.select([client.socket], [], [], 0)[0])   # pylint: disable=protected-access


def reset(client):
    """Ends it as a crash of its machine would: RST, nothing flushed."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close_socket()
