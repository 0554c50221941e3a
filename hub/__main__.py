"""``python -m hub`` is the same as ``hub``."""

from hub.cli import main

main()
