# SPDX-License-Identifier: MIT
"""A client on a bare socket: handshakes with any parameters, any frame, and every answer checked."""

import socket
import ssl
import struct
import time

from .codec import (   # noqa: F401  (tests take all of it from here)
    METHOD, HEADER, BODY, HEARTBEAT, FRAME_END, PROTOCOL_HEADER, METHODS, Typed, Decimal, shortstr, longstr,
    encode_value, encode_table, decode_table, encode_method, decode_method, encode_properties, decode_properties,
    encode_content_header, encode_frame, Frame, Message, PROPERTY_NAMES)


LIMIT_SECONDS = 30   # for what must come: no more than a guard against waiting for ever


class Closed(Exception):
    """The peer closed the socket."""


class TimedOut(AssertionError):
    """What was waited for did not come within the limit."""


class Client:
    """A connection on a bare socket. `limit` is how long, in seconds, each read may wait; `tls` is an ssl.SSLContext for
    one that is not so bare; `header` comes before anything else, `source` is the address to come from."""

    def __init__(self, host, port, limit=LIMIT_SECONDS, tls=None, header=b"", source=None):
        self.limit = limit
        self.frame_max = 131072
        self._input = b""
        self.socket = socket.create_connection((host, port), timeout=limit,
                                               source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if header:
            self.socket.sendall(header)
        if tls is not None:
            self.begin_tls(tls)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close_socket()

    def close_socket(self):
        self.socket.close()

    def begin_tls(self, tls):
        self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")

    # -- sending

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_protocol_header(self, header=PROTOCOL_HEADER):
        self.send_raw(header)

    def send_frame(self, kind, channel, payload=b"", end=FRAME_END):
        self.send_raw(encode_frame(kind, channel, payload, end))

    def send(self, channel, method, **values):
        self.send_frame(METHOD, channel, encode_method(method, **values))

    def send_content(self, channel, body, properties=None, raw=None):
        """Content header and body frames, cut by frame_max."""
        out = [encode_frame(HEADER, channel, encode_content_header(len(body), properties, raw))]
        room = self.frame_max - 8
        out += [encode_frame(BODY, channel, body[i:i + room]) for i in range(0, len(body), room)]
        self.send_raw(b"".join(out))

    def publish(self, channel, exchange, routing_key, body=b"", properties=None, raw=None, **flags):
        self.send(channel, "basic.publish", exchange=exchange, routing_key=routing_key, **flags)
        self.send_content(channel, body, properties, raw)

    # -- receiving

    def _fill(self, size, deadline):
        while len(self._input) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut("nothing came within the limit; unread: %r" % self._input[:80])
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 18)
            except socket.timeout:
                continue
            except (ConnectionError, ssl.SSLError) as error:
                raise Closed(str(error)) from error
            finally:
                self.socket.settimeout(self.limit)
            if not data:
                raise Closed("end of stream; unread: %r" % self._input[:80])
            self._input += data

    def read_raw(self, size, limit=None):
        self._fill(size, time.monotonic() + (limit or self.limit))
        data, self._input = self._input[:size], self._input[size:]
        return data

    def take_input(self):
        """What has been received and not been read, for somebody who reads on from the socket itself."""
        data, self._input = self._input, b""
        return data

    def read_frame(self, limit=None):
        """The next frame, heartbeats included."""
        deadline = time.monotonic() + (limit or self.limit)
        self._fill(7, deadline)
        kind, channel, size = struct.unpack(">BHI", self._input[:7])
        assert size <= self.frame_max - 8, "frame of %d bytes with frame_max %d" % (size, self.frame_max)
        self._fill(size + 8, deadline)
        payload, end = self._input[7:7 + size], self._input[7 + size]
        assert end == FRAME_END, "bad end octet %r" % end
        self._input = self._input[size + 8:]
        return Frame(kind, channel, payload)

    def _read_busy_frame(self, deadline):
        while True:
            frame = self.read_frame(max(deadline - time.monotonic(), 0.001))
            if frame.type != HEARTBEAT:
                return frame

    def read_method(self, *names, channel=None, limit=None):
        """The next method; it must be one of `names` (if given), on `channel` (if given)."""
        frame = self._read_busy_frame(time.monotonic() + (limit or self.limit))
        assert frame.type == METHOD, "a method expected, got %r" % (frame,)
        method = decode_method(frame.channel, frame.payload)
        assert not names or method.name in names, "expected %s, got %r" % (" or ".join(names), method)
        assert channel is None or method.channel == channel, "expected channel %s: %r" % (channel, method)
        return method

    def read_content(self, method, limit=None):
        """The content after a method that carries one."""
        deadline = time.monotonic() + (limit or self.limit)
        header = self._read_busy_frame(deadline)
        assert (header.type, header.channel) == (HEADER, method.channel), "content header expected: %r" % (header,)
        class_id, weight, size = struct.unpack(">HHQ", header.payload[:12])
        assert (class_id, weight) == (60, 0), header
        bodies = []
        got = 0
        while got < size:
            frame = self._read_busy_frame(deadline)
            assert (frame.type, frame.channel) == (BODY, method.channel), "body expected: %r" % (frame[:2],)
            assert frame.payload, "empty body frame"
            bodies.append(frame.payload)
            got += len(frame.payload)
        assert got == size, "body longer than declared"
        return Message(method, header.payload[12:], b"".join(bodies), [len(body) for body in bodies])

    def read_message(self, name="basic.deliver", channel=None, limit=None):
        return self.read_content(self.read_method(name, channel=channel, limit=limit), limit)

    def expect_quiet(self, channel, queue=None):
        """Nothing is under way to this channel (from this queue): the answer to a harmless question comes first."""
        if queue is None:
            return self.call(channel, "channel.flow", active=True)
        return self.call(channel, "queue.declare", queue=queue, passive=True)

    # -- conversations

    def call(self, channel, method, **values):
        """Sends a method and reads its answer, which must be the -ok of the same name."""
        self.send(channel, method, **values)
        return self.read_method(method + "-ok", channel=channel)

    def get(self, channel, queue, no_ack=True):
        """A Message or None."""
        self.send(channel, "basic.get", queue=queue, no_ack=no_ack)
        method = self.read_method("basic.get-ok", "basic.get-empty", channel=channel)
        return None if method.name == "basic.get-empty" else self.read_content(method)

    def start(self, mechanism="PLAIN", response=None, user="guest", password="guest", capabilities=None,
              locale="en_US"):
        """Header to start-ok, without reading the answer; returns connection.start."""
        self.send_protocol_header()
        start = self.read_method("connection.start", channel=0)
        if response is None:
            response = b"\0" + user.encode() + b"\0" + password.encode()
        properties = {"product": "wire", "capabilities": capabilities if capabilities is not None else {
            "authentication_failure_close": True, "basic.nack": True, "consumer_cancel_notify": True,
            "publisher_confirms": True, "connection.blocked": True}}
        self.send(0, "connection.start-ok", client_properties=properties, mechanism=mechanism, response=response,
                  locale=locale)
        return start

    def tune(self, channel_max=None, frame_max=None, heartbeat=0):
        """Reads connection.tune and answers it; None takes the broker's value. Returns connection.tune."""
        tune = self.read_method("connection.tune", channel=0)
        channel_max = tune.channel_max if channel_max is None else channel_max
        frame_max = tune.frame_max if frame_max is None else frame_max
        heartbeat = tune.heartbeat if heartbeat is None else heartbeat
        self.send(0, "connection.tune-ok", channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat)
        self.frame_max = frame_max or 131072
        return tune

    def handshake(self, vhost="/", channel_max=None, frame_max=None, heartbeat=0, **start):
        self.start(**start)
        self.tune(channel_max, frame_max, heartbeat)
        self.call(0, "connection.open", virtual_host=vhost)
        return self

    def open_channel(self, channel=1):
        self.call(channel, "channel.open")
        return channel

    def close(self):
        """An orderly end: connection.close and its answer."""
        self.call(0, "connection.close", reply_code=200, reply_text="bye")
        self.close_socket()

    def expect_channel_close(self, channel, code, text=None, method=None):
        """The broker closes the channel with this; answers it, so that the channel may be opened again."""
        close = self.read_method("channel.close", channel=channel)
        check_close(close, code, text, method)
        self.send(channel, "channel.close-ok")
        return close

    def expect_connection_close(self, code, text=None, method=None):
        """The broker closes the connection with this; answers it. Does not wait for the socket to close."""
        close = self.read_method("connection.close", channel=0)
        check_close(close, code, text, method)
        self.send(0, "connection.close-ok")
        return close

    def expect_end_of_stream(self, limit=None):
        """The broker closes the socket without another frame but heartbeats."""
        deadline = time.monotonic() + (limit or self.limit)
        try:
            frame = self._read_busy_frame(deadline)
        except Closed:
            return
        raise AssertionError("end of stream expected, got %r" % (frame,))


def reply_text(text):
    """As RabbitMQ fits it into a short string: 252 bytes and three dots."""
    data = text.encode()
    return text if len(data) <= 255 else (data[:252] + b"...").decode("utf-8", "surrogateescape")


def check_close(close, code, text, method):
    """`text` is the whole reply text, or a compiled pattern; `method` the failing method's name, or 0 for none."""
    assert close.reply_code == code, "expected %d, got %r" % (code, close)
    if hasattr(text, "search"):
        assert text.search(close.reply_text), "expected text %r, got %r" % (text.pattern, close)
    elif text is not None:
        assert close.reply_text == reply_text(text), "expected text %r, got %r" % (reply_text(text), close)
    if method is not None:
        expected = (0, 0) if method == 0 else METHODS[method][:2]
        assert (close.class_id, close.method_id) == expected, "failing method: expected %s, got %r" % (method, close)
