"""The command `tongban verify`: is this document genuine and valid now? Without any connection."""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tongban_shared.clock import BEIJING, WallClock
from tongban_shared.documents.document import DOCUMENT_SIZE_BYTES_MAX, Header
from tongban_shared.documents.verify import Reason, Result, Verification, verify as verify_document
from tongban_shared.errors import SettingsError, TongbanError
from tongban_shared.keys import DIRECTORY, SIGNING, KeyDirectory

NOT_VALID, WRONG_USE = 1, 2

REASONS = {
    Reason.MALFORMED: "these are not exactly the bytes of a document; ask for the file as it was issued",
    Reason.UNKNOWN_ISSUER: "no key of this issuer is in the key list; a newer list may have it",
    Reason.SIGNATURE_INVALID: "the issuer did not sign this, or it was changed since",
    Reason.FIELD_ALTERED: "a field is not the one that the issuer signed",
    Reason.LICENCE_INVALID: "the issuer signed it, but its e-licence identifier is wrong",
}
# Control characters, and those that turn the direction of writing: a value must not repaint the screen.
UNSEEN = {"Cc", "Cf", "Zl", "Zp"}


def verify(
    file: Annotated[Path, typer.Argument(help="a document, or a presentation of one, in JSON")],
    *,
    keys: Annotated[
        Path, typer.Option(help="key folder, its directory.json, or a key set (jwks.json) of issuers")
    ] = Path("var/keys"),
    fields: Annotated[
        str | None, typer.Option(help="show only these, with commas between; each must be disclosed")
    ] = None,
) -> None:
    """Is this document genuine and valid now? Offline, by public keys.

    Exit code 0: valid, and every field asked for is disclosed. 1: not so.
    2: wrong use, as when a file is missing.
    """
    try:
        found = verify_document(_read(file), read_issuers(keys), WallClock().now())
    except TongbanError as error:
        typer.echo(f"tongban: {error}", err=True)
        raise typer.Exit(WRONG_USE) from error
    wanted = list(found.fields) if fields is None else [name.strip() for name in fields.split(",")]
    for line in lines(found, wanted):
        typer.echo(line)
    if found.result is not Result.VALID or not found.fields.keys() >= set(wanted):
        raise typer.Exit(NOT_VALID)


def lines(found: Verification, wanted: list[str]) -> Iterator[str]:
    """What the answer looks like on a screen."""
    if found.reason is not None:
        yield f"{found.result}  {found.reason}: {REASONS[found.reason]}"
        return
    yield f"{found.result}"
    if found.document is None:
        return
    yield from _of_header(found.document.header)
    yield f"fields      {len(found.document.fields)} of {len(found.document.digests)} disclosed"
    for name in wanted:
        yield f"  {_seen(name)}: {_seen(found.fields[name]) if name in found.fields else '(not disclosed)'}"
    yield "status      not asked: whether it was superseded or revoked is known only online, by its issuer"


def _of_header(header: Header) -> Iterator[str]:
    issuer = header.issuer
    until = "without end" if header.valid_until is None else f"until {_shown(header.valid_until)}"
    yield f"kind        {header.kind}"
    yield f"number      {_seen(header.number)}"
    yield f"licence     {header.licence_id}"
    yield f"issued      {_shown(header.issued_at)} by {issuer.org_code}, province {issuer.province}"
    yield f"signed with {issuer.key_id}"
    yield f"valid       from {_shown(header.valid_from)} {until}"
    yield f"case        {header.case_id}"
    if header.as_of is not None:
        yield f"as of       {_shown(header.as_of)}"


def _shown(moment: datetime) -> str:
    return moment.astimezone(BEIJING).isoformat()


def _seen(text: str) -> str:
    """The text with what moves a cursor or can't be seen spelt out."""
    return "".join(
        one.encode("unicode_escape").decode("ascii") if unicodedata.category(one) in UNSEEN else one
        for one in text
    )


def read_issuers(place: Path) -> KeyDirectory:
    """Read public keys: a key folder, a public key list, or a JWK set as the gateway publishes it.

    A key set does not name owners: they stand before the last hyphen of the key's number, as in `44-1`.
    Raises SettingsError with what to do.
    """
    file = place / DIRECTORY if place.is_dir() else place
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        known = KeyDirectory([_entry(key) for key in content["keys"]])
    except OSError as error:
        advice = "give it by --keys; the gateway publishes it at /.well-known/jwks.json"
        raise SettingsError(f"no public key list can be read at {file}: {advice}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SettingsError(f"{file} is neither a public key list nor a JWK set") from error
    if not known.provinces():
        raise SettingsError(f"{file} holds no key of any province")
    return known


def _entry(key: dict[str, Any]) -> dict[str, str]:
    """An entry of the key list, also of a JWK."""
    if "kty" not in key:
        return key
    raw = base64.urlsafe_b64decode(key["x"] + "=" * (-len(key["x"]) % 4)) if key["crv"] == SIGNING else b""
    owner, _, _ = key["kid"].rpartition("-")
    public = base64.b64encode(raw).decode("ascii")
    return {"owner": owner, "key_id": key["kid"], "alg": key["crv"], "public": public}


def _read(file: Path) -> bytes:
    """One byte more than a document may have is enough to refuse it. Raises SettingsError."""
    try:
        with file.open("rb") as opened:
            return opened.read(DOCUMENT_SIZE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"no document can be read at {file}: {error.strerror}") from error
