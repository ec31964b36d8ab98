"""Responsible for a made-up serial port: a program opens it like any other, and reads what we write.

Whether somebody has it open is asked ten times a second; what was written while nobody has would be lost.

Tests: ``tests/sinks/test_pseudoterminal.py``, ``tests/live/test_replay.py``
"""

from __future__ import annotations

import os
import select
import termios
import tty
from fcntl import ioctl
from typing import Any, Final

from attrs import define, field
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.fdesc import writeToFD
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

LOOK_S: Final = 0.1
"""Seconds between two looks."""

LOOKS: Final = 2
"""Looks in a row that have to find the same: who opens a port mostly throws away what waits in it first."""


@implementer(IAddress)
@define(eq=False)
class PseudoTerminal:
    """A port that one program at a time can open."""

    reactor: Any
    """Provides ``IReactorFDSet`` and ``IReactorTime``."""
    factory: IProtocolFactory
    """Makes a protocol for each who opens it."""

    path: str = field(init=False)
    """What to open."""
    _ours: int = field(init=False)
    """The descriptor of our end."""
    _line: _Line | None = field(default=None, init=False)
    _seen: int = field(default=0, init=False)
    """How many looks in a row found somebody, or, at the end, all read."""
    _closing: bool = field(default=False, init=False)
    _closed: Deferred[None] = field(factory=Deferred, init=False)
    _looking: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ours, theirs = os.openpty()
        tty.setraw(theirs)
        self.path = os.ttyname(theirs)
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self._looking = LoopingCall(self._look)
        self._looking.clock = self.reactor
        self._looking.start(LOOK_S).addErrback(self._closed.errback)

    def close(self) -> Deferred[None]:
        """Remove it, when what was written is read, or nobody is there to read it.

        Fires: when it is gone; fails when looking after it has failed.
        """
        self._closing, self._seen = True, 0
        return self._closed

    def _look(self) -> None:
        is_open = self._is_open()
        if self._closing:
            self._seen = 0 if is_open and self._unread() else self._seen + 1
            if self._seen == LOOKS:
                self._looking.stop()
                os.close(self._ours)
                self._closed.callback(None)
        elif self._line is not None and not is_open:
            self._seen = 0
            self._line.connectionLost(Failure(ConnectionDone()))
        else:
            self._seen = self._seen + 1 if is_open else 0
            if self._seen == LOOKS:
                self._connect()

    def _is_open(self) -> bool:
        """Whether somebody has it open."""
        asked = select.poll()
        asked.register(self._ours, 0)
        return not any(events & select.POLLHUP for _, events in asked.poll(0))

    def _unread(self) -> bool:
        """Whether something waits to be read."""
        theirs = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return any(ioctl(theirs, termios.FIONREAD, b"\0\0\0\0"))
        finally:
            os.close(theirs)

    def _connect(self) -> None:
        protocol = self.factory.buildProtocol(self)
        if protocol is not None:
            self._line = _Line(self, self._ours, protocol)
            protocol.makeConnection(self._line)

    def lost(self) -> None:
        """Whoever had it open has gone, or we have nothing more for it."""
        self._line, self._seen = None, 0


class _Line(FileDescriptor):
    """The port while somebody has it open: written, and never read."""

    def __init__(self, terminal: PseudoTerminal, descriptor: int, protocol: IProtocol) -> None:
        super().__init__(terminal.reactor)
        self.terminal, self.protocol = terminal, protocol
        self.connected = 1
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor of our end."""
        return self._descriptor

    def writeSomeData(self, data: bytes) -> int | BaseException:
        """Write as much as there is room for."""
        written: int | BaseException = writeToFD(self._descriptor, data)
        return written

    def connectionLost(self, reason: Failure) -> None:
        """Tell everybody, once."""
        if not self.connected:
            return
        super().connectionLost(reason)
        self.terminal.lost()
        self.protocol.connectionLost(reason)
