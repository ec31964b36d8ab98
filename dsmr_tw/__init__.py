"""A smart meter's telegrams, from the P1 port to an HTTP API, in one Twisted process.

The house has four floors; who may import whom is held by ``tests/test_house.py``:

- ``domain``: pure values and rules; no Twisted, SQL, JSON, logging or clock.
- ``interfaces``: the ports, what a store or an intake promises.
- adapters (the world: ``serialproto``, ``source``, ``store``, ``web``, ``api``) and services (what happens when:
  ``datalogger``), which meet only at the ports.
- the roof: ``config``, ``tap`` and ``cli``, where the reactor, the environment and the wall clock are.

A telegram's whole way is told in ``docs/architecture.md``.
"""

__version__ = "0.1.0"
