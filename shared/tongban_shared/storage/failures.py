"""Whose fault a database error is: the database's (try again later) or the statement's (a bug of ours)."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from asyncpg.exceptions import (
    IntegrityConstraintViolationError,
    InterfaceError,
    InternalClientError,
    PostgresError,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from tongban_shared.errors import StoreDownError

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

# Everything a driver or the pool can raise; asyncpg's own come bare while a connection is being made. Its
# InternalClientError: a process that stood still for long gave up a statement just as its answer came.
FAILURES: Final = (SQLAlchemyError, OSError, PostgresError, InterfaceError, InternalClientError)
# SQLSTATE classes of a server that can't do it now: connection, deadlock, resources, operator, system.
AWAY_CLASSES: Final = frozenset({"08", "40", "53", "57", "58"})
AWAY_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
WRONG_SQL: Final = "42"
PRIMARY_CODE: Final = 0xFF  # the higher bits of an SQLite code tell details


def is_away(error: BaseException) -> bool:
    """Tell whether the database failed; False means that a repeat of the statement fails in the same way."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _driver_says_away(error.orig)
    return isinstance(error, OSError) or _driver_says_away(error)


def store_down(error: BaseException) -> StoreDownError:
    """The error for the caller. Without the driver's words, which may quote a parameter."""
    return StoreDownError(f"the database does not answer ({type(error).__name__})")


def redact(context: ExceptionContext) -> None:
    """Take values out of PostgreSQL's words: "Key (name)=(…) already exists", "invalid input … for $1: …".

    The errors themselves are changed, not wrapped: a printed traceback shows every cause.
    """
    if context.sqlalchemy_exception is None:
        return  # not the database's words: a cancellation, a timeout
    words = _words(context.original_exception.__cause__ or context.original_exception)
    context.sqlalchemy_exception.args = (words,)
    _say(context.original_exception, words)


def translated(error: Exception, text: str, *, gone: bool) -> DBAPIError:
    """SQLAlchemy's error for a bare one of a driver, without values. gone: the connection is lost."""
    if not isinstance(error, sqlite3.Error):  # its words hold no values
        _say(error, _words(error))
    broken = isinstance(error, (sqlite3.IntegrityError, IntegrityConstraintViolationError))
    kind = IntegrityError if broken else DBAPIError
    return kind(text, None, error, hide_parameters=True, connection_invalidated=gone)


def _say(error: BaseException | None, words: str) -> None:
    while error is not None:
        error.args = (words,)
        if isinstance(error, PostgresError):
            vars(error)["detail"] = None
        error = error.__cause__


def _words(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith(WRONG_SQL):  # names tables and columns, and our statements hold no values
        return f"{type(error).__name__}: {error}"
    places = (getattr(error, name, None) for name in ("table_name", "column_name", "constraint_name"))
    return " ".join([type(error).__name__, state, *filter(None, places)])


def _driver_says_away(error: BaseException | None) -> bool:
    if isinstance(error, InternalClientError):
        return True
    code = getattr(error, "sqlite_errorcode", None) or 0
    state = getattr(error, "sqlstate", None) or ""
    return code & PRIMARY_CODE in AWAY_CODES or state[:2] in AWAY_CLASSES
