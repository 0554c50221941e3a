"""What the demo shows: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column

from hub import clock
from hub.lifecycle.types import legible

PLAIN_EVERY_S = 1.0
TEXT_MAX = 72


class Screen(Protocol):
    """Lines that stay, and how far the present work is. Texts may come from anybody."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def show(self, share: float, text: str) -> None:
        """Show that ``share`` (0 to 1) of the present work is done, and a line about it."""


class Lines:
    """Plain lines: of progress about one a second."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text)

    def show(self, share: float, text: str) -> None:
        """Print a line if the last one is a second old."""
        now_s = clock.monotonic_s()
        if now_s >= self._next_s:
            self._next_s = now_s + PLAIN_EVERY_S
            click.echo(f"{share:9.0%}  {legible(text, limit=TEXT_MAX)}")


class Bar:
    """A progress bar under the lines."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=1.0, text="", visible=False)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, share: float, text: str) -> None:
        """Move the bar; the work that is done needs none."""
        shown = legible(text, limit=TEXT_MAX)
        self._progress.update(self._task, completed=share, text=shown, visible=share < 1.0)


@contextmanager
def screen() -> Iterator[Screen]:
    """Show on stdout while the block runs."""
    console = Console()
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        yield Lines()
        return
    rest = Column(ratio=1, no_wrap=True)
    columns = (
        TextColumn("         "),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}", markup=False, table_column=rest),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield Bar(progress)
