# SPDX-License-Identifier: MIT
"""Messages that can be checked byte for byte by themselves.

A message's number is its publisher's (upper part) and a counter. The body says all of what the rest is made from, so
that what arrives can be built again and compared."""

import random
import struct

from lib import codec

HEAD = struct.Struct(">4sIIIII")   # magic, publisher, counter, size of the padding, flags, expiration in ms
MAGIC = b"shnt"
PERSISTENT, PROBE = 1, 2
SHIFT = 32
MASK = (1 << SHIFT) - 1
LARGEST = 256 << 10
_PADDING = random.Random(1).randbytes(2 * LARGEST)


class Damaged(Exception):
    """A message is not what was published."""


def number_of(publisher, counter):
    return publisher << SHIFT | counter


def name_of(number):
    return "%d.%d" % (number >> SHIFT, number & MASK)


def _properties(publisher, counter, flags, expiration):
    properties = {"delivery_mode": 2 if flags & PERSISTENT else 1}
    if counter % 3 == 0:
        properties["message_id"] = "%d.%d" % (publisher, counter)
    if counter % 5 == 0:
        properties["headers"] = {"publisher": publisher, "text": "x" * (counter % 200)}
    if expiration:
        properties["expiration"] = str(expiration)
    return codec.encode_properties(properties)


def build(publisher, counter, padding, flags=PERSISTENT, expiration=0):
    """(properties as on the wire, body)"""
    begin = (publisher * 7919 + counter * 104729) % LARGEST
    body = HEAD.pack(MAGIC, publisher, counter, padding, flags, expiration) + _PADDING[begin:begin + padding]
    return _properties(publisher, counter, flags, expiration), body


def check(properties, body):
    """(number, flags) of a message that arrived; raises Damaged if a byte of it is wrong."""
    try:
        magic, publisher, counter, padding, flags, expiration = HEAD.unpack_from(body)
    except struct.error:
        raise Damaged("a body of %d bytes: %r" % (len(body), body)) from None
    if magic != MAGIC or padding > LARGEST or flags & ~(PERSISTENT | PROBE):
        raise Damaged("not one of ours: %r" % body[:60])
    if build(publisher, counter, padding, flags, expiration) != (properties, body):
        raise Damaged("message %d.%d has other bytes than published; %d bytes of body, properties %r, begins %r"
                      % (publisher, counter, len(body), properties, body[:60]))
    return number_of(publisher, counter), flags
