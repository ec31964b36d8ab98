"""Responsible for a server on a disk whose power is cut again and again, and for what must hold each time it returns.

One *life* is a disk that is empty in the beginning, a server, and clients that post as fast as they are answered.
The power goes at any write, sync or change of a name: while the server starts for the first time, while it starts
again, while it stores. Each time the server is killed, and starts again on what is left.

Tests: ``tests/powercut/test_cuts.py``
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from re import Pattern
from typing import ClassVar, Final

from attrs import define, field

from tests.live.running import READY, SERVING, RunningServer
from tests.powercut.posting import Posting
from tests.powercut.powered import Powered

START_S: Final = 5
"""A start may take so long."""

STARTING: Final = 120
"""About so many changes a start makes; some more, some fewer."""

IN_START: Final = 0.3
"""This share of the cuts comes while the server starts."""

EAGER: Final = """
import functools
from dsmr_tw import tap
tap.RollupService = functools.partial(tap.RollupService, every=0.2)
"""
"""Makes a server compute its ledger so often that the power goes meanwhile, too."""


def waited_s(process: int) -> float:
    """How long a process that could go on has waited for a processor."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9


class Wrong(AssertionError):
    """Something that was acknowledged is not as it must be."""


@define(eq=False)
class Life:
    """A disk, a server, and those that post to it."""

    folder: Path
    seed: int
    first: str = ""
    """What makes the server careless."""

    disk: Powered = field(init=False)
    server: RunningServer = field(init=False)
    posting: Posting = field(factory=Posting, init=False)
    chance: Random = field(init=False)
    key: str | None = field(default=None, init=False)
    cuts: int = field(default=0, init=False)
    unsafe: int = field(default=0, init=False)
    """How many changes the cuts could lose."""
    starts_s: list[float] = field(factory=list, init=False)
    """How long the starts took, without waiting for a processor while other programs have it."""

    arguments: ClassVar[tuple[str, ...]] = ()
    is_up: Pattern[bytes] = READY
    posting_changes: ClassVar[int] = 5_000

    def live(self, cuts: int) -> Iterator[None]:
        """Cut the power so often, wherever chance has it, and finish; a step after each cut."""
        self.begin()
        while self.cuts < cuts:
            if self.chance.random() < IN_START:
                self.cut_in_start()
            else:
                self.cut_in_posting()
            yield
        self.finish()

    def begin(self) -> None:
        """Begin with an empty disk."""
        self.chance = Random(self.seed)
        self.disk = Powered(self.folder).start()
        self.server = RunningServer(
            self.folder / "lib" / "dsmr", self.arguments, first=EAGER + self.first, is_measured=False
        )

    def end(self) -> None:
        """End what is left of it."""
        if not hasattr(self, "server"):
            return
        begun = hasattr(self.server, "process") and self.server.process.poll() is None
        if begun:
            self.server.process.kill()
        # Who waits for a disk that is dark ends only with the disk.
        self.disk.end()
        if begun:
            self.server.finish()
        self.posting.join()
        self.folder.rmdir()

    def cut_in_start(self) -> None:
        """Cut the power while the server starts, or a moment later."""
        self.disk.cut_after(self.chance.randint(1, STARTING))
        self.server.spawn()
        if self.is_up_before_it_is_dark():
            if self.key is None:
                self.disk.cut_after(0)
            else:
                self.posting.start(self.server.port, self.key)
            self.disk.wait_for("dark")
        self.cut()

    def cut_in_posting(self) -> None:
        """Start, look whether all is there, and cut the power while readings are stored."""
        self.start()
        self.look()
        # Mostly after a few changes; now and then after so many that SQLite has folded its log into the file.
        few = int(self.posting_changes ** self.chance.random())
        self.disk.cut_after(self.chance.choice((few, few, self.chance.randint(1, self.posting_changes))))
        assert self.key is not None
        self.posting.start(self.server.port, self.key)
        self.disk.wait_for("dark")
        self.cut()

    def start(self) -> None:
        """Start the server on a disk whose power stays."""
        began, waited = time.monotonic(), waited_s(self.disk.process.pid)
        try:
            self.server.start(ready=self.is_up is READY)
        except AssertionError as error:
            raise Wrong(f"the server does not start: {error}") from error
        waited = waited_s(self.server.process.pid) + waited_s(self.disk.process.pid) - waited
        self.starts_s.append(time.monotonic() - began - waited)

    def look(self) -> None:
        """Look at what was acknowledged; ``Wrong`` unless it is there."""
        raise NotImplementedError

    def finish(self) -> None:
        """Look once more, more closely, and stop in an orderly way."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the server in an orderly way."""
        if not self.server.stop():
            raise Wrong(f"it did not stop in an orderly way:\n{self.server.log.decode(errors='replace')[-5000:]}")

    def is_up_before_it_is_dark(self) -> bool:
        """Wait for either."""
        output = self.server.process.stdout
        assert output is not None
        while True:
            readable, _, _ = select.select([output.fileno(), self.disk.fileno()], [], [])
            if self.disk.fileno() in readable:
                self.disk.wait_for("dark")
                return False
            data = os.read(output.fileno(), 65536)
            self.server.log += data
            if not data:
                raise Wrong(f"the server ended:\n{self.server.log.decode(errors='replace')}")
            if self.is_up.search(self.server.log):
                self.server.port = int(self.server.wait_for(SERVING)[1])
                return True

    def cut(self) -> None:
        """End the server, and let the power return on what the cut left."""
        self.server.process.kill()
        self.unsafe += self.disk.power_on(f"{self.seed}-{self.cuts}")
        self.cuts += 1
        self.server.finish()
        self.posting.join()
