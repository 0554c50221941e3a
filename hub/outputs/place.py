"""Which folder this is: whoever reads the same number has the same one before them."""

import secrets
from pathlib import Path

from hub.outputs.folders import locked

NAME = "place"
PLACES = 2**31


def place_of(root: Path) -> int:
    """Return the number of the folder ``root``, 0 to 2**31 - 1; the first to ask makes it up.

    A path would not do: two machines may each have a folder of that name, or one folder by two.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = root / NAME
    with locked(root):
        if not file.exists():
            file.write_text(f"{secrets.randbelow(PLACES)}\n")
        return int(file.read_text()) % PLACES
