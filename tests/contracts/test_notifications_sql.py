"""What is still to be told, on each database: whose turn it is, who has it, what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tongban_registry.health import MIGRATIONS
from tongban_registry.storage import tables as t
from tongban_registry.storage.notifications import End, Notifications
from tongban_registry.storage.rows import Changes, to_us
from tongban_registry.storage.store import RegistryStore
from tongban_shared.storage.engine import read
from tongban_shared.storage.migrate import upgrade

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEASE = NOW + timedelta(minutes=2)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
async def store(sql_url: str) -> AsyncIterator[RegistryStore]:
    """A database that is new."""
    await upgrade(sql_url, MIGRATIONS)
    store = await RegistryStore.open(sql_url)
    await store.counters()
    yield store
    await store.close()


async def tell(store: RegistryStore, *names: str, channel: str | None = "sms") -> None:
    """Changes as a unit of work writes them: `a1` is version 1 of case a; `!` is urgent, `.` the last."""
    changes = Changes()
    for name in names:
        case_id, version = name[0], int(name[1])
        flags = (int("!" in name), int("." in name))
        changes.notifications.append((f"{case_id}-{version}", case_id, version, "{}", *flags, to_us(NOW)))
    if channel is not None:
        changes.contacts.extend(
            (case_id, channel, "zh", "sealed") for case_id in sorted({n[0] for n in names})
        )
    async with store.unit() as tx:
        await tx.write(changes)


async def claim(store: RegistryStore, at: datetime = NOW, **details: bool) -> list[str]:
    """Who is claimed, up to nine."""
    rows = await Notifications(store.engine).claim("sms", at, at + (LEASE - NOW), limit=9, **details)
    return [row.id for row in rows]


async def contacts(store: RegistryStore) -> list[str]:
    """Cases whose applicant can still be told."""
    async with read(store.engine) as tx:
        return sorted((await tx.execute(select(t.CONTACT.c.case_id))).scalars())


async def test_nothing_is_kept_for_whom_nobody_is_to_be_told(store: RegistryStore) -> None:
    """Without a contact a change leaves no row, though others here have one."""
    anybody = [store.audience.anybody]
    await tell(store, "a1", channel=None)
    await tell(store, "b1")
    await tell(store, "a2", channel=None)
    anybody.append(store.audience.anybody)
    assert anybody == [False, True]
    assert await claim(store) == ["b-1"]


async def test_after_a_restart_it_is_known_who_wants_to_be_told(store: RegistryStore, sql_url: str) -> None:
    """A registry that starts anew goes on telling them; before it knows, it takes it that somebody does."""
    changes = Changes(contacts=[("a", "sms", "zh", "sealed")], unit=[(1, "", 1, 0, "")])
    async with store.unit() as tx:
        await tx.write(changes)
    again = await RegistryStore.open(sql_url)
    known = [again.audience.anybody]
    await again.counters()
    known.append(again.audience.anybody)
    await again.close()
    assert known == [True, True]


async def test_statements_do_not_grow_with_what_is_told(store: RegistryStore) -> None:
    """One for contacts and one for changes, for one case or for fifty; none where nobody wants to be told."""
    sent: list[int] = []
    for names, channel in ((["a1"], None), (["b1"], "sms"), ([f"{chr(200 + n)}2" for n in range(50)], "sms")):
        statements: list[str] = []
        store.writer.on_statement.append(statements.append)
        await tell(store, *names, channel=channel)
        store.writer.on_statement.clear()
        sent.append(sum("INSERT" in statement for statement in statements))
    assert sent == [0, 2, 2]


async def test_one_change_is_one_notification(store: RegistryStore) -> None:
    """The same change written again, as after a lost answer to a commit, adds nothing and fails nothing."""
    await tell(store, "a1")
    await tell(store, "a1")
    assert await claim(store) == ["a-1"]
    assert await claim(store, LATER) == ["a-1"]


async def test_two_at_once_never_claim_the_same(store: RegistryStore) -> None:
    """Two processes at the same moment share what is due, and nobody gets it again within the lease."""
    await tell(store, *(f"{letter}1" for letter in "abcdefgh"))
    rows = Notifications(store.engine)
    both = await asyncio.gather(*(rows.claim("sms", NOW, LEASE, limit=4) for _ in range(2)))
    found = [row.id for part in both for row in part]
    assert len(found) == len(set(found))
    rest = await claim(store)
    assert sorted([*found, *rest]) == [f"{letter}-1" for letter in "abcdefgh"]
    assert await claim(store) == []


async def test_a_lease_that_is_over_is_claimed_again(store: RegistryStore) -> None:
    """Whoever died over it changes nothing when it comes back late: its claim is not the newest."""
    await tell(store, "a1.")
    rows = Notifications(store.engine)
    (first,) = await rows.claim("sms", NOW, LEASE, limit=9)
    (second,) = await rows.claim("sms", LEASE, LATER, limit=9)
    assert (first.tries, second.tries) == (1, 2)
    await rows.settle([End(first, failed="late")])
    assert await rows.due(LATER) == ["sms"]
    await rows.settle([End(second, sent_at=LEASE)])
    assert await rows.due(LATER + timedelta(days=9)) == []


async def test_a_case_is_told_in_order(store: RegistryStore) -> None:
    """What comes after one that still waits has to wait; other cases go on."""
    await tell(store, "a1", "a2.", "b1")
    rows = Notifications(store.engine)
    claimed = {row.id: row for row in await rows.claim("sms", NOW, LEASE, limit=9)}
    assert sorted(claimed) == ["a-1", "b-1"]
    await rows.settle([End(claimed["a-1"], next_try_at=LATER)])
    assert await claim(store, NOW + timedelta(minutes=1)) == []
    (again,) = [
        row for row in await rows.claim("sms", LATER, LATER + LEASE.resolution, limit=9) if row.id == "a-1"
    ]
    await rows.settle([End(again, failed="refused")])
    assert "a-2" in await claim(store, LATER)


async def test_an_address_goes_with_the_last_word(store: RegistryStore) -> None:
    """It is kept until the last notification is sent or given up, and no longer."""
    await tell(store, "a1", "a2.")
    rows = Notifications(store.engine)
    (first,) = await rows.claim("sms", NOW, LEASE, limit=9)
    assert (first.language, first.sealed) == ("zh", "sealed")
    await rows.settle([End(first, sent_at=NOW)])
    (last,) = await rows.claim("sms", NOW, LEASE, limit=9)
    await rows.settle([End(last, next_try_at=LATER)])
    assert await contacts(store) == ["a"]
    (last,) = await rows.claim("sms", LATER, LATER + timedelta(minutes=2), limit=9)
    await rows.settle([End(last, sent_at=LATER)])
    assert await contacts(store) == []


async def test_in_quiet_hours_only_what_is_urgent_goes_out(store: RegistryStore) -> None:
    """It takes along what waits before it in its case; a channel that is not quiet goes on."""
    await tell(store, "a1", "a2!", "b1")
    await tell(store, "c1", channel="webhook")
    rows = Notifications(store.engine)
    assert await rows.due(NOW, ("sms", "email")) == ["sms", "webhook"]
    (first,) = await rows.claim("sms", NOW, LEASE, limit=9, quiet=True)
    assert first.id == "a-1"
    await rows.settle([End(first, sent_at=NOW)])
    (urgent,) = await rows.claim("sms", NOW, LEASE, limit=9, quiet=True)
    assert urgent.id == "a-2"
    await rows.settle([End(urgent, sent_at=NOW)])
    assert await rows.due(NOW, ("sms", "email")) == ["webhook"]
    assert await claim(store) == ["b-1"]
