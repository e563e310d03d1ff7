"""`tongban quarantine`: what was refused, looked at and put right by people; at a registry or the gateway.

Only what operators may see is printed: numbers, reasons, offices. No person and no body stands in any answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from tongban_sandbox.api import OverHttp
from tongban_shared.errors import UnavailableError

quarantine_app = typer.Typer(
    help="Refused messages: list and show them, replay or drop one, see who did what.", no_args_is_help=True
)

PAGE = "/v1/ops/quarantine"
REFUSED_AGAIN, WRONG_USE = 1, 2

Base = Annotated[
    str,
    typer.Option(
        "--registry",
        "--gateway",
        envvar="TONGBAN_OPS_URL",
        help="Address of a registry or of the gateway, http://…",
        show_default=False,
    ),
]
Of = Annotated[
    str | None, typer.Option(help="one province, at the gateway; without it all", show_default=False)
]
Entry = Annotated[str, typer.Argument(help="number in the list, as 44-12", show_default=False)]
Actor = Annotated[
    str, typer.Option(help="who does it; kept and shown to other operators", show_default=False)
]
Reason = Annotated[str, typer.Option(help="why; kept too. No names of residents", show_default=False)]
Limit = Annotated[int, typer.Option(min=1, max=200, help="so many at most")]


@quarantine_app.command("list")
def list_(*, base: Base, province: Of = None, limit: Limit = 50) -> None:
    """What was refused, newest first: number, time, reason, sender, message."""
    for item in _items(base, PAGE, province, limit):
        typer.echo(_row(item, ("id", "at", "reason", "sender", "message_id")))


@quarantine_app.command()
def parked(*, base: Base, province: Of = None, limit: Limit = 50) -> None:
    """What waits for its cause, the oldest first: since, message, case, tries."""
    for item in _items(base, "/v1/ops/parked", province, limit):
        typer.echo(_row(item, ("since", "message_id", "case_id", "tries")))


@quarantine_app.command()
def acts(*, base: Base, province: Of = None, limit: Limit = 50) -> None:
    """Who replayed or dropped what, and why; newest first."""
    for item in _items(base, "/v1/ops/acts", province, limit):
        typer.echo(_row(item, ("at", "act", "id", "result", "refused_for", "actor", "reason")))


@quarantine_app.command()
def show(entry: Entry, *, base: Base) -> None:
    """One refused parcel: what its envelopes claim. Nothing of it is believed, nothing personal is shown."""
    found = _asked(base, "GET", f"{PAGE}/{quote(entry, safe='')}")
    for name in ("id", "at", "reason", "sender", "message_id", "unit", "key_id", "size_bytes"):
        typer.echo(f"{name:<11} {_text(found.get(name))}")
    for message in found.get("messages", ()):
        typer.echo(_row(message or {}, ("id", "type", "receiver", "case_id", "cause", "at")))


@quarantine_app.command()
def replay(entry: Entry, *, base: Base, actor: Actor, reason: Reason) -> None:
    """Put one before the registry again, as if it had just come. Exit code 1 if it is refused again."""
    result = _acted(base, entry, "replay", (actor, reason))
    if result.get("result") != "TAKEN":
        raise typer.Exit(REFUSED_AGAIN)


@quarantine_app.command()
def drop(entry: Entry, *, base: Base, actor: Actor, reason: Reason) -> None:
    """Take one out for good: a forgery, or a copy of what was taken."""
    _acted(base, entry, "drop", (actor, reason))


def _acted(base: str, entry: str, what: str, who: tuple[str, str]) -> Mapping[str, Any]:
    actor, reason = who
    path = f"{PAGE}/{quote(entry, safe='')}/{what}"
    result = _asked(base, "POST", path, {"actor": actor, "reason": reason})
    typer.echo(_row(result, ("id", "result", "reason", "message_id")))
    return result


def _items(base: str, path: str, province: str | None, limit: int) -> Iterator[Mapping[str, Any]]:
    query = {"limit": str(limit), **({"province": province} if province else {})}
    found = _asked(base, "GET", f"{path}?{urlencode(query)}")
    yield from found.get("items", ())
    for away in found.get("unreachable", ()):
        typer.echo(f"not reached: {_row(away, ('province', 'reason'))}", err=True)
    if found.get("next"):
        typer.echo(f"there are more than {limit}", err=True)


def _asked(base: str, method: str, path: str, body: object = None) -> Mapping[str, Any]:
    """An answer, or one line that says why there is none and exit code 2."""
    try:
        reply = asyncio.run(_ask(base, method, path, body))
    except UnavailableError as error:
        typer.echo(f"tongban quarantine: {base}: {error}", err=True)
        raise typer.Exit(WRONG_USE) from error
    if reply.status != HTTPStatus.OK or not isinstance(reply.body, dict):
        detail = reply.body.get("detail", "") if isinstance(reply.body, dict) else ""
        typer.echo(f"tongban quarantine: {reply.code} {detail}", err=True)
        raise typer.Exit(WRONG_USE)
    return reply.body


async def _ask(base: str, method: str, path: str, body: object) -> Any:  # noqa: ANN401  # a reply, narrowed above
    api = OverHttp.at(base)
    try:
        return await api.call(method, path, body)
    finally:
        await api.close()


def _row(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return "  ".join(_text(item.get(name)) for name in names)


def _text(value: object) -> str:
    """One line: what another operator wrote must not steer this one's terminal."""
    text = "-" if value is None else str(value)
    return "".join(char if char.isprintable() else "?" for char in text)
