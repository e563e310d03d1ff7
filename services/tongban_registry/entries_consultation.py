"""What a window says of a consultation (远程帮办): the case it asks about, and the question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from tongban_registry.door import ApplicationIn, Checked, Closed, Door, Entered
from tongban_shared.cases.consultation_data import ConsultationData, Screen
from tongban_shared.cases.consultation_rules import KIND
from tongban_shared.cases.kind import Side
from tongban_shared.cases.kinds import KINDS
from tongban_shared.errors import RefusedError
from tongban_shared.web.problems import FieldRefusedError

if TYPE_CHECKING:
    from tongban_shared.cases.kind import Case

QUESTION_SIZE_MAX = 1_000
# The expert sees a masked screen: the question must not say what the screen hides.
ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")


class ConsultationDetailsIn(Closed):
    """`details` of a consultation. about: the window's own open case. question: words, no id numbers."""

    about: Annotated[str, StringConstraints(max_length=30)]
    question: Annotated[str, StringConstraints(min_length=1, max_length=QUESTION_SIZE_MAX)] = Field(
        repr=False
    )


async def consultation_data(
    door: Door, given: ApplicationIn, details: ConsultationDetailsIn, checked: Checked
) -> Entered:
    """The session's record, and who answers. Raises BadInputError; of a stranger's case nothing is told.

    The applicant shows that the window has them before it: they are of the case, and go no further.
    """
    about = await door.case(details.about)
    if checked[0][0] not in about.data.persons:
        raise RefusedError("CASE_UNKNOWN")
    _check_case(about, given)
    if given.destination is not None or given.contact is not None:
        raise RefusedError("FIELD_INVALID", "destination, contact: nobody moves, and nobody else is told")
    if ID_NUMBER.search(details.question):
        raise FieldRefusedError("details.question", "value_error")
    known = door.office.catalogue.material_titles
    here = about.origin == door.office.province
    data = ConsultationData(
        about=about.id,
        accepting_org=given.accepting_org or about.data.accepting_org or door.office.org,
        answering_org=getattr(about.data, "answering_org", "") or door.office.org if here else "",
        screen=Screen(
            item=about.item,
            state=KINDS[about.kind].public[about.state],
            handed_in=tuple(m.kind for m in about.data.materials if m.kind in known),
            missing=tuple(about.data.missing),
        ),
        question=details.question,
    )
    return data, about.origin


def _check_case(about: Case, given: ApplicationIn) -> None:
    """An open case of this window, of which it is known who answers. Raises RefusedError."""
    if about.side is not Side.DESTINATION:
        raise RefusedError("WRONG_PROVINCE", "only the province that has taken a case in asks about it")
    if about.kind == KIND:
        raise RefusedError("FIELD_INVALID", "details.about: a consultation is about another case")
    taken_in_by = about.data.accepting_org
    if given.accepting_org is not None and taken_in_by and given.accepting_org != taken_in_by:
        raise RefusedError("FIELD_INVALID", "accepting_org: another office has taken that case in")
    if about.closed_at is not None or about.origin is None:
        reason = (
            "that case has ended" if about.closed_at is not None else "not known yet who answers that case"
        )
        raise RefusedError("STEP_NOT_ALLOWED", reason, instance=f"/v1/cases/{about.id}")
