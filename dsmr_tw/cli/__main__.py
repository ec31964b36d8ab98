"""Responsible for gathering the admin commands into ``dsmr``."""

from __future__ import annotations

import click

from dsmr_tw import __version__
from dsmr_tw.cli.apikey import apikey
from dsmr_tw.cli.backup import backup
from dsmr_tw.cli.doctor import doctor
from dsmr_tw.cli.export import export
from dsmr_tw.cli.mask import mask
from dsmr_tw.cli.meters import meters
from dsmr_tw.cli.migrate_store import migrate_store
from dsmr_tw.cli.parse import parse, printable
from dsmr_tw.cli.prices import prices
from dsmr_tw.cli.rebuild import rebuild
from dsmr_tw.cli.replay import replay
from dsmr_tw.cli.restore import restore
from dsmr_tw.cli.retention import retention
from dsmr_tw.cli.spool import spool
from dsmr_tw.cli.temperature import temperature
from dsmr_tw.errors import DsmrError


class _Sentences(click.Group):
    """Shows what went wrong as a sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DsmrError as error:
            raise click.ClickException("\n".join(map(printable, str(error).splitlines()))) from error


@click.group(cls=_Sentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dsmr")
def main() -> None:
    """Look after a dsmr_tw server, and look into telegrams.

    The server itself is started with `twistd -n dsmr`; the commands here work beside it while it runs.
    """


main.add_command(apikey)
main.add_command(backup)
main.add_command(doctor)
main.add_command(export)
main.add_command(mask)
main.add_command(meters)
main.add_command(migrate_store)
main.add_command(parse)
main.add_command(rebuild)
main.add_command(replay)
main.add_command(restore)
main.add_command(retention)
main.add_command(prices)
main.add_command(spool)
main.add_command(temperature)

if __name__ == "__main__":
    main(prog_name="dsmr")
