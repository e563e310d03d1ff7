"""The message contract as AsyncAPI 3.0: a channel for each family, a message for each contract."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tongban_gateway.app import VERSION
from tongban_sandbox.docs_gen.schemas import version_of
from tongban_sandbox.docs_gen.text import json_text, prose
from tongban_shared.ids import PROVINCES
from tongban_shared.messages.codec import CONTRACTS
from tongban_shared.messages.envelope import Body, Envelope
from tongban_shared.ports import Family
from tongban_shared.transports.topics import TOPIC_NAME, load_topics

Json = dict[str, Any]
PARCEL_TYPE = "application/vnd.tongban.parcel"
SCHEMAS, MESSAGES = "#/components/schemas/", "#/components/messages/"

DESCRIPTION = """Signed messages between the household registries of the provinces. A record on a channel
is a parcel: a signed header and one or more messages, each with its path in the unit's hash tree. The
payload below is one message as it stands in a parcel; docs/messages.md describes the layout around it. A
receipt may ride in a parcel of any family."""


def asyncapi_text() -> str:
    """docs/asyncapi.json."""
    return json_text(asyncapi_document())


def asyncapi_document() -> Json:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "通办 tongban messages", "version": VERSION, "description": prose(DESCRIPTION)},
        "defaultContentType": "application/json",
        "channels": {family.value: _channel(family) for family in Family},
        "operations": _operations(),
        "components": {
            "messages": {body.name: _message(body) for body in CONTRACTS},
            "schemas": _schemas(),
        },
    }


def _bodies(family: Family) -> list[type[Body]]:
    """Contracts of a family, and those that ride along: a receipt goes with whatever goes to its reader."""
    return [body for body in CONTRACTS if body.family in (family, Family.COMMON)]


def _channel(family: Family) -> Json:
    settings = load_topics().common_settings
    return {
        "address": TOPIC_NAME.replace("{family}", family.value),
        "title": load_topics().families[family].title_zh,
        "description": f"Parcels of family {family.value} for one receiving province.",
        "parameters": {
            "province": {"description": "two digits of the receiver (GB/T 2260)", "enum": sorted(PROVINCES)}
        },
        "messages": {body.name: {"$ref": MESSAGES + body.name} for body in _bodies(family)},
        "bindings": {"kafka": {"partitions": settings.partitions, "replicas": settings.replication_factor}},
    }


def _operations() -> Json:
    """Every registry sends to every other one, and receives its own."""
    return {
        f"{action}.{family.value}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{family.value}"},
            "summary": _summary(action, family),
            "messages": [
                {"$ref": f"#/channels/{family.value}/messages/{body.name}"} for body in _bodies(family)
            ],
        }
        for family in Family
        for action in ("send", "receive")
    }


def _summary(action: str, family: Family) -> str:
    if action == "send":
        return f"A registry sends parcels of family {family.value} to another province."
    return f"A registry reads parcels of family {family.value} for its own province."


def _message(body: type[Body]) -> Json:
    _, _, summary = prose(body.__doc__).partition(" · ")
    return {
        "name": body.name,
        "title": f"{body.basis} {body.name}",
        "summary": summary,
        "contentType": "application/json",
        "headers": {"$ref": f"{SCHEMAS}RecordHeaders"},
        "payload": _payload(body),
        "x-basis": body.basis,
        "x-version": version_of(body),
    }


def _payload(body: type[Body]) -> Json:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["envelope", "body"],
        "properties": {
            "envelope": {
                "allOf": [
                    {"$ref": f"{SCHEMAS}Envelope"},
                    {"properties": {"type": {"const": body.name}, "body_v": {"const": version_of(body)}}},
                ]
            },
            "body": {"$ref": SCHEMAS + body.__name__},
        },
    }


def _schemas() -> Json:
    models: list[type[BaseModel]] = [Envelope, *CONTRACTS]
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=SCHEMAS + "{model}"
    )
    schemas: Json = definitions["$defs"]
    return {"RecordHeaders": _record_headers(), **{name: schemas[name] for name in sorted(schemas)}}


def _record_headers() -> Json:
    """CloudEvents 1.0 attributes in the Kafka binding's binary mode."""
    text = {"type": "string"}
    names = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "content-type")
    properties: Json = {name: dict(text) for name in names}
    properties["content-type"]["const"] = PARCEL_TYPE
    properties["ce_specversion"]["const"] = "1.0"
    return {"type": "object", "required": sorted(names), "properties": properties}
