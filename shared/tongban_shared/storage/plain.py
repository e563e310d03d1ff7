"""Rows as the driver gives them, for reads of many thousands: SQLAlchemy's rows cost twice as much.

async with read(engine) as tx:
for key, epoch in await plain_rows(tx, PAGE, {"after": ""}): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tongban_shared.storage.lines import PostgresLine, SqliteLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncConnection


async def plain_rows(tx: AsyncConnection, statement: Executable, given: Mapping[str, Any]) -> Sequence[Any]:
    """The rows of a statement kept at module level, within a transaction of `engine.read` or `write`.

    Each is a plain sequence of values, in the order of the statement's columns.
    """
    driver = (await tx.get_raw_connection()).driver_connection
    assert driver is not None
    kind = SqliteLine if tx.dialect.name == "sqlite" else PostgresLine
    return await kind(tx.dialect, (), driver).fetch(statement, given)
