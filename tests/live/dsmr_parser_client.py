"""Responsible for reading a port as others do: with the clients of the package dsmr-parser, as a process of its own.

``python -m tests.live.dsmr_parser_client URL_OR_PORT`` prints a line for each telegram that the package takes, with its
clock and its first register, until the connection is lost.
A ``socket://`` URL is read by its asyncio client, which home automation uses; a port number by its ``SocketReader``.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from importlib import import_module
from typing import Any


def say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(telegram: Any) -> None:
    """One line for a telegram."""
    clock = telegram.P1_MESSAGE_TIMESTAMP.value
    say(f"{clock.timestamp():.0f} {telegram.ELECTRICITY_USED_TARIFF_1.value}")


async def read_url(url: str) -> None:
    """Read with the asyncio client until it is disconnected."""
    # By name, since the package has no annotations to check against.
    connecting = import_module("dsmr_parser.clients.protocol").create_dsmr_reader(url, "5", tell)
    _, protocol = await connecting
    await protocol.wait_closed()


def read_port(port: int) -> None:
    """Read with the client that blocks, until it is disconnected."""
    specification = import_module("dsmr_parser.telegram_specifications").V5
    reader = import_module("dsmr_parser.clients.socket_").SocketReader("127.0.0.1", port, specification)
    for telegram in reader.read():
        tell(telegram)


def main(address: str) -> None:
    """Read until the connection is lost; what is refused is told on standard error."""
    logging.basicConfig(level=logging.INFO)
    if address.isdigit():
        read_port(int(address))
    else:
        asyncio.run(read_url(address))
    say("the connection was lost")


if __name__ == "__main__":
    main(sys.argv[1])
