"""The envelope that every message travels in, and the base of all bodies. Source: protocol.md §8."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tongban_shared.messages.types import (
    CaseNumber,
    Count,
    MessageId,
    Moment,
    OrgNumber,
    PersonDigest,
    ProvinceCode,
    ReasonCode,
    ShortText,
)
from tongban_shared.ports import Family

# Of an added field: no value of its type, and never null on the wire.
ABSENT: Any = None


def without_default(schema: dict[str, Any]) -> None:
    """The JSON Schema of an added field: it may be absent, and stands for nothing then."""
    schema.pop("default", None)


class Contract(BaseModel):
    """Closed (an unknown field is refused), frozen, strict.

    added: fields that a released contract did not have, which may be absent but not null. Absent, they are
    left out of the bytes, so that a registry of before reads what does not use them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    added: ClassVar[frozenset[str]] = frozenset()

    @field_validator("v", mode="before", check_fields=False)
    @classmethod
    def _a_number(cls, value: object) -> object:
        """True and 1.0 equal 1, but are no versions."""
        if type(value) is not int:
            raise ValueError("want a number")  # pydantic takes only this one for a refusal
        return value


class Body(Contract):
    """A message body. `name` is the wire type, `family` its topic family, `basis` the rule it acts on."""

    name: ClassVar[str]
    family: ClassVar[Family]
    basis: ClassVar[str]
    v: int


class Envelope(Contract):
    """Who tells whom, about which case, why. Signed as one with its body; `body` is decoded last."""

    v: Literal[1] = 1
    id: MessageId = Field(description="sender-receiver-incarnation-seq")
    type: ShortText = Field(description="wire type of the body, e.g. migration.permit")
    body_v: Count = Field(description="version of the body's contract")
    case_id: CaseNumber | None = None
    cause: MessageId | None = Field(default=None, description="the message that this one answers")
    sender: ProvinceCode
    receiver: ProvinceCode
    org: OrgNumber = Field(description="organisation code of the acting authority (GA 380)")
    officer: ShortText | None = Field(default=None, description="acting officer's reference; none: automatic")
    purpose: ReasonCode
    basis: ShortText = Field(description="legal basis or rule code")
    person: PersonDigest | None = Field(default=None, description="key of the first person; never the number")
    deadline: Moment | None = Field(default=None, description="until when the receiver should have answered")
    seq: Count = Field(description="per (sender, receiver, incarnation), from 1")
    at: Moment = Field(description="sender's clock; shown to people, never compared")
    trace: ShortText | None = Field(default=None, description="W3C traceparent")
