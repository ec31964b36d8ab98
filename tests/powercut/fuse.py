"""Responsible for the kernel's side of the disk: requests of FUSE in, answers out.

Only what programs need that keep files in directories: no links, no devices, no locks (the kernel keeps those itself).
What is cached is cached by the kernel, since nobody but it changes anything; writes come at once (no writeback cache),
but pages that programs share in memory come when the kernel likes, as SQLite's ``-shm``.

Source: ``linux/fuse.h``, version 7.31.
Tests: ``tests/powercut/test_fuse.py``
"""

from __future__ import annotations

import errno
import stat
import time
from collections.abc import Callable
from itertools import count
from struct import Struct
from typing import ClassVar, Final, TypeAlias

from attrs import define, field

from tests.powercut.disk import Directory, File, Names, Node, Resize, Write

ROOT: Final = 1
LARGEST_WRITE: Final = 128 * 1024
BUFFER: Final = LARGEST_WRITE + 4096
FOR_EVER_S: Final = 86_400
BLOCK: Final = 4096
BLOCKS: Final = 1 << 20

VERSION: Final = (7, 31)
BIG_WRITES: Final = 1 << 5
SIZE_CHANGES: Final = 1 << 3
MODE_CHANGES: Final = 1 << 0
NO_REPLACE: Final = 1

_IN: Final = Struct("<IIQQIIIHH")
_OUT: Final = Struct("<IiQ")
_INIT_IN: Final = Struct("<IIII")
_INIT_OUT: Final = Struct("<IIIIHHIIHHI28x")
_ATTRIBUTES: Final = Struct("<QQQQQQIIIIIIIIII")
_ENTRY: Final = Struct("<QQQQII")
_VALID: Final = Struct("<QII")
_OPENED: Final = Struct("<QII")
_SETATTR: Final = Struct("<IIQQQQQQIIIIIIII")
_READ: Final = Struct("<QQII")
_WRITE: Final = Struct("<QQIIQII")
_WRITTEN: Final = Struct("<II")
_CREATE: Final = Struct("<IIII")
_MKDIR: Final = Struct("<II")
_RENAME: Final = Struct("<Q")
_RENAME2: Final = Struct("<QII")
_STATFS: Final = Struct("<QQQQQIIII24x")
_DIRENT: Final = Struct("<QQII")

Answer: TypeAlias = bytes | int
"""What is sent back; a number is what went wrong (``errno``)."""


@define(eq=False)
class Requests:
    """Answers the kernel for one disk, from its being mounted until it is no more."""

    root: Directory
    changes: int = 0
    """How many requests came that change something, or make it safe."""
    _nodes: dict[int, Node] = field(init=False)
    _numbers: dict[int, int] = field(init=False)
    """The number of each node, by its identity."""
    _next: count[int] = field(factory=lambda: count(ROOT + 1), init=False)
    _listings: dict[int, list[tuple[bytes, Node]]] = field(factory=dict, init=False)

    WITHOUT_ANSWER: ClassVar = (2, 36, 42)
    """FORGET, INTERRUPT, BATCH_FORGET."""
    CHANGING: ClassVar = (9, 10, 11, 12, 16, 20, 30, 35, 45)
    """MKDIR, UNLINK, RMDIR, RENAME, WRITE, FSYNC, FSYNCDIR, CREATE, RENAME2; SETATTR counts when it cuts off."""
    SYNCING: ClassVar = (20, 30)
    """FSYNC, FSYNCDIR."""

    def __attrs_post_init__(self) -> None:
        self._nodes, self._numbers = {ROOT: self.root}, {id(self.root): ROOT}

    def answer(self, request: bytes, last: int | None = None) -> bytes | None:
        """The answer to one request, if there shall be one; by the ``last`` change nothing becomes safe any more."""
        _, code, unique, number = _IN.unpack_from(request)[:4]
        if code in self.WITHOUT_ANSWER:
            return None
        self.changes += code in self.CHANGING
        if code in self.SYNCING and last is not None and self.changes >= last:
            return None
        asked = _ANSWERS.get(code)
        answer: Answer = (
            errno.ENOSYS if asked is None else asked(self, self._nodes[number or ROOT], request[_IN.size :])
        )
        if isinstance(answer, int):
            return _OUT.pack(_OUT.size, -answer, unique)
        return _OUT.pack(_OUT.size + len(answer), 0, unique) + answer

    def init(self, node: Node, body: bytes) -> Answer:
        """Agree on the version."""
        _, _, readahead, _ = _INIT_IN.unpack_from(body)
        return _INIT_OUT.pack(*VERSION, readahead, BIG_WRITES, 12, 9, LARGEST_WRITE, 1, 0, 0, 0)

    def lookup(self, node: Node, body: bytes) -> Answer:
        """What a name leads to."""
        found = _directory(node).entries.get(_name(body))
        return errno.ENOENT if found is None else self._entry(found)

    def getattr(self, node: Node, body: bytes) -> Answer:
        """What a node is."""
        return _VALID.pack(FOR_EVER_S, 0, 0) + self._attributes(node)

    def setattr(self, node: Node, body: bytes) -> Answer:
        """Cut a file off or make it longer, say who may use it; times are not kept."""
        valid, _, _, size, *_, mode, _, _, _, _ = _SETATTR.unpack_from(body)
        if valid & MODE_CHANGES:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        if valid & SIZE_CHANGES:
            self.changes += 1
            _file(node).change(Resize(size))
        return self.getattr(node, body)

    def mkdir(self, node: Node, body: bytes) -> Answer:
        """Make a directory."""
        mode, _ = _MKDIR.unpack_from(body)
        return self._made(node, _name(body[_MKDIR.size :]), Directory(stat.S_IFDIR | stat.S_IMODE(mode)))

    def create(self, node: Node, body: bytes) -> Answer:
        """Make a file and open it."""
        mode = _CREATE.unpack_from(body)[1]
        entry = self._made(node, _name(body[_CREATE.size :]), File(stat.S_IFREG | stat.S_IMODE(mode)))
        return entry if isinstance(entry, int) else entry + self.open(node, body)

    def unlink(self, node: Node, body: bytes) -> Answer:
        """Remove a file's name."""
        directory, name = _directory(node), _name(body)
        if name not in directory.entries:
            return errno.ENOENT
        directory.change({name: None})
        return b""

    def rmdir(self, node: Node, body: bytes) -> Answer:
        """Remove an empty directory."""
        found = _directory(node).entries.get(_name(body))
        return errno.ENOTEMPTY if isinstance(found, Directory) and found.entries else self.unlink(node, body)

    def rename(self, node: Node, body: bytes) -> Answer:
        """Give another name inside the same directory."""
        (new_parent,) = _RENAME.unpack_from(body)
        return self._renamed(node, new_parent, 0, body[_RENAME.size :])

    def rename2(self, node: Node, body: bytes) -> Answer:
        """The same, with conditions."""
        new_parent, flags, _ = _RENAME2.unpack_from(body)
        return self._renamed(node, new_parent, flags, body[_RENAME2.size :])

    def open(self, node: Node, body: bytes) -> bytes:
        """Open a file; its node is all that is needed later."""
        return _OPENED.pack(0, 0, 0)

    def read(self, node: Node, body: bytes) -> Answer:
        """Bytes of a file."""
        _, offset, size, _ = _READ.unpack_from(body)
        return bytes(_file(node).content[offset : offset + size])

    def write(self, node: Node, body: bytes) -> Answer:
        """Bytes into a file."""
        _, offset, size, *_ = _WRITE.unpack_from(body)
        _file(node).change(Write(offset, body[_WRITE.size : _WRITE.size + size]))
        return _WRITTEN.pack(size, 0)

    def sync(self, node: Node, body: bytes) -> Answer:
        """Make a file safe, or the names of a directory."""
        node.sync()
        return b""

    def done(self, node: Node, body: bytes) -> Answer:
        """Nothing need be done."""
        return b""

    def opendir(self, node: Node, body: bytes) -> Answer:
        """Note what is in a directory now: readers come back for more while it changes."""
        handle = next(self._next)
        self._listings[handle] = sorted(_directory(node).entries.items())
        return _OPENED.pack(handle, 0, 0)

    def readdir(self, node: Node, body: bytes) -> Answer:
        """The next names."""
        handle, offset, size, _ = _READ.unpack_from(body)
        answer = b""
        for number, (name, found) in enumerate(self._listings[handle][offset:], offset + 1):
            kind = stat.S_IFMT(found.mode) >> 12
            entry = _DIRENT.pack(self._number(found), number, len(name), kind) + name + bytes(-len(name) % 8)
            if len(answer) + len(entry) > size:
                break
            answer += entry
        return answer

    def releasedir(self, node: Node, body: bytes) -> Answer:
        """Forget what was noted."""
        self._listings.pop(_READ.unpack_from(body)[0], None)
        return b""

    def statfs(self, node: Node, body: bytes) -> Answer:
        """Room enough."""
        return _STATFS.pack(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCK, 255, BLOCK, 0)

    def _made(self, node: Node, name: bytes, made: Node) -> Answer:
        directory = _directory(node)
        if name in directory.entries:
            return errno.EEXIST
        directory.change({name: made})
        return self._entry(made)

    def _renamed(self, node: Node, new_parent: int, flags: int, names: bytes) -> Answer:
        directory = _directory(node)
        old, new, _ = names.split(b"\0", 2)
        if self._nodes[new_parent] is not directory:
            return errno.EXDEV
        if flags & ~NO_REPLACE:
            return errno.EINVAL
        if flags and new in directory.entries:
            return errno.EEXIST
        change: Names = {old: None, new: directory.entries[old]}
        directory.change(change)
        return b""

    def _number(self, node: Node) -> int:
        number = self._numbers.get(id(node))
        if number is None:
            number = self._numbers[id(node)] = next(self._next)
            # Kept until the disk is no more: whoever has it open still uses it when its name is gone.
            self._nodes[number] = node
        return number

    def _entry(self, node: Node) -> bytes:
        return _ENTRY.pack(self._number(node), 0, FOR_EVER_S, FOR_EVER_S, 0, 0) + self._attributes(node)

    def _attributes(self, node: Node) -> bytes:
        size, now = len(node.content) if isinstance(node, File) else 0, int(time.time())
        blocks = -(-size // 512)
        return _ATTRIBUTES.pack(
            self._number(node), size, blocks, now, now, now, 0, 0, 0, node.mode, 1, 0, 0, 0, BLOCK, 0
        )


def _name(body: bytes) -> bytes:
    return body.partition(b"\0")[0]


def _file(node: Node) -> File:
    assert isinstance(node, File)
    return node


def _directory(node: Node) -> Directory:
    assert isinstance(node, Directory)
    return node


_ANSWERS: Final[dict[int, Callable[[Requests, Node, bytes], Answer]]] = {
    1: Requests.lookup,
    3: Requests.getattr,
    4: Requests.setattr,
    9: Requests.mkdir,
    10: Requests.unlink,
    11: Requests.rmdir,
    12: Requests.rename,
    14: Requests.open,
    15: Requests.read,
    16: Requests.write,
    17: Requests.statfs,
    18: Requests.done,  # RELEASE
    20: Requests.sync,
    25: Requests.done,  # FLUSH
    26: Requests.init,
    27: Requests.opendir,
    28: Requests.readdir,
    29: Requests.releasedir,
    30: Requests.sync,  # FSYNCDIR
    35: Requests.create,
    38: Requests.done,  # DESTROY
    45: Requests.rename2,
}
