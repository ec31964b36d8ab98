"""Responsible for ``dsmr apikey``: making, choosing, listing and revoking API keys.

Tests: ``tests/cli/test_apikey.py``
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from dsmr_tw.cli.beside import Beside, beside, chosen_meter, where_options
from dsmr_tw.cli.naming import columns
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.errors import SettingsError
from dsmr_tw.keys import HINT, OWNER, checked, digest_of, new_key
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import SCOPES, ApiKey

scope_option = click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="write",
    show_default=True,
    help="What the key may do: read; also write readings; or also change settings and prices (admin).",
)


@click.group()
def apikey() -> None:
    """Make, choose, list and revoke the keys of the API.

    The first key is made by the server: it is in the file api.key of the state directory, and may do everything.
    A running server notices within two seconds what is changed here.
    """


@apikey.command()
@click.argument("name")
@scope_option
@click.option("--meter", "wanted", metavar="ID|NAME", help="The only meter that it is for.  [default: any]")
@where_options
def create(name: str, scope: str, wanted: str | None, **where: str | None) -> None:
    """Make a key for NAME, and print it.

    It is shown this once: the server keeps no copy.
    What is posted with a key for one meter is that meter's, whatever id a telegram bears.

    \b
    Examples:
      dsmr apikey create --scope read home-assistant
      dsmr apikey create --meter 1 reader-in-the-cellar
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        if _named(here, name) is not None:
            raise SettingsError(f"There is a key {name!r} already; revoke it first, or choose another name.")
        meter_id = None if wanted is None else chosen_meter(here, wanted).id
        key = new_key()
        result_of(here.store.keys.add(name, scope, digest_of(key), key[-HINT:], here.now(), meter_id))
    click.echo(key)


@apikey.command(name="set")
@click.argument("name", default=OWNER)
@click.option("--scope", type=click.Choice(SCOPES), help="What the key may do. [as before; admin for a new one]")
@where_options
def set_(name: str, scope: str | None, **where: str | None) -> None:
    """Choose the key for NAME yourself; the one it had is valid no more.

    The key is asked for, or read from standard input: it would stay in the shell's history as an argument.
    Without NAME it is the owner's key, in the file api.key.
    """
    key = checked(_asked_key())
    with beside(**where) as here:
        keys = here.store.keys
        digest, old = digest_of(key), _named(here, name)
        taken = next((other for other in result_of(keys.all()) if other.digest == digest), None)
        if taken is not None and taken != old:
            raise SettingsError(f"That is the key {taken.name!r} already; choose another one.")
        scope = scope or (old.scope if old is not None else "admin")
        if old is None or (old.digest, old.scope) != (digest, scope):
            _replace(here, old, name, scope, digest)
        if name == OWNER:
            here.state.write_key(key)
    click.echo(f"The key {name!r} is set; it may {scope}.")


@apikey.command(name="list")
@where_options
def list_(**where: str | None) -> None:
    """List the keys: their names, what they may do, the meters that some are for, and how they end."""
    with beside(**where) as here:
        zone = MeterZone(here.settings.zone)
        names = {meter.id: meter.name for meter in result_of(here.store.meters.all())}
        keys: list[ApiKey] = result_of(here.store.keys.all())
    tied = any(key.meter_id is not None for key in keys)
    rows = [("ID", "NAME", "SCOPE", *(["METER"] if tied else []), "ENDS IN", "MADE")]
    for key in keys:
        meter = [_meter_of(key, names)] if tied else []
        made = zone.local_text(key.created_at)[:19]
        rows.append((str(key.id), key.name, key.scope, *meter, key.hint and f"…{key.hint}", made))
    for line in columns(rows):
        click.echo(line)


@apikey.command()
@click.argument("name")
@where_options
def revoke(name: str, **where: str | None) -> None:
    """Make the key NAME (or its ID) invalid."""
    with beside(**where) as here:
        key = _named(here, name)
        if key is None:
            raise SettingsError(f"There is no key {name!r}; `dsmr apikey list` shows those that there are.")
        result_of(here.store.keys.remove(key.id))
        here.state.forget_key(lambda kept: digest_of(kept) == key.digest)
    click.echo(f"The key {key.name!r} is valid no more.")


def _meter_of(key: ApiKey, names: Mapping[int, str]) -> str:
    return "any" if key.meter_id is None else f"{names[key.meter_id]} (id {key.meter_id})"


def _replace(here: Beside, old: ApiKey | None, name: str, scope: str, digest: bytes) -> None:
    """Store a key, in the place of the one that its name had."""
    keys = here.store.keys
    meter_id = None if old is None else old.meter_id
    if old is not None and old.digest == digest:
        # The same key with another scope: a digest is stored once only.
        result_of(keys.remove(old.id))
        result_of(keys.add(name, scope, digest, "", here.now(), meter_id))
        return
    result_of(keys.add(name, scope, digest, "", here.now(), meter_id))
    if old is not None:
        result_of(keys.remove(old.id))


def _named(here: Beside, name: str) -> ApiKey | None:
    """The key with this name, else with this id."""
    keys = result_of(here.store.keys.all())
    by_name = next((key for key in keys if key.name == name), None)
    return by_name or next((key for key in keys if str(key.id) == name), None)


def _asked_key() -> str:
    if sys.stdin.isatty():
        key: str = click.prompt("The key", hide_input=True, confirmation_prompt=True)
        return key
    return sys.stdin.readline().strip()
