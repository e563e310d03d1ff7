"""JSON Schema (2020-12) of each message contract and of the envelope, as files of their own."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from tongban_sandbox.docs_gen.text import json_text
from tongban_shared.messages.codec import CONTRACTS
from tongban_shared.messages.envelope import Body, Envelope

URN = "urn:tongban:message"


def version_of(contract: type[BaseModel]) -> int:
    """The version that a contract's `v` allows."""
    version: int = get_args(contract.model_fields["v"].annotation)[0]
    return version


def schema_files() -> dict[str, str]:
    """docs/schemas/*.json by file name."""
    files = {f"{body.name}.v{version_of(body)}.json": _document(body, body.name) for body in CONTRACTS}
    files[f"envelope.v{version_of(Envelope)}.json"] = _document(Envelope, "envelope")
    return {name: json_text(files[name]) for name in sorted(files)}


def _document(contract: type[BaseModel], name: str) -> dict[str, Any]:
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{URN}:{name}:{version_of(contract)}",
    }
    if issubclass(contract, Body):
        head["$comment"] = f"wire type {contract.name}, family {contract.family}, basis {contract.basis}"
    return head | contract.model_json_schema()
