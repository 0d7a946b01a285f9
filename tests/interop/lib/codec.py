# SPDX-License-Identifier: MIT
"""AMQP 0-9-1 by hand: values, tables, methods, properties, frames; also what no client library would write.

Nothing here is shared with the broker or with pika, so both are checked against a third reading of the specification.
"""

import collections
import struct

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = 0xCE
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

# class id, method id, name, fields
_METHOD_TABLE = """
10 10 connection.start octet:version_major octet:version_minor table:server_properties longstr:mechanisms longstr:locales
10 11 connection.start-ok table:client_properties shortstr:mechanism longstr:response shortstr:locale
10 20 connection.secure longstr:challenge
10 21 connection.secure-ok longstr:response
10 30 connection.tune short:channel_max long:frame_max short:heartbeat
10 31 connection.tune-ok short:channel_max long:frame_max short:heartbeat
10 40 connection.open shortstr:virtual_host shortstr:reserved_1 bit:reserved_2
10 41 connection.open-ok shortstr:reserved_1
10 50 connection.close short:reply_code shortstr:reply_text short:class_id short:method_id
10 51 connection.close-ok
10 60 connection.blocked shortstr:reason
10 61 connection.unblocked
10 70 connection.update-secret longstr:new_secret shortstr:reason
10 71 connection.update-secret-ok
20 10 channel.open shortstr:reserved_1
20 11 channel.open-ok longstr:reserved_1
20 20 channel.flow bit:active
20 21 channel.flow-ok bit:active
20 40 channel.close short:reply_code shortstr:reply_text short:class_id short:method_id
20 41 channel.close-ok
30 10 access.request shortstr:realm bit:exclusive bit:passive bit:active bit:write bit:read
30 11 access.request-ok short:ticket
40 10 exchange.declare short:ticket shortstr:exchange shortstr:type bit:passive bit:durable bit:auto_delete bit:internal bit:nowait table:arguments
40 11 exchange.declare-ok
40 20 exchange.delete short:ticket shortstr:exchange bit:if_unused bit:nowait
40 21 exchange.delete-ok
40 30 exchange.bind short:ticket shortstr:destination shortstr:source shortstr:routing_key bit:nowait table:arguments
40 31 exchange.bind-ok
40 40 exchange.unbind short:ticket shortstr:destination shortstr:source shortstr:routing_key bit:nowait table:arguments
40 51 exchange.unbind-ok
50 10 queue.declare short:ticket shortstr:queue bit:passive bit:durable bit:exclusive bit:auto_delete bit:nowait table:arguments
50 11 queue.declare-ok shortstr:queue long:message_count long:consumer_count
50 20 queue.bind short:ticket shortstr:queue shortstr:exchange shortstr:routing_key bit:nowait table:arguments
50 21 queue.bind-ok
50 30 queue.purge short:ticket shortstr:queue bit:nowait
50 31 queue.purge-ok long:message_count
50 40 queue.delete short:ticket shortstr:queue bit:if_unused bit:if_empty bit:nowait
50 41 queue.delete-ok long:message_count
50 50 queue.unbind short:ticket shortstr:queue shortstr:exchange shortstr:routing_key table:arguments
50 51 queue.unbind-ok
60 10 basic.qos long:prefetch_size short:prefetch_count bit:global
60 11 basic.qos-ok
60 20 basic.consume short:ticket shortstr:queue shortstr:consumer_tag bit:no_local bit:no_ack bit:exclusive bit:nowait table:arguments
60 21 basic.consume-ok shortstr:consumer_tag
60 30 basic.cancel shortstr:consumer_tag bit:nowait
60 31 basic.cancel-ok shortstr:consumer_tag
60 40 basic.publish short:ticket shortstr:exchange shortstr:routing_key bit:mandatory bit:immediate
60 50 basic.return short:reply_code shortstr:reply_text shortstr:exchange shortstr:routing_key
60 60 basic.deliver shortstr:consumer_tag longlong:delivery_tag bit:redelivered shortstr:exchange shortstr:routing_key
60 70 basic.get short:ticket shortstr:queue bit:no_ack
60 71 basic.get-ok longlong:delivery_tag bit:redelivered shortstr:exchange shortstr:routing_key long:message_count
60 72 basic.get-empty shortstr:cluster_id
60 80 basic.ack longlong:delivery_tag bit:multiple
60 90 basic.reject longlong:delivery_tag bit:requeue
60 100 basic.recover-async bit:requeue
60 110 basic.recover bit:requeue
60 111 basic.recover-ok
60 120 basic.nack longlong:delivery_tag bit:multiple bit:requeue
85 10 confirm.select bit:nowait
85 11 confirm.select-ok
90 10 tx.select
90 11 tx.select-ok
90 20 tx.commit
90 21 tx.commit-ok
90 30 tx.rollback
90 31 tx.rollback-ok
"""

_NUMBERS = {"octet": ">B", "short": ">H", "long": ">I", "longlong": ">Q"}

PROPERTY_NAMES = ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id",
                  "reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id")
_PROPERTY_TYPES = {"headers": "table", "delivery_mode": "octet", "priority": "octet", "timestamp": "longlong"}


def _read_method_table():
    by_name, by_id = {}, {}
    for line in _METHOD_TABLE.strip().splitlines():
        class_id, method_id, name, *fields = line.split()
        fields = [tuple(field.split(":")) for field in fields]
        by_name[name] = (int(class_id), int(method_id), fields)
        by_id[int(class_id), int(method_id)] = (name, fields)
    return by_name, by_id


METHODS, _METHODS_BY_ID = _read_method_table()


# ---- values and tables ----------------------------------------------------------------------------------------------

Typed = collections.namedtuple("Typed", "type value")   # a table value of exactly this wire type
Decimal = collections.namedtuple("Decimal", "scale value")


def shortstr(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">B", len(data)) + data


def longstr(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">I", len(data)) + data


_INTEGER_FORMATS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "L": ">q",
                    "T": ">Q", "f": ">f", "d": ">d"}


def _guess_type(value):
    if isinstance(value, bool):
        return "t"
    if isinstance(value, int):
        return "I" if -2**31 <= value < 2**31 else "l"
    return {float: "d", str: "S", bytes: "S", dict: "F", list: "A", type(None): "V"}[type(value)]


def encode_value(value):
    """The type octet and the value; Typed(...) chooses the type, plain Python values get the usual one."""
    if not isinstance(value, Typed):
        value = Typed(_guess_type(value), value)
    kind, content = value
    return kind.encode() + _encode_content(kind, content)


def _encode_content(kind, content):
    if kind in _INTEGER_FORMATS:
        return struct.pack(_INTEGER_FORMATS[kind], content)
    if kind == "t":
        return struct.pack(">B", content)
    if kind in "Sx":
        return longstr(content)
    if kind == "D":
        return struct.pack(">Bi", content.scale, content.value)
    if kind == "F":
        return encode_table(content)
    if kind == "A":
        return longstr(b"".join(encode_value(item) for item in content))
    if kind == "V":
        return b""
    raise ValueError(kind)


def encode_table(table):
    """A dict, or bytes that already are the table's content; with the length before it."""
    if isinstance(table, bytes):
        return longstr(table)
    return longstr(b"".join(shortstr(key) + encode_value(value) for key, value in table.items()))


class Reader:
    """Reads wire types from bytes; running over the end is an AssertionError (the broker sent rubbish)."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def take(self, size):
        assert size <= len(self.data) - self.position, "truncated: %r" % (self.data,)
        self.position += size
        return self.data[self.position - size:self.position]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def shortstr(self):
        return self.take(self.number(">B")).decode("utf-8", "surrogateescape")

    def longstr(self):
        return self.take(self.number(">I"))

    def at_end(self):
        return self.position == len(self.data)

    def value(self):
        kind = chr(self.number(">B"))
        if kind in _INTEGER_FORMATS:
            return self.number(_INTEGER_FORMATS[kind])
        if kind == "t":
            return self.number(">B") != 0
        if kind == "S":
            return self.longstr().decode("utf-8", "surrogateescape")
        if kind == "x":
            return self.longstr()
        if kind == "D":
            return Decimal(self.number(">B"), self.number(">i"))
        if kind == "F":
            return decode_table(self.longstr())
        if kind == "A":
            inner = Reader(self.longstr())
            items = []
            while not inner.at_end():
                items.append(inner.value())
            return items
        assert kind == "V", "unknown table value type %r" % kind
        return None


def decode_table(content):
    """The bytes after the table's length, as a dict in wire order."""
    reader = Reader(content)
    table = {}
    while not reader.at_end():
        key = reader.shortstr()
        table[key] = reader.value()
    return table


# ---- methods, properties, frames ------------------------------------------------------------------------------------

def encode_method(method, **values):
    """A method's payload. Fields not given are 0, false or empty."""
    class_id, method_id, fields = METHODS[method]
    unknown = set(values) - {field for _, field in fields}
    assert not unknown, "%s has no field %s" % (method, unknown)
    out = [struct.pack(">HH", class_id, method_id)]
    bits = None
    for kind, field in fields:
        value = values.get(field)
        if kind == "bit":
            bits = bits or []
            bits.append(bool(value))
            continue
        out.append(_flush_bits(bits))
        bits = None
        if kind in _NUMBERS:
            out.append(struct.pack(_NUMBERS[kind], value or 0))
        elif kind == "shortstr":
            out.append(shortstr(value or b""))
        elif kind == "longstr":
            out.append(longstr(value or b""))
        else:
            out.append(encode_table(value or {}))
    out.append(_flush_bits(bits))
    return b"".join(out)


def _flush_bits(bits):
    if not bits:
        return b""
    return struct.pack(">B", sum(bit << index for index, bit in enumerate(bits)))


class Method:
    """A method that the broker sent: name, channel, and the fields as attributes; tables are raw bytes."""

    def __init__(self, name, channel, values):
        self.name, self.channel = name, channel
        self.__dict__.update(values)

    def __repr__(self):
        return "<%s>" % " ".join("%s=%r" % item for item in self.__dict__.items())


def decode_method(channel, payload):
    reader = Reader(payload)
    method_id = reader.number(">H"), reader.number(">H")
    assert method_id in _METHODS_BY_ID, "unknown method %d.%d from the broker" % method_id
    name, fields = _METHODS_BY_ID[method_id]
    values = {}
    bit = 8
    octet = 0
    for kind, field in fields:
        if kind == "bit":
            if bit == 8:
                octet, bit = reader.number(">B"), 0
            values[field] = bool(octet >> bit & 1)
            bit += 1
            continue
        bit = 8
        if kind in _NUMBERS:
            values[field] = reader.number(_NUMBERS[kind])
        else:
            values[field] = reader.shortstr() if kind == "shortstr" else reader.longstr()
    assert reader.at_end(), "%s has bytes after its last field: %r" % (name, payload)
    return Method(name, channel, values)


def encode_properties(properties):
    """Flags and property list; `headers` is a dict or a raw table content."""
    flags, out = 0, []
    for index, name in enumerate(PROPERTY_NAMES):
        value = properties.get(name)
        if value is None:
            continue
        flags |= 1 << (15 - index)
        kind = _PROPERTY_TYPES.get(name, "shortstr")
        if kind == "table":
            out.append(encode_table(value))
        elif kind == "shortstr":
            out.append(shortstr(value))
        else:
            out.append(struct.pack(_NUMBERS[kind], value))
    assert not set(properties) - set(PROPERTY_NAMES), properties
    return struct.pack(">H", flags) + b"".join(out)


def decode_properties(raw):
    """A dict of the properties present; `headers` decoded."""
    reader = Reader(raw)
    flags = reader.number(">H")
    properties = {}
    for index, name in enumerate(PROPERTY_NAMES):
        if not flags >> (15 - index) & 1:
            continue
        kind = _PROPERTY_TYPES.get(name, "shortstr")
        if kind == "table":
            properties[name] = decode_table(reader.longstr())
        else:
            properties[name] = reader.shortstr() if kind == "shortstr" else reader.number(_NUMBERS[kind])
    assert reader.at_end(), "bytes after the last property: %r" % (raw,)
    return properties


def encode_content_header(body_size, properties=None, raw=None, class_id=60):
    if raw is None:
        raw = encode_properties(properties or {})
    return struct.pack(">HHQ", class_id, 0, body_size) + raw


def encode_frame(kind, channel, payload=b"", end=FRAME_END):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + struct.pack(">B", end)


Frame = collections.namedtuple("Frame", "type channel payload")


class Message:
    """A delivery: the method that brought it, its raw properties and its body."""

    def __init__(self, method, raw_properties, body, body_frames):
        self.method, self.raw_properties, self.body, self.body_frames = method, raw_properties, body, body_frames
        self.properties = decode_properties(raw_properties)
        self.headers = self.properties.get("headers", {})
