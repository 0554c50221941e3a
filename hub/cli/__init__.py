"""The ``hub`` command."""

import click

from hub.cli.demo import demo
from hub.cli.epoch import epoch
from hub.cli.migrate import migrate
from hub.cli.serve import serve
from hub.cli.user import user


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="realtime-job-hub", prog_name="hub")
def main() -> None:
    """A hub that hands out jobs and shows every step of them live."""


main.add_command(serve)
main.add_command(migrate)
main.add_command(demo)
main.add_command(user)
main.add_command(epoch)
