"""Many finished jobs at once, straight into the tables of a hub that is not running.

A job that the hub itself finished is copied, column by column, so that nothing here has to know the
columns. The copies have no events of their own: lists and the queue do not read any.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import asyncpg

TABLES = ("jobs", "job_specs")
"""The tables with a row per job; in each of them ``pk`` is the number of the job."""

DATABASE_FILE = "hub.sqlite3"
"""The name of the SQLite file in the hub's data folder."""


def copy_statement(table: str, columns: Iterable[str], job: int, first: int, copies: int) -> str:
    """Return SQL, for both databases, that copies a job's row to numbers from ``first``."""
    others = ", ".join(f'"{name}"' for name in columns if name != "pk")
    return (
        f"with recursive numbers (number) as"
        f" (select {first} union all"
        f" select number + 1 from numbers where number < {first + copies - 1})"
        f" insert into {table} (pk, {others})"
        f" select numbers.number, {others} from {table}, numbers where {table}.pk = {job}"
    )


def seed_sqlite(path: Path, job: int, copies: int) -> None:
    """Copy ``job`` in a SQLite file."""
    connection = sqlite3.connect(path)
    with connection:
        (last,) = connection.execute(f"select max(pk) from {TABLES[0]}").fetchone()
        for table in TABLES:
            rows = connection.execute(f"select name from pragma_table_info('{table}')")
            columns = [name for (name,) in rows]
            connection.execute(copy_statement(table, columns, job, last + 1, copies))
    connection.close()


async def seed_postgres(url: str, job: int, copies: int) -> None:
    """Copy ``job`` in a PostgreSQL database, and do what autovacuum would have done by and by."""
    connection = await asyncpg.connect(url)
    try:
        last = await connection.fetchval(f"select max(pk) from {TABLES[0]}")
        for table in TABLES:
            columns = await connection.fetch(
                "select column_name from information_schema.columns where table_name = $1", table
            )
            names = [row["column_name"] for row in columns]
            await connection.execute(copy_statement(table, names, job, last + 1, copies))
        await connection.execute(
            f"select setval(pg_get_serial_sequence('{TABLES[0]}', 'pk'), {last + copies})"
        )
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
