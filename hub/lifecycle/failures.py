"""Why runs fail, by name, and whether trying again may help."""

from enum import StrEnum

NODE_LOST = "node-lost"
TIMEOUT = "timeout"
UNKNOWN = "algorithm-unknown"
"""What a worker's own error text stands for."""


class Category(StrEnum):
    """Whose fault a failure is; only those of the system are worth another try by themselves."""

    SYSTEM = "SYSTEM"
    DATA = "DATA"
    ALGORITHM = "ALGORITHM"


CATEGORIES = {
    NODE_LOST: Category.SYSTEM,
    TIMEOUT: Category.ALGORITHM,
    UNKNOWN: Category.ALGORITHM,
}
