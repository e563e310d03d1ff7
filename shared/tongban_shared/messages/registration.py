"""Messages about one person's registration, between registries and outside of any case."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tongban_shared.messages.envelope import Body
from tongban_shared.messages.types import Count, Epoch, Moment, PersonDigest, ProvinceCode
from tongban_shared.ports import Family

NoticeKind = Literal["HOLD", "LIFT_HOLD", "DEATH", "BLOCK", "LIFT_BLOCK"]


class Notice(Body):
    """E1 · A hold or protective block, its end, or a death: for whoever holds the person now.

    A protective block is told to former holders too: they know where the person went.

    Safe to repeat. It is passed on along the pointers of those who gave the person away, and waits where they
    are about to be held.
    """

    name: ClassVar[str] = "registration.event"
    family: ClassVar[Family] = Family.COMMON
    basis: ClassVar[str] = "E1"
    v: Literal[1] = 1
    person: PersonDigest
    kind: NoticeKind
    epoch: Epoch = Field(description="the receiver held the person at this epoch, or will")
    entered_by: ProvinceCode = Field(description="whose door it came in at")
    incarnation: Count = Field(description="of that registry, when it took it in")
    number: Count = Field(
        description="of that incarnation: of two about a hold, or about a block, the higher counts"
    )
    entered_at: Moment = Field(description="that registry's clock; shown to people, never compared")


BODIES: tuple[type[Body], ...] = (Notice,)
