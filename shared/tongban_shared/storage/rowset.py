"""A table as one parameter: the only construct that differs between SQLite and PostgreSQL.

    MOVED = rowset("moved", person=Text, epoch=BigInteger)
    RAISE = (
        update(register)
        .where(register.c.person == MOVED.c.person, register.c.epoch == MOVED.c.epoch)
        .values(epoch=register.c.epoch + 1)
    )
    result = await tx.execute(RAISE, MOVED.bind([("p1", 3), ("p2", 0)]))
    if result.rowcount != 2: ...  # the guard: somebody else was faster

A statement is written once, compiled once and sent once, however many rows the batch has.
PostgreSQL takes one array for each column (`unnest`), SQLite one JSON text (`json_each`).
One JSON text for PostgreSQL too was measured: cheaper for us, dearer for the server, and its planner takes
`json_to_recordset` for 100 rows, so that it reads tables of some thousand rows from end to end.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Float,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    column,
    insert,
    select,
    text,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine, UserDefinedType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Insert, Select, Table, TableValuedAlias
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.base import ReadOnlyColumnCollection
    from sqlalchemy.sql.compiler import SQLCompiler

    Kind = type[TypeEngine[Any]]

ARRAY_OF: Final[Mapping[Kind, str]] = {
    Text: "TEXT[]",
    BigInteger: "BIGINT[]",
    Integer: "INTEGER[]",
    Boolean: "BOOLEAN[]",
    Float: "DOUBLE PRECISION[]",
    LargeBinary: "BYTEA[]",
}
# JSON has no bytes; the engine registers this function on each SQLite connection (SQLite 3.40 has no unhex).
UNBASE64: Final = "tongban_unbase64"

_to_json: Final = msgspec.json.Encoder().encode


class Batch:
    """The rows of one call. Turned into arrays or into JSON only when the dialect asks, and only once."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, rows: Iterable[Sequence[object]]) -> None:
        self._rows = list(rows)
        self._columns: list[tuple[object, ...]] | None = None

    def array(self, index: int) -> Sequence[object]:
        """The values of one column, for PostgreSQL."""
        if self._columns is None:
            self._columns = list(zip(*self._rows, strict=True))
        return self._columns[index] if self._columns else ()

    def json(self) -> str:
        """All rows as an array of arrays, for SQLite; bytes become base64."""
        return _to_json(self._rows).decode()


class RowSet:
    """A FROM element whose rows are bound at execution. Made by `rowset`, once, at module level."""

    def __init__(self, name: str, kinds: Mapping[str, Kind]) -> None:
        self.name = name
        self.columns = tuple(kinds)
        self.table: TableValuedAlias = _Rows.of(name, kinds).table_valued(
            *(column(key, kind()) for key, kind in kinds.items()), name=name
        )
        self._parameters = (f"{name}__rows", *(f"{name}__{key}" for key in kinds))
        getter = attrgetter(*kinds)
        self._read: Callable[[object], Sequence[object]] = (
            getter if len(kinds) > 1 else lambda item: (getter(item),)
        )

    @property
    def c(self) -> ReadOnlyColumnCollection[str, ColumnElement[Any]]:
        """The columns, for use in any expression; a statement that uses one has the rows in its FROM."""
        return self.table.c

    def select(self, *names: str) -> Select[Any]:
        """Select these columns of the rows, or all. `WHERE true` lets SQLite tell ON from ON CONFLICT."""
        return select(*(self.c[name] for name in names or self.columns)).where(true())

    def bind(self, rows: Iterable[Sequence[object]]) -> dict[str, Any]:
        """Parameters for one execution: a tuple for each row, values in the order of the columns."""
        return dict.fromkeys(self._parameters, Batch(rows))

    def bind_objects(self, items: Iterable[object]) -> dict[str, Any]:
        """The same from objects whose attributes have the names of the columns."""
        return self.bind(map(self._read, items))


def rowset(name: str, /, **kinds: Kind) -> RowSet:
    """Make a table-valued parameter; `name` is its alias in SQL.

    Kinds: Text, BigInteger, Integer, Boolean, Float, LargeBinary; NULL is fine in each. Raises TypeError.
    """
    for key, kind in kinds.items():
        if kind not in ARRAY_OF:
            raise TypeError(f"rowset {name}: column {key} can't be {kind.__name__}")
    return RowSet(name, kinds)


def insert_all(table: Table, rows: RowSet) -> Insert:
    """INSERT every row; a key that exists is an IntegrityError."""
    return insert(table).from_select(list(rows.columns), rows.select(), include_defaults=False)


def insert_new(table: Table, rows: RowSet, keys: Sequence[str]) -> Insert:
    """INSERT the rows whose key is new; with `.returning(…)` the answer tells which ones were."""
    return _insert(table, rows, f"ON CONFLICT ({_names(keys)}) DO NOTHING")


def upsert(table: Table, rows: RowSet, keys: Sequence[str], columns: Sequence[str] | None = None) -> Insert:
    """INSERT, or set `columns` (all but the keys when None) where the key exists.

    A key may stand in the rows once only: PostgreSQL refuses a second one, SQLite would take the last.
    """
    chosen = columns if columns is not None else [name for name in rows.columns if name not in keys]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in chosen)
    return _insert(table, rows, f"ON CONFLICT ({_names(keys)}) DO UPDATE SET {changes}")


def _insert(table: Table, rows: RowSet, conflict: str) -> Insert:
    # A suffix of the SELECT: SQLAlchemy's own ON CONFLICT has no cache key and is compiled on each call.
    source = rows.select().suffix_with(text(conflict))
    return insert(table).from_select(list(rows.columns), source, include_defaults=False)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class _Array(UserDefinedType[Any]):
    """Binds one column of a Batch. What the constructor takes is part of the key of the statement cache."""

    cache_ok = True

    def __init__(self, index: int, key: str, kind: Kind) -> None:
        self.index = index
        self.key = key
        self.kind = kind

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Sequence[object]]:
        del dialect
        index = self.index
        return lambda batch: batch.array(index)


class _Json(UserDefinedType[Any]):
    """Binds a whole Batch as JSON."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        del dialect
        return Batch.json


class _Rows(FunctionElement[Any]):
    """The rows as SQL. Its arguments are the JSON parameter, then one array parameter for each column."""

    inherit_cache = True
    name = "rowset"

    @classmethod
    def of(cls, name: str, kinds: Mapping[str, Kind]) -> _Rows:
        arrays = (
            bindparam(f"{name}__{key}", type_=_Array(index, key, kind))
            for index, (key, kind) in enumerate(kinds.items())
        )
        return cls(bindparam(f"{name}__rows", type_=_Json()), *arrays)


def _parameters(element: _Rows) -> tuple[ColumnElement[Any], list[tuple[ColumnElement[Any], _Array]]]:
    rows, *arrays = element.clauses
    return rows, [(array, cast("_Array", array.type)) for array in arrays]


@compiles(_Rows, "postgresql")
def _render_arrays(element: _Rows, compiler: SQLCompiler, **options: object) -> str:
    _, arrays = _parameters(element)
    values = ", ".join(
        f"CAST({compiler.process(array, **options)} AS {ARRAY_OF[column.kind]})" for array, column in arrays
    )
    names = ", ".join(compiler.preparer.quote(column.key) for _, column in arrays)
    return f"(SELECT * FROM unnest({values}) AS given({names}))"  # noqa: S608 (names are quoted, values bound)


@compiles(_Rows, "sqlite")
def _render_json(element: _Rows, compiler: SQLCompiler, **options: object) -> str:
    rows, arrays = _parameters(element)
    values = ", ".join(f"{_extract(column)} AS {compiler.preparer.quote(column.key)}" for _, column in arrays)
    return f"(SELECT {values} FROM json_each({compiler.process(rows, **options)}))"  # noqa: S608 (as above)


def _extract(column: _Array) -> str:
    value = f"json_extract(value, '$[{column.index}]')"
    return f"{UNBASE64}({value})" if column.kind is LargeBinary else value
