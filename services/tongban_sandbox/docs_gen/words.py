"""JSON Schema in words: the type and the limits of a field as one cell of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tongban_sandbox.docs_gen.text import code

Schema = Mapping[str, Any]
PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
    "array": "list",
}
FORMATS = {"date-time": "time with offset (RFC 3339)", "path": "path", "password": "text, kept secret"}


def field_rows(schema: Schema) -> list[tuple[str, str, str, str]]:
    """For each property: name, type and limits, what it is when absent, description."""
    required = set(schema.get("required", ()))
    return [
        (code(name), type_words(entry), _absent(entry, name in required), entry.get("description", ""))
        for name, entry in schema.get("properties", {}).items()
    ]


def type_words(schema: Schema) -> str:
    """The type with its limits."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_words(part) for part in schema["anyOf"]))
    if "const" in schema:
        return f"always {code(schema['const'])}"
    if "enum" in schema:
        return "one of " + ", ".join(code(value) for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {type_words(schema.get('items', {}))}" + _limits(schema, "minItems", "maxItems")
    words = FORMATS.get(str(schema.get("format")), PLAIN.get(kind, "any value"))
    return words + _number_limits(schema) + _text_limits(schema)


def _number_limits(schema: Schema) -> str:
    return _limits(schema, "minimum", "maximum")


def _text_limits(schema: Schema) -> str:
    words = _limits(schema, "minLength", "maxLength", unit=" characters")
    return words + (f", matching {code(schema['pattern'])}" if "pattern" in schema else "")


def _limits(schema: Schema, low: str, high: str, unit: str = "") -> str:
    least, most = schema.get(low), schema.get(high)
    if least is not None and most is not None:
        return f", {least} to {most}{unit}"
    if least is not None:
        return f", {least} or more{unit}"
    return f", at most {most}{unit}" if most is not None else ""


def _absent(schema: Schema, required: bool) -> str:  # noqa: FBT001  # one flag, named at its only caller
    if required:
        return "required"
    if "default" not in schema:
        return "absent"
    default = schema["default"]
    if default is None or default == []:
        return "null" if default is None else "empty"
    shown = str(default).lower() if isinstance(default, bool) else default
    return code(shown)
