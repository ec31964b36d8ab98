"""Responsible for the store's threads, and for doing without: work in, Deferreds out.

Tests: ``tests/store/test_threads.py``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


@define(eq=False)
class Threads:
    """A runner: ``threads(function, *args)`` fires with its result; at most ``number`` run at a time, in order."""

    reactor: IReactorFromThreads
    number: int
    name: str
    _pool: ThreadPool | None = field(default=None, init=False)

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run the function in one of the threads."""
        if self._pool is None:
            # Not sooner: threads do not live through the fork of a daemon.
            self._pool = ThreadPool(minthreads=self.number, maxthreads=self.number, name=self.name)
            self._pool.start()
        result: Deferred[Any] = deferToThreadPool(self.reactor, self._pool, function, *args, **kwargs)
        return result

    def stop(self) -> None:
        """End the threads, when what they run has ended; the next call begins anew."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None


def result_of(deferred: Deferred[T]) -> T:
    """What a Deferred that has fired holds; raises what it failed with."""
    results: list[T] = []
    failures: list[Failure] = []
    deferred.addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    return results[0]
