"""A Core statement as the text and the values that a driver takes: compiled once, sent many times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Executable
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

    Process = Callable[[Any], object]
    Slot = tuple[str, object, Process | None]


class Form:
    """One statement in one dialect."""

    __slots__ = ("_slots", "text")

    def __init__(self, text: str, slots: Sequence[Slot]) -> None:
        self.text = text
        self._slots = tuple(slots)

    def values(self, given: Mapping[str, Any]) -> list[object]:
        """The parameters in the driver's order; what is not given is what the statement itself holds."""
        return [
            given.get(name, held) if process is None else process(given.get(name, held))
            for name, held, process in self._slots
        ]


_forms: Final[dict[str, WeakKeyDictionary[Executable, Form]]] = {}


def form_of(statement: Executable, dialect: Dialect) -> Form:
    """Compile at the first call; so keep a statement at module level. Raises TypeError, see `_refuse`."""
    forms = _forms.setdefault(dialect.name, WeakKeyDictionary())
    form = forms.get(statement)
    if form is None:
        form = forms[statement] = _compile(statement, dialect)
    return form


def _compile(statement: Executable, dialect: Dialect) -> Form:
    compiled: SQLCompiler = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # of ClauseElement
    _refuse(statement, compiled, dialect)
    held = compiled.construct_params(_check=False)
    slots = []
    for name in compiled.positiontup or ():
        kind = compiled.binds[name].type.dialect_impl(dialect)
        slots.append((name, held[name], kind.bind_processor(dialect)))
    return Form(compiled.string, slots)


def _refuse(statement: Executable, compiled: SQLCompiler, dialect: Dialect) -> None:
    """What SQLAlchemy does at each execution is not done here: lists of IN, values made from a row's."""
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError("IN with a list is written anew at each execution; use a rowset or OR")
    for column in getattr(statement, "selected_columns", ()):
        if column.type.dialect_impl(dialect).result_processor(dialect, None) is not None:
            raise TypeError(f"column {column.key} has to be converted after it is read")
