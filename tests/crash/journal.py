# SPDX-License-Identifier: MIT
"""Reads what journal.c has recorded."""

import collections
import struct

OPEN, WRITE, TRUNCATE, ALLOCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR = range(9)
DIRECTORY, CREATED, TRUNCATED = 1, 2, 4
_ENTRY = struct.Struct("=IIIIIIQQQQQQ")
_MAGIC = 0x4c4e524a
KEEP_SIZE = 1   # FALLOC_FL_KEEP_SIZE

# times in seconds of CLOCK_MONOTONIC, as time.monotonic() has them
Entry = collections.namedtuple("Entry", "kind flags path other begin end inode offset size data")


def read(path):
    """All entries, in the order in which the calls ended."""
    with open(path, "rb") as f:
        content = f.read()
    entries, position = [], 0
    while position < len(content):
        head = _ENTRY.unpack_from(content, position)
        magic, kind, flags, path_size, other_size, _, begin, end, inode, offset, size, data_size = head
        assert magic == _MAGIC, "the journal is damaged at %d" % position
        position += _ENTRY.size
        pieces = []
        for length in (path_size, other_size, data_size):
            pieces.append(content[position:position + length])
            position += length
        if len(pieces[2]) < data_size:
            break   # its program was killed while it wrote this
        entries.append(Entry(kind, flags, pieces[0].decode(), pieces[1].decode(), begin / 1e9, end / 1e9, inode, offset,
                             size, pieces[2]))
    entries.sort(key=lambda entry: entry.end)
    return entries
