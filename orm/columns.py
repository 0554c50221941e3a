"""Column kinds that Piccolo does not have."""

from piccolo.columns import BigInt


class RowNumber(BigInt):
    """A 64-bit primary key that the writer numbers itself.

    SQLite makes only ``INTEGER PRIMARY KEY`` an alias of its row id; ``BIGINT`` there costs a
    second index.
    """

    @property
    def column_type(self) -> str:
        """The SQL type for the engine in use."""
        return "INTEGER" if self._meta.engine_type == "sqlite" else "BIGINT"
