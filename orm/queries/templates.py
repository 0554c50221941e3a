"""Job templates: rows that never change but for their deletion; a change is a new version."""

from collections.abc import Callable, Collection, Sequence

import msgspec

from orm.engine import Engine
from orm.errors import NotUnique, translated
from orm.queries import audit
from orm.queries.accounts import Transaction
from orm.queries.batch import in_order, marks
from orm.queries.named_classes import JOB_CONTRACTS, JOB_TYPES
from orm.rows import AuditEntry
from orm.tables import JobTemplate

VERSION_MAX = 2**31 - 1
TRIES = 20


class TemplateRow(msgspec.Struct, frozen=True):
    """A job template as it is stored; JSON columns are texts. Only a meta-template has a graph."""

    pk: int
    name: str
    version: int
    description: str
    scope: str
    domain: str | None
    licence: int | None
    contract: str
    creator: int | None
    created_us: int
    deleted_us: int | None
    executor_class: str | None
    required_packages: str
    inputs: str
    parameters: str
    outputs: str
    labels: str
    requirements: str
    timeout_s: int | None
    silence_s: int | None
    max_tries: int
    priority: int
    graph: str | None


Note = Callable[[TemplateRow], Sequence[AuditEntry]]
"""What to write down about a change, given the template it is about."""

COLUMNS = ", ".join(TemplateRow.__struct_fields__)
_ADD_CHILD = "INSERT INTO template_children (template, child) VALUES (?, ?)"
_BY_NAME = f"SELECT {COLUMNS} FROM job_templates WHERE name = ? AND deleted_us IS NULL"


async def get(engine: Engine, pk: int) -> TemplateRow | None:
    """Return template ``pk``, deleted or not."""
    rows = await engine.fetch(f"SELECT {COLUMNS} FROM job_templates WHERE pk = ?", (pk,))
    return TemplateRow(*rows[0]) if rows else None


async def by_name(engine: Engine, name: str, version: int | None = None) -> TemplateRow | None:
    """Return the active template with this name: the version asked for, or the highest."""
    if version is not None:
        if version > VERSION_MAX:  # more than the column holds
            return None
        rows = await engine.fetch(f"{_BY_NAME} AND version = ?", (name, version))
    else:
        rows = await engine.fetch(f"{_BY_NAME} ORDER BY version DESC LIMIT 1", (name,))
    return TemplateRow(*rows[0]) if rows else None


async def versions(engine: Engine, names: Sequence[str]) -> dict[str, set[int]]:
    """Return the pks of all versions, removed ones too, of the templates with these names."""
    if not names:
        return {}
    sql = f"SELECT name, pk FROM job_templates WHERE name IN ({marks(len(names))})"
    found: dict[str, set[int]] = {}
    for name, pk in await engine.fetch(sql, names):
        found.setdefault(name, set()).add(pk)
    return found


class ContractRow(msgspec.Struct, frozen=True):
    """What is asked of the templates of a contract: ``inputs`` is a JSON text."""

    pk: int
    contract: str
    inputs: str


async def of_contract(engine: Engine, name: str) -> list[ContractRow]:
    """Return the active templates, oldest first, in whose contract ``name`` occurs at all.

    Raises:
        TooSlow: it takes too long.
    """
    sql = (
        "SELECT pk, contract, inputs FROM job_templates "
        "WHERE deleted_us IS NULL AND contract LIKE ? ORDER BY pk"
    )
    return [ContractRow(*row) for row in await engine.search(sql, (f"%{name}%",))]


async def some(engine: Engine, pks: Sequence[int]) -> list[TemplateRow]:
    """Return templates ``pks`` in the order of ``pks``; those that are not there are left out."""
    if not pks:
        return []
    sql = f"SELECT {COLUMNS} FROM job_templates WHERE pk IN ({marks(len(pks))})"
    return in_order(pks, [TemplateRow(*row) for row in await engine.fetch(sql, tuple(pks))])


class Addition(msgspec.Struct, frozen=True):
    """A template that is to be stored.

    ``children`` are the numbers of the templates that its graph names, ``types`` and ``contracts``
    the registered names in its texts; ``note`` says what to write down about the stored one,
    ``note_hidden`` about one that it takes the place of.
    """

    draft: TemplateRow
    note: Note
    children: Sequence[int] = ()
    types: Collection[str] = ()
    contracts: Collection[str] = ()
    note_hidden: Note | None = None


async def add(engine: Engine, addition: Addition) -> TemplateRow:
    """Store a template and return it with its number.

    Version 0 stands for the next one of the name. Numbers of deleted versions are not given again,
    except to one that may take another's place: those count from the highest active version.

    Raises:
        NotUnique: an active template has this name and version, and its place may not be taken; or
            there is no next version.
        StillReferenced: its licence, a child, a type or its contract is not there any more.
    """
    for _ in range(TRIES):
        try:
            return await _add(engine, addition)
        except NotUnique:
            # Somebody else took the version, or the place: the next version, or theirs, does too.
            if addition.draft.version and addition.note_hidden is None:
                raise
    raise NotUnique(f"no version of {addition.draft.name!r} was free")


async def _add(engine: Engine, addition: Addition) -> TemplateRow:
    draft = addition.draft
    async with engine.transaction() as transaction:
        await JOB_TYPES.hold(transaction, addition.types)
        await JOB_CONTRACTS.hold(transaction, addition.contracts)
        version = draft.version or await _next_version(transaction, addition)
        notes: list[AuditEntry] = []
        if draft.version and addition.note_hidden is not None:
            notes += await _hide(transaction, draft, addition.note_hidden)
        columns = {name: getattr(draft, name) for name in draft.__struct_fields__ if name != "pk"}
        with translated():
            (made,) = await JobTemplate.insert(
                JobTemplate(**{**columns, "version": version})
            ).returning(JobTemplate.pk)
        row = msgspec.structs.replace(draft, pk=made["pk"], version=version)
        # Behind the licence and before the children: as those do who remove them.
        await audit.append(transaction, [*notes, *addition.note(row)], row.created_us)
        for child in addition.children:
            await transaction.fetch(_ADD_CHILD, (row.pk, child))
    return row


async def _hide(transaction: Transaction, draft: TemplateRow, note: Note) -> list[AuditEntry]:
    """Hide the active template of the draft's name and version; return what to write down."""
    sql = (
        "UPDATE job_templates SET deleted_us = ? "
        f"WHERE name = ? AND version = ? AND deleted_us IS NULL RETURNING {COLUMNS}"
    )
    hidden = await transaction.fetch(sql, (draft.created_us, draft.name, draft.version))
    return [entry for values in hidden for entry in note(TemplateRow(*values))]


async def _next_version(transaction: Transaction, addition: Addition) -> int:
    name = addition.draft.name
    sql = "SELECT coalesce(max(version), 0) FROM job_templates WHERE name = ?"
    if addition.note_hidden is not None:
        sql += " AND deleted_us IS NULL"
    ((highest,),) = await transaction.fetch(sql, (name,))
    if highest >= VERSION_MAX:
        raise NotUnique(f"the versions of {name!r} are used up")
    return int(highest) + 1


async def mark(
    engine: Engine, pk: int, note: Note, now_us: int, *, is_deleted: bool
) -> TemplateRow | None:
    """Hide template ``pk``, or bring it back; again is no change.

    Returns:
        The template after it, ``None`` when there is none.

    Raises:
        NotUnique: it would come back beside another active one of its name and version.
    """
    change = "deleted_us = ? WHERE pk = ? AND deleted_us IS "
    change += "NULL" if is_deleted else "NOT NULL"
    async with engine.transaction() as transaction:
        changed = await transaction.fetch(
            f"UPDATE job_templates SET {change} RETURNING {COLUMNS}",
            (now_us if is_deleted else None, pk),
        )
        for values in changed:
            await audit.append(transaction, note(TemplateRow(*values)), now_us)
    return TemplateRow(*changed[0]) if changed else await get(engine, pk)


async def remove(engine: Engine, pk: int, note: Note, now_us: int) -> TemplateRow | None:
    """Remove template ``pk`` and return what it was, ``None`` when there is none.

    Raises:
        StillReferenced: jobs were made from it, or the graph of another one names it.
    """
    async with engine.transaction() as transaction:
        sql = f"SELECT {COLUMNS} FROM job_templates WHERE pk = ?{transaction.row_lock}"
        there = await transaction.fetch(sql, (pk,))
        if not there:
            return None
        row = TemplateRow(*there[0])
        # Before the removal, which waits for whoever refers to the template: a batch that makes a
        # job of it does that behind the clock row.
        await audit.append(transaction, note(row), now_us)
        await transaction.fetch("DELETE FROM job_templates WHERE pk = ?", (pk,))
    return row
