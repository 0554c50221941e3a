"""When nodes called: what waits, what is shown, and how little is remembered."""

from collections.abc import Mapping

import pytest

from hub.auth import node_contacts
from hub.auth.node_contacts import Contact, NodeContacts
from orm.errors import DatabaseAway


async def stored_at_7(ago_us: Mapping[int, int]) -> dict[int, int]:
    return dict.fromkeys(ago_us, 7)


def test_a_row_shows_what_was_shown_until_something_else_changes_it() -> None:
    contact = Contact(at_s=0.0, wall_us=5)
    assert contact.shown_us(None) == contact.shown_us(3) == 5
    contact = Contact(at_s=0.0, wall_us=5, stored_us=7)
    assert contact.shown_us(7) == 5
    assert contact.shown_us(60) == 60
    assert contact.shown_us(None) is None


async def test_what_could_not_be_stored_waits() -> None:
    contacts = NodeContacts()
    contacts.heard(1)
    waiting = contacts.last(1)

    async def away(_: Mapping[int, int]) -> dict[int, int]:
        raise DatabaseAway("gone")

    with pytest.raises(DatabaseAway):
        await contacts.store(away)
    assert contacts.last(1) is waiting is not None
    await contacts.store(stored_at_7)
    assert (contact := contacts.last(1)) is not None
    assert contact.stored_us == 7


async def test_a_call_that_comes_while_others_are_stored_waits_for_the_next_time() -> None:
    contacts = NodeContacts()
    contacts.heard(1)

    async def slow(ago_us: Mapping[int, int]) -> dict[int, int]:
        contacts.heard(1)
        return await stored_at_7(ago_us)

    await contacts.store(slow)
    assert (contact := contacts.last(1)) is not None
    assert contact.stored_us is None


async def test_nodes_that_are_gone_and_those_beyond_the_bound_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_contacts, "REMEMBERED_MAX", 2)
    contacts = NodeContacts()
    for node in (1, 2, 3, 4):
        contacts.heard(node)

    async def without_4(ago_us: Mapping[int, int]) -> dict[int, int]:
        return {node: 7 for node in ago_us if node != 4}

    await contacts.store(without_4)
    contacts.forget(3)
    assert [contacts.last(node) is not None for node in (1, 2, 3, 4)] == [False, True, False, False]
