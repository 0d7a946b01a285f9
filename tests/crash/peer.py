# SPDX-License-Identifier: MIT
"""Connections that never block, many of them in one thread: frames in, frames out, and who is told of them.

The handshake is lib.wire's; afterwards each channel is an Actor, whose methods are called with what comes."""

import selectors
import struct
import time

from lib import codec, wire

_FRAME = struct.Struct(">BHI")
_IDS = struct.Struct(">HH")
_DELIVERY = struct.Struct(">QB")
_SIZE = struct.Struct(">Q")
_DELIVER, _GET_OK = (60, 60), (60, 71)
READ_SIZE = 1 << 18
LIMIT_SECONDS = 60   # for what a broker must do, on a machine that has much else to do


class Actor:
    """One channel. `peer` and `channel` are set by Peer.add."""
    peer = None
    channel = 0

    def prepare(self, client):
        """Opens what it needs, blocking; `client` is a wire.Client and the channel is open."""

    def begin(self):
        """The load begins: the first frames may be sent."""

    def on_method(self, method):
        """Anything but deliveries."""

    def on_message(self, tag, redelivered, consumer, properties, body):
        """A delivery, or the answer to a basic.get (consumer is then None)."""

    def on_flushed(self, now):
        """All that was sent has been handed to the kernel."""

    def on_turn(self):
        """Called each turn of the loop: what is to be done without having been told anything."""

    def send(self, name, **values):
        self.peer.write(codec.encode_frame(codec.METHOD, self.channel, codec.encode_method(name, **values)))


class Peer:
    """A connection and its actors. After the broker's death `dead` is set; what had arrived is still handled."""

    def __init__(self, broker):
        self.client = wire.Client(broker.host, broker.port, LIMIT_SECONDS)
        self.client.handshake(user=broker.user, password=broker.password)
        self.socket = self.client.socket
        self.actors = {}
        self.dead = False
        self.closed_by_broker = None   # the connection.close that came
        self.is_blocked = False
        # what is being handled was sent after that: nothing was there to be read then, however late we read now
        self.sent_after = self.read_all_at = time.monotonic()
        self._input = b""
        self._output = []
        self._contents = {}   # channel -> [tag, redelivered, consumer, properties, size, pieces]

    def add(self, actor):
        actor.peer, actor.channel = self, len(self.actors) + 1
        self.actors[actor.channel] = actor
        self.client.open_channel(actor.channel)
        actor.prepare(self.client)
        return actor

    def begin(self):
        self.socket.setblocking(False)
        self._input = self.client.take_input()
        for actor in self.actors.values():
            actor.begin()

    def write(self, data):
        self._output.append(data)

    @property
    def has_output(self):
        return bool(self._output)

    def flush(self):
        """Hands what is to be sent to the kernel, as far as it goes."""
        if not self._output or self.dead:
            return
        data = b"".join(self._output)
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # the end of the broker; what it had sent is still to be read
            self._output = []
            return
        self._output = [data[sent:]] if sent < len(data) else []
        if not self._output:
            now = time.monotonic()
            for actor in self.actors.values():
                actor.on_flushed(now)

    def receive(self):
        """Handles what is there; False when there is nothing more at the moment."""
        now = time.monotonic()
        if not self._input:   # else some of what follows was there before
            self.sent_after = self.read_all_at
        try:
            data = self.socket.recv(READ_SIZE)
        except (BlockingIOError, TimeoutError):
            return False
        except OSError:
            data = b""
        if not data:
            self.dead = True
            return False
        if len(data) < READ_SIZE:
            self.read_all_at = now
        self._take(self._input + data if self._input else data)
        return True

    def _take(self, data):
        position, end = 0, len(data)
        while end - position >= 7:
            kind, channel, size = _FRAME.unpack_from(data, position)
            if end - position < size + 8:
                break
            self._on_frame(kind, channel, data[position + 7:position + 7 + size])
            position += size + 8
        self._input = data[position:]

    def _on_frame(self, kind, channel, payload):
        if kind == codec.METHOD:
            ids = _IDS.unpack_from(payload)
            if ids == _DELIVER:
                end = 5 + payload[4]
                self._contents[channel] = [*_DELIVERY.unpack_from(payload, end), payload[5:end], b"", 0, []]
            elif ids == _GET_OK:
                self._contents[channel] = [*_DELIVERY.unpack_from(payload, 4), None, b"", 0, []]
            else:
                self._on_method(channel, codec.decode_method(channel, payload))
        elif kind == codec.HEADER:
            content = self._contents[channel]
            content[3], content[4] = payload[12:], _SIZE.unpack_from(payload, 4)[0]
            self._finish(channel, content)
        elif kind == codec.BODY:
            content = self._contents[channel]
            content[4] -= len(payload)
            content[5].append(payload)
            self._finish(channel, content)

    def _finish(self, channel, content):
        if content[4] == 0:
            del self._contents[channel]
            tag, redelivered, consumer, properties, _, pieces = content
            self.actors[channel].on_message(tag, redelivered & 1, consumer, properties, b"".join(pieces))

    def _on_method(self, channel, method):
        if channel:
            self.actors[channel].on_method(method)
        elif method.name == "connection.close":
            self.closed_by_broker = method
            self.write(codec.encode_frame(codec.METHOD, 0, codec.encode_method("connection.close-ok")))
        elif method.name in ("connection.blocked", "connection.unblocked"):
            self.is_blocked = method.name == "connection.blocked"

    def close(self):
        self.socket.close()


def publish_frames(channel, head, properties, body, frame_max):
    """The frames of one publish; `head` is the payload of its basic.publish."""
    out = [_FRAME.pack(codec.METHOD, channel, len(head)), head, b"\xce",
           _FRAME.pack(codec.HEADER, channel, 12 + len(properties)), struct.pack(">HHQ", 60, 0, len(body)), properties,
           b"\xce"]
    room = frame_max - 8
    for i in range(0, len(body), room):
        piece = body[i:i + room]
        out += [_FRAME.pack(codec.BODY, channel, len(piece)), piece, b"\xce"]
    return b"".join(out)


class Loop:
    """Runs peers until something is the case."""

    def __init__(self, peers):
        self.peers = peers
        self._selector = selectors.DefaultSelector()
        for peer in peers:
            self._selector.register(peer.socket, selectors.EVENT_READ, peer)

    def _turn(self, timeout):
        for peer in self.peers:
            for actor in peer.actors.values():
                actor.on_turn()
            peer.flush()
        now = time.monotonic()
        ready = [key.data for key, _ in self._selector.select(timeout)]
        for peer in self.peers:
            if peer not in ready:
                peer.read_all_at = now
        for peer in ready:
            peer.receive()
            if peer.dead:
                self._selector.unregister(peer.socket)
            peer.flush()

    def run_until(self, is_done, limit):
        """True once is_done(); False when that does not come within the limit."""
        deadline = time.monotonic() + limit
        while not is_done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            # output that did not go is tried again soon; all else comes as something to read
            self._turn(min(left, 0.001 if any(p.has_output for p in self.peers) else 0.02))
        return True

    def run_for(self, seconds):
        self.run_until(lambda: all(p.dead for p in self.peers), seconds)

    def finish(self):
        """After the broker's end: all that it had sent is handled, then the sockets are closed."""
        for peer in self.peers:
            deadline = time.monotonic() + 10
            peer.socket.settimeout(0.5)
            while not peer.dead and time.monotonic() < deadline:
                peer.receive()
            peer.close()
        self._selector.close()
