"""Responsible for a disk in memory that knows what a power cut would leave of it: as little as any disk may leave.

* The bytes of a file are safe when that file was synced (fsync, fdatasync), and only then.
* A name in a directory (made, renamed, removed) is safe when that directory was synced, and only then: not with the
  file that it leads to, and not with a directory inside.
* Of what is not safe each write and each change of a name may be there or not, whatever came before or after it.
  The last write that is there may be torn: at a sector of 512 bytes, or at any byte.
* A rename is there whole or not at all. Changes of one name keep their order, as in the journal of every file system.

ext4 promises more: changes of names keep their order, and syncing a file keeps its name. What holds here holds there.

Tests: ``tests/powercut/test_disk.py``
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, TypeAlias, TypeVar, Union

from attrs import define, field, frozen

T = TypeVar("T")

SECTOR: Final = 512

Node: TypeAlias = Union["File", "Directory"]
Names: TypeAlias = dict[bytes, "Node | None"]
"""One change of names: what each of them leads to after it, ``None`` for nothing."""


@frozen
class Write:
    """Bytes put into a file."""

    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        """Do so; between the end and the offset are zeros."""
        if self.offset > len(content):
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.data)] = self.data

    def torn(self, chance: Random) -> Write:
        """A part of it: what lies before, or behind, some sector of the file or some byte."""
        end = self.offset + len(self.data)
        sectors = range((self.offset // SECTOR + 1) * SECTOR, end, SECTOR)
        at = chance.choice(sectors) if sectors and chance.random() < 0.5 else chance.randint(self.offset, end)
        if chance.random() < 0.5:
            return Write(self.offset, self.data[: at - self.offset])
        return Write(at, self.data[at - self.offset :])


@frozen
class Resize:
    """A file cut off, or made longer by zeros."""

    size: int

    def apply(self, content: bytearray) -> None:
        """Do so."""
        del content[self.size :]
        content.extend(bytes(self.size - len(content)))


@define(eq=False)
class File:
    """A file: as programs see it, and as it is safe."""

    mode: int
    content: bytearray = field(factory=bytearray)
    safe: bytearray = field(factory=bytearray)
    pending: list[Write | Resize] = field(factory=list)

    def change(self, change: Write | Resize) -> None:
        """Let programs see it; it is not safe yet."""
        change.apply(self.content)
        self.pending.append(change)

    def sync(self) -> None:
        """Make it safe."""
        for change in self.pending:
            change.apply(self.safe)
        self.pending.clear()

    def left(self, chance: Random) -> File:
        """What a power cut leaves of it."""
        content = bytearray(self.safe)
        some = chosen(self.pending, chance)
        chance.shuffle(some)
        if some and isinstance(last := some[-1], Write) and chance.random() < 0.5:
            some[-1] = last.torn(chance)
        for change in some:
            change.apply(content)
        return File(self.mode, content, bytearray(content))


@define(eq=False)
class Directory:
    """A directory: as programs see it, and as it is safe."""

    mode: int
    entries: dict[bytes, Node] = field(factory=dict)
    safe: dict[bytes, Node] = field(factory=dict)
    pending: list[Names] = field(factory=list)

    def change(self, names: Names) -> None:
        """Let programs see it; it is not safe yet."""
        _rename(self.entries, names)
        self.pending.append(names)

    def sync(self) -> None:
        """Make it safe: the names, not what they lead to."""
        for names in self.pending:
            _rename(self.safe, names)
        self.pending.clear()

    def left(self, chance: Random) -> Directory:
        """What a power cut leaves of it, and of all that lies in it."""
        entries = dict(self.safe)
        some, gone = {id(names) for names in chosen(self.pending, chance)}, set[bytes]()
        for names in self.pending:
            if id(names) in some and gone.isdisjoint(names):
                _rename(entries, names)
            else:
                # What came later of the same names is gone, too.
                gone.update(names)
        kept: dict[bytes, Node] = {name: node.left(chance) for name, node in entries.items()}
        return Directory(self.mode, kept, dict(kept))

    def sync_all(self) -> None:
        """Make everything safe, all that lies in it, too."""
        for node in self.entries.values():
            node.sync_all() if isinstance(node, Directory) else node.sync()
        self.sync()

    def unsafe(self) -> Iterator[Write | Resize | Names]:
        """All that a power cut may lose now; what no program sees any more does not count."""
        yield from self.pending
        for node in self.entries.values():
            yield from node.unsafe() if isinstance(node, Directory) else node.pending


def _rename(entries: dict[bytes, Node], names: Names) -> None:
    for name, node in names.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


def chosen(changes: list[T], chance: Random) -> list[T]:
    """Some of them: often all or none, since both are what happens most."""
    share = chance.choice((0.0, 1.0, chance.random()))
    return [change for change in changes if chance.random() < share]
