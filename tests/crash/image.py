# SPDX-License-Identifier: MIT
"""What a disk may hold after a power cut, made from recorded writes.

The model, which is that of POSIX with a file system that keeps its own structure (ext4, data=ordered, XFS):
 - What had been written to a file before its fsync or fdatasync began is there once that has ended.
 - Of what was written since then each sector of 512 bytes is there or not, whatever was written before or after it;
   where two writes touched it, it has the bytes of either, or those from before both. What never came is zeros.
 - Sizes (ftruncate, fallocate) since the sync have changed in their order, up to some point.
 - Names (create, rename, unlink, mkdir) of a directory have changed in their order up to some point, at least up to the
   last fsync of the directory. A sync of a file says nothing of its name. A rename is there as a whole or not at all.
 - Nothing that was begun after the cut is there."""

import os

import journal

SECTOR = 512


class File:
    """The synced content, and what came since."""

    def __init__(self, content=b""):
        self.content = bytearray(content)
        self.pending = []   # entries WRITE, TRUNCATE, ALLOCATE, OPEN (with O_TRUNC)

    def sync(self, begin):
        later = []
        for entry in self.pending:
            if entry.end <= begin:
                _apply(self.content, entry)
            else:
                later.append(entry)
        self.pending = later

    def possible(self, more, choice):
        """One of the contents that it may have; `more` are the calls under way."""
        content = bytearray(self.content)
        entries = self.pending + more
        sizes = choice.prefix(sum(entry.kind != journal.WRITE for entry in entries))
        for index, entry in enumerate(entries):
            if entry.kind == journal.WRITE:
                for begin, end in choice.parts(index, len(entries), entry):
                    _put(content, entry.offset + begin, entry.data[begin:end])
            elif sizes > 0:
                sizes -= 1
                _apply(content, entry)
        return content


def _put(content, offset, data):
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


def _apply(content, entry):
    if entry.kind == journal.WRITE:
        _put(content, entry.offset, entry.data)
    elif entry.kind == journal.ALLOCATE:
        end = entry.offset + entry.size
        if not entry.flags & journal.KEEP_SIZE and end > len(content):
            content.extend(bytes(end - len(content)))
    else:
        size = 0 if entry.kind == journal.OPEN else entry.offset
        del content[size:]
        content.extend(bytes(size - len(content)))


class Directory:
    """The synced names, and their changes since: (entry, name, node or None, new name or None)."""

    def __init__(self):
        self.names = {}
        self.now = {}        # as the running program sees it
        self.pending = []

    def change(self, change):
        _change(self.now, change)
        self.pending.append(change)

    def sync(self, begin):
        while self.pending and self.pending[0][0].end <= begin:
            _change(self.names, self.pending.pop(0))

    def possible(self, choice):
        names = dict(self.names)
        for change in self.pending[:choice.prefix(len(self.pending))]:
            _change(names, change)
        return names


def _change(names, change):
    _, name, node, new_name = change
    if new_name is not None:
        names[new_name] = names.pop(name)
    elif node is None:
        names.pop(name, None)
    else:
        names[name] = node


class Choice:
    """What of the unsynced is there in one image."""
    KINDS = ("none", "all", "half", "few", "most", "whole", "torn")

    def __init__(self, random):
        self.random = random
        self.kind = random.choice(self.KINDS)
        self._torn_at = random.random()

    def prefix(self, count):
        return {"none": 0, "all": count}.get(self.kind, self.random.randint(0, count))

    def parts(self, index, count, entry):
        """Which parts (begin, end) of a write are there."""
        size = len(entry.data)
        if self.kind in ("none", "all"):
            return [(0, size)] if self.kind == "all" else []
        if self.kind == "whole":    # each write as a whole or not at all
            return [(0, size)] if self.random.random() < 0.5 else []
        if self.kind == "torn":     # in order, up to somewhere
            torn_at = int(self._torn_at * count)
            if index != torn_at:
                return [(0, size)] if index < torn_at else []
        chance = {"few": 0.1, "most": 0.9}.get(self.kind, 0.5)
        parts, begin = [], 0
        while begin < size:
            end = min(size, begin + SECTOR - (entry.offset + begin) % SECTOR)
            if self.random.random() < chance:
                parts.append((begin, end))
            begin = end
        return parts


class Disk:
    """A directory whose writes are replayed. Begins with what is there before the recorded program starts."""

    def __init__(self, directory):
        self.files = {}      # inode -> File
        self.root = Directory()
        self._load(directory, self.root)

    def _load(self, path, directory):
        for item in os.scandir(path):
            if item.is_dir():
                node = Directory()
                self._load(item.path, node)
            else:
                with open(item.path, "rb") as f:
                    node = self.files[item.inode()] = File(f.read())
            directory.names[item.name] = directory.now[item.name] = node

    def _directory(self, path):
        node = self.root
        for name in path.split("/") if path not in ("", ".") else ():
            node = node.now[name]
        return node

    def _change(self, entry, node, new=None):
        folder, name = os.path.split(entry.path)
        assert new is None or os.path.dirname(new) == folder, "renames between directories are not modelled"
        self._directory(folder).change((entry, name, node, os.path.basename(new) if new else None))

    def apply(self, entry):
        """A call that has ended."""
        if entry.kind == journal.OPEN:
            if entry.flags & journal.CREATED:
                node = self.files[entry.inode] = File()
                self._change(entry, node)
            elif entry.flags & journal.TRUNCATED:
                self.files[entry.inode].pending.append(entry)
        elif entry.kind in (journal.WRITE, journal.TRUNCATE, journal.ALLOCATE):
            self.files[entry.inode].pending.append(entry)
        elif entry.kind == journal.SYNC:
            node = self._directory(entry.path) if entry.flags & journal.DIRECTORY else self.files[entry.inode]
            node.sync(entry.begin)
        elif entry.kind == journal.MKDIR:
            self._change(entry, Directory())
        elif entry.kind == journal.RENAME:
            self._change(entry, None, entry.other)
        else:
            self._change(entry, None)

    def write_image(self, target, under_way, choice):
        """Makes the directory `target`; `under_way` are the calls that had begun and not ended."""
        more = {}
        for entry in under_way:
            if entry.kind in (journal.WRITE, journal.TRUNCATE, journal.ALLOCATE):
                more.setdefault(id(self.files.get(entry.inode)), []).append(entry)
        self._write(target, self.root, more, choice)

    def _write(self, target, directory, more, choice):
        os.mkdir(target, 0o700)
        for name, node in directory.possible(choice).items():
            path = os.path.join(target, name)
            if isinstance(node, Directory):
                self._write(path, node, more, choice)
                continue
            content = node.possible(more.get(id(node), []), choice)
            with open(path, "wb") as f:
                f.write(content.rstrip(b"\0"))
                f.truncate(len(content))
            os.chmod(path, 0o600)


class Replay:
    """Goes forward in time through a journal."""

    def __init__(self, disk, entries):
        self.disk, self.entries, self.position = disk, entries, 0

    def advance(self, moment):
        """All calls that had ended by then; returns those under way."""
        entries = self.entries
        while self.position < len(entries) and entries[self.position].end <= moment:
            self.disk.apply(entries[self.position])
            self.position += 1
        return [entry for entry in entries[self.position:self.position + 200] if entry.begin <= moment]
