"""The message reference: every contract, the envelope, and the parcel that carries them."""

from __future__ import annotations

import msgspec

from tongban_registry.envelopes import parcels_of
from tongban_sandbox.docs_gen.schemas import version_of
from tongban_sandbox.docs_gen.text import code, page, prose, table
from tongban_sandbox.docs_gen.words import Schema, field_rows
from tongban_shared import tree, wire
from tongban_shared.messages.codec import CONTRACTS
from tongban_shared.messages.envelope import Body, Envelope
from tongban_shared.ports import Family
from tongban_shared.transports.topics import TOPIC_NAME

SOURCE = "shared/tongban_shared/messages/, wire.py and tree.py"
FIELDS = ("field", "type and limits", "if absent", "meaning")

INTRODUCTION = f"""A message is `{{"envelope": {{…}}, "body": {{…}}}}` in UTF-8 JSON, fields in the order
of the contract, no spaces. Its bytes are made once: these are hashed, signed, stored, sent, and sent
again. A contract is closed: an unknown field is refused, and so is a version that is not listed here.
Messages travel in parcels on the topics `{TOPIC_NAME}` of the receiver. Codes are explained in [the
rules](rules.md), the order of messages in [the case table](cases/migration.md); the same contracts as
JSON Schema are in [schemas/](schemas/), as AsyncAPI in [asyncapi.json](asyncapi.json)."""
PARCEL = """One record on a topic is one parcel: all messages of one unit of work for one receiver and
family (or several parcels, when they would not fit in one). All messages of a unit, whoever receives
them, are the leaves of one hash tree (RFC 6962: a leaf is hashed behind the byte 0, a node behind the
byte 1; the last node of an odd level moves up as it is). The root is signed once, with Ed25519."""
PROOF = """From a parcel any message can be cut out with the header and its own path, as a parcel of one.
It can be verified alone, offline and for ever, and it is what quarantine, certificates and the inquiry
carry. A message that does not verify spoils itself, never its parcel."""


def messages_page() -> str:
    """docs/messages.md."""
    blocks = [INTRODUCTION, "## All contracts", _overview()]
    blocks += ["## The envelope", prose(Envelope.__doc__), _fields(Envelope.model_json_schema())]
    for body in CONTRACTS:
        blocks += _contract(body)
    blocks += ["## The parcel", PARCEL, _layout(), "The header, as JSON:", _header(), PROOF]
    blocks += ["Headers of the record (CloudEvents 1.0, binary mode):", _record_headers()]
    return page("Messages between registries", SOURCE, blocks)


def _overview() -> str:
    rows = [
        (
            f"[{body.name}](#{_anchor(body)})",
            str(version_of(body)),
            body.family.value,
            f"[{body.basis}](rules.md#{body.basis.lower()})",
            prose(body.__doc__).partition(" · ")[2],
        )
        for body in CONTRACTS
    ]
    return table(("wire type", "v", "family", "basis", "meaning"), rows)


def _anchor(body: type[Body]) -> str:
    return body.name.replace(".", "")


def _contract(body: type[Body]) -> list[str]:
    schema = body.model_json_schema()
    facts = f"Version {version_of(body)}, family {code(body.family.value)}, basis {code(body.basis)}."
    blocks = [f"## {body.name}", prose(body.__doc__), facts, _fields(schema)]
    for name, part in schema.get("$defs", {}).items():
        blocks += [f"**{name}**: {prose(part.get('description'))}", _fields(part)]
    return blocks


def _fields(schema: Schema) -> str:
    return table(FIELDS, field_rows(schema))


def _layout() -> str:
    head = ("bytes", "what", "times")
    magic = wire.MAGIC.decode("ascii")
    rows = (
        (f"{len(wire.MAGIC)}", f"`{magic}`", "once"),
        ("4", "length of the header, unsigned, big-endian", "once"),
        ("as said", "the header, JSON", "once"),
        ("4", "index of the message among the unit's leaves, unsigned, big-endian", "for each message"),
        ("2", "number of hashes in its path, unsigned, big-endian", "for each message"),
        (
            f"{tree.HASH_SIZE_BYTES} each",
            "the path: SHA-256 hashes from the leaf upwards",
            "for each message",
        ),
        ("4", "length of the message, unsigned, big-endian", "for each message"),
        ("as said", "the message, JSON", "for each message"),
    )
    size = f"At most {wire.PARCEL_SIZE_BYTES_MAX} bytes, unless one message alone is larger."
    return f"{table(head, rows)}\n\n{size}"


def _header() -> str:
    words = {
        "v": "version of this layout, 1",
        "sender": "the province that signed",
        "unit": "the unit of work, `incarnation.number`; unique per sender",
        "size": "number of leaves of the unit's tree",
        "root": "the tree's root, base64",
        "key_id": "which of the sender's keys signed",
        "signature": "Ed25519 over “tongban unit v1”, sender, unit, size, a line each, then the root; base64",
    }
    kinds = {str: "text", int: "whole number"}
    rows = [
        (code(part.name), kinds[part.type], words[part.name]) for part in msgspec.structs.fields(wire.Header)
    ]
    return table(("field", "type", "meaning"), rows)


def _record_headers() -> str:
    header = wire.Header(1, "SENDER", "UNIT", 1, "", "", "")
    sample = next(parcels_of(header, [wire.Leaf(0, b"", b"")], "RECEIVER", Family.MIGRATION))
    return table(
        ("header", "value, for a parcel of family migration"),
        [(code(k), code(v)) for k, v in sample.headers.items()],
    )
