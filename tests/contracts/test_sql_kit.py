"""What registry and ledger rely on in the SQL kit: the same claims for SQLite and for PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    event,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from tongban_shared.storage.engine import open_engine, read, write
from tongban_shared.storage.rowset import insert_all, insert_new, rowset, upsert

METADATA = MetaData()
PERSON = Table(
    "person",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("epoch", BigInteger),
    Column("size", Integer),
    Column("held", Boolean),
    Column("score", Float),
    Column("data", LargeBinary),
    Column("note", Text),
)
PERSONS = rowset(
    "persons", id=Text, epoch=BigInteger, size=Integer, held=Boolean, score=Float, data=LargeBinary, note=Text
)
KEYS = rowset("wanted", id=Text, epoch=BigInteger)
FULL = ("a", 2**62, -7, True, 0.5, b"\x00\xff", '户籍 "quoted" \\ \n 𠮷 \' ? :x $1')
EMPTY = ("b", None, None, None, None, None, None)
BARE = (None, None, None, None, None)

ADD = insert_all(PERSON, PERSONS)
ADD_NEW = insert_new(PERSON, PERSONS, ["id"]).returning(PERSON.c.id)
PUT = upsert(PERSON, PERSONS, ["id"])
PUT_NOTE = upsert(PERSON, PERSONS, ["id"], ["note"])
RAISE = (
    update(PERSON)
    .where(PERSON.c.id == KEYS.c.id, PERSON.c.epoch == KEYS.c.epoch)
    .values(epoch=PERSON.c.epoch + 1)
)
ALL = select(PERSON).order_by(PERSON.c.id)
COUNT = select(func.count()).select_from(PERSON)


@pytest.fixture
async def engine(sql_url: str) -> AsyncIterator[AsyncEngine]:
    """An open engine with the table in it."""
    engine = await open_engine(sql_url)
    async with write(engine) as tx:
        await tx.run_sync(METADATA.create_all)
    yield engine
    await engine.dispose()


async def add(engine: AsyncEngine, *batches: list[tuple[object, ...]]) -> None:
    """Insert batches of persons in one transaction."""
    async with write(engine) as tx:
        for batch in batches:
            await tx.execute(ADD, PERSONS.bind(batch))


async def count(engine: AsyncEngine) -> int:
    """Number of persons, in a transaction of its own."""
    async with read(engine) as tx:
        return (await tx.execute(COUNT)).scalar_one()


async def test_every_kind_of_value_comes_back_as_it_went_in(engine: AsyncEngine) -> None:
    """Text, numbers, truth, bytes and NULL survive the way through a rowset unchanged."""
    async with write(engine) as tx:
        await tx.execute(ADD, PERSONS.bind([FULL, EMPTY]))
    async with read(engine) as tx:
        assert [tuple(row) for row in await tx.execute(ALL)] == [FULL, EMPTY]


async def test_a_guarded_update_tells_how_many_rows_it_met(engine: AsyncEngine) -> None:
    """Rows whose guard fails are left alone, and the count shows it."""
    async with write(engine) as tx:
        await tx.execute(ADD, PERSONS.bind([("a", 1, *BARE), ("b", 5, *BARE)]))
        result = await tx.execute(RAISE, KEYS.bind([("a", 1), ("b", 4), ("c", 0)]))
        epochs = [row.epoch for row in await tx.execute(ALL)]
    assert result.rowcount == 1
    assert epochs == [2, 5]


async def test_an_upsert_changes_the_named_columns_only(engine: AsyncEngine) -> None:
    """Where the key exists the chosen columns are set, where it does not the whole row is inserted."""
    async with write(engine) as tx:
        await tx.execute(PUT, PERSONS.bind([FULL]))
        result = await tx.execute(PUT_NOTE, PERSONS.bind([("a", 0, 0, False, 0.0, b"", "new"), EMPTY]))
        rows = [tuple(row) for row in await tx.execute(ALL)]
    assert result.rowcount == 2
    assert rows == [(*FULL[:-1], "new"), EMPTY]


async def test_insert_new_returns_the_keys_that_were_new(engine: AsyncEngine) -> None:
    """A key that exists is passed over in silence and not returned."""
    async with write(engine) as tx:
        await tx.execute(ADD, PERSONS.bind([FULL]))
        returned = (await tx.execute(ADD_NEW, PERSONS.bind([FULL, EMPTY]))).scalars().all()
    assert returned == ["b"]


async def test_a_second_key_is_our_own_fault_and_no_store_failure(engine: AsyncEngine) -> None:
    """A broken constraint stays an IntegrityError and rolls the whole transaction back."""
    with pytest.raises(IntegrityError):
        await add(engine, [EMPTY], [FULL, FULL])
    assert await count(engine) == 0


async def test_an_empty_batch_is_a_statement_that_meets_nothing(engine: AsyncEngine) -> None:
    """No rows are no special case for the caller."""
    async with write(engine) as tx:
        assert (await tx.execute(PUT, PERSONS.bind([]))).rowcount == 0
        assert (await tx.execute(RAISE, KEYS.bind([]))).rowcount == 0
        assert (await tx.execute(ADD_NEW, PERSONS.bind([]))).all() == []


async def test_a_rowset_joins_filters_and_deletes(engine: AsyncEngine) -> None:
    """It stands wherever a table may stand: outer join from the rows, IN, DELETE."""
    lookup = select(KEYS.c.id, PERSON.c.note).select_from(
        KEYS.table.outerjoin(PERSON, PERSON.c.id == KEYS.c.id)
    )
    forget = delete(PERSON).where(PERSON.c.id.in_(KEYS.select("id")))
    async with write(engine) as tx:
        await tx.execute(ADD, PERSONS.bind([FULL, EMPTY]))
        found = await tx.execute(lookup.order_by(KEYS.c.id), KEYS.bind([("a", 0), ("z", 0)]))
        assert [tuple(row) for row in found] == [("a", FULL[-1]), ("z", None)]
        assert (await tx.execute(forget, KEYS.bind([("a", 0), ("z", 0)]))).rowcount == 1


async def test_objects_are_bound_by_attribute(engine: AsyncEngine) -> None:
    """What has attributes of the columns' names needs no tuple; database rows are such things."""
    async with write(engine) as tx:
        await tx.execute(ADD, PERSONS.bind([("a", 1, *BARE)]))
        rows = (await tx.execute(ALL)).all()
        assert (await tx.execute(RAISE, KEYS.bind_objects(rows))).rowcount == 1


async def test_the_number_of_statements_does_not_grow_with_the_batch(engine: AsyncEngine) -> None:
    """One row or two thousand: one statement, compiled once."""
    statements: list[str] = []
    event.listen(
        engine.sync_engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2])
    )
    async with write(engine) as tx:
        for size in (1, 2000):
            await tx.execute(PUT, PERSONS.bind([(f"{n}", n, *BARE) for n in range(size)]))
    assert len([statement for statement in statements if "INSERT" in statement]) == 2
    assert len(set(statements) - {"BEGIN IMMEDIATE", "SELECT 1"}) == 1
    assert await count(engine) == 2000


@pytest.mark.parametrize("statement", [ADD, ADD_NEW, PUT, RAISE, ALL])
def test_statements_have_a_key_in_the_compile_cache(statement: Callable[[], object]) -> None:
    """SQLAlchemy compiles none of them twice. It has no public way to ask, but warns in no log either."""
    assert statement._generate_cache_key() is not None  # type: ignore[attr-defined]  # see the docstring


def test_a_rowset_refuses_a_type_it_cannot_carry() -> None:
    """The mistake shows when the module is imported, not when a citizen waits."""
    with pytest.raises(TypeError, match="column at"):
        rowset("r", at=MetaData)  # type: ignore[arg-type]  # the mistake under test
