"""What applicants are told, and in which words: the decision and the templates, without any I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from tongban_shared.cases.kind import Case, Side
from tongban_shared.cases.kinds import KINDS
from tongban_shared.errors import CatalogueError
from tongban_shared.ids import CaseId
from tongban_shared.notifications import (
    SLOTS,
    TOLD,
    UNDER_WAY,
    load_templates,
    masked_name,
    masked_number,
    notice_of,
    notification_id,
    parse_templates,
)

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LONGEST = {
    "person": "张*",
    "number": "3300**********0029",
    "case_id": "330124030500000011234",
    "item": "夫妻投靠（跨省户口迁移）",
    "deadline": "2026年12月31日",
    "materials": "接收户户主或单位同意落户证明、被投靠人居民户口簿",
    "reason": "户口登记信息与申请不一致（DATA_MISMATCH）",
    "contact": "浙江省公安厅户政管理部门",
}
WHOLE = "\n".join(
    f'[text.{state}]\nzh = {{ subject = "s", text = "t" }}\nen = {{ subject = "s", text = "{{case_id}}" }}'
    for state in sorted(TOLD)
)
FOOTER = '[footer]\nzh = ""\nen = ""\n'


def case(state: str, side: Side = Side.DESTINATION, kind: str = "migration") -> Case:
    """A case in a state; its record only says what is missing."""
    return Case(
        id=CaseId("330124030500000011234"),
        kind=kind,
        side=side,
        state=state,
        version=1,
        item="0101",
        origin="32",
        destination="33",
        persons=("p",),
        data=SimpleNamespace(missing=("HOST_CONSENT",)),
        opened_at=NOW,
        due_at=NOW,
    )


def told(*states: str, side: Side = Side.DESTINATION) -> list[str | None]:
    """What is told as a case goes through these states."""
    walk = [None, *(case(state, side) for state in states)]
    changes = [notice_of(before, after) for before, after in pairwise(walk) if after]
    return [None if change is None else change.told for change in changes]


def test_a_clean_migration_is_told_three_times() -> None:
    """Accepted, approved and in transfer, done; nothing of the steps between."""
    states = ("LOCATING", "CHECKING", "REVIEWING", "PERMITTED", "PREPARED", "COMPLETED")
    assert told(*states) == ["ACCEPTED", None, None, None, "IN_TRANSFER", "COMPLETED"]


def test_the_mirror_of_the_origin_tells_nobody() -> None:
    """Whoever applied is told by the province where they did."""
    assert told("OPEN", "FROZEN", "RELEASED", "CONFIRMED", side=Side.ORIGIN) == [None] * 4


def test_what_was_asked_for_and_came_is_accepted() -> None:
    """A correction is told with its list and its limit, and what follows it once."""
    assert told("CORRECTION", "CORRECTION", "CHECKING", "REVIEWING") == ["CORRECTION", None, "ACCEPTED", None]
    change = notice_of(None, case("CORRECTION"))
    assert change is not None
    assert (change.missing, change.until, change.last) == (("HOST_CONSENT",), NOW, False)


def test_what_follows_is_told_with_the_acceptance() -> None:
    """Once, with list and day, in words of its own; what comes of it later is no news (容缺受理)."""
    assert told("DEFERRED", "DEFERRED", "CHECKING", "REVIEWING") == ["ACCEPTED", None, None, None]
    change = notice_of(None, case("DEFERRED"))
    assert change is not None
    assert (change.missing, change.until, change.variant) == (("HOST_CONSENT",), NOW, "deferred")
    plain = notice_of(None, case("CHECKING"))
    assert plain is not None
    assert (plain.missing, plain.until, plain.variant) == ((), None, plain.kind)


def test_on_the_way_back_nothing_is_told_before_the_end() -> None:
    """A case that is being withdrawn is shown as under review; what is told is how it ends."""
    assert told("CORRECTION", "WITHDRAWING", "WITHDRAWN") == ["CORRECTION", None, "WITHDRAWN"]
    assert told("CHECKING", "WITHDRAWING", "REFUSED") == ["ACCEPTED", None, "REFUSED"]


def test_a_refusal_carries_its_code_and_is_the_last() -> None:
    """So does nothing else."""
    refused = replace(case("REFUSED"), refusal="HOLD", closed_at=NOW)
    change = notice_of(case("CHECKING"), refused)
    assert change is not None
    assert (change.refusal, change.last, change.until, change.missing) == ("HOLD", True, None, ())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_public_state_has_words_or_is_under_way(kind: str) -> None:
    """No case type has a public state that nobody has thought of."""
    assert set(KINDS[kind].public.values()) <= TOLD | UNDER_WAY


def test_nobody_is_told_in_full() -> None:
    """A name keeps its first character, an id number its first and last four."""
    assert [masked_name(name) for name in ("张三", " 欧阳娜娜", "李")] == ["张*", "欧*", "李*"]
    assert masked_number("330102199001010029") == "3301**********0029"


def test_the_words_are_short_enough_for_a_telephone() -> None:
    """Every text with the longest slots has at most three parts of an SMS, and no gap."""
    for template in load_templates().text.values():
        for words, limit in ((template.zh, 3 * 67), (template.en, 3 * 67 * 2)):
            text = words.text.format_map(LONGEST)
            assert len(text) <= limit, text
            assert "{" not in text + words.subject.format_map(LONGEST)


def test_slots_that_are_documented_are_those_that_are_known() -> None:
    """The examples of this file cover all of them."""
    assert LONGEST.keys() == SLOTS


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (FOOTER + WHOLE.replace("{case_id}", "{nobody}", 1), "unknown slot {nobody}"),
        (FOOTER + WHOLE.replace("{case_id}", "{case_id.__class__}", 1), "unknown slot"),
        (FOOTER + WHOLE.replace("{case_id}", "{case_id!r}", 1), "unknown slot"),
        (FOOTER + WHOLE.replace("{case_id}", "{case_id", 1), "ACCEPTED: expected '}'"),
        (FOOTER + WHOLE.replace("\nen = ", "\nfr = ", 1), "ACCEPTED"),
        (FOOTER + WHOLE.replace("ACCEPTED", "REVIEWING"), "no public state that is told"),
        (FOOTER + "[text]", "no words for ACCEPTED, COMPLETED"),
        (WHOLE, "footer"),
        ("[text", "notifications: "),
    ],
)
def test_templates_that_are_wrong_are_not_loaded(text: str, fault: str) -> None:
    """A slot that nobody fills, a language or a state without words: the program does not start."""
    with pytest.raises(CatalogueError, match=r"^notifications: ") as error:
        parse_templates(text)
    assert fault in str(error.value)


def test_a_case_type_may_have_its_own_words() -> None:
    """They stand before those of the state, and may be urgent where those are not."""
    own = WHOLE.replace("[text.REFUSED]", '[text."REFUSED.temporary_id"]\nurgent = true') + (
        '\n[text.REFUSED]\nzh = { subject = "s", text = "t" }\nen = { subject = "s", text = "t" }\n'
    )
    templates = parse_templates(FOOTER + own)
    assert templates.of("REFUSED", "temporary_id").urgent
    assert not templates.of("REFUSED", "migration").urgent


def test_an_id_can_be_signed_over() -> None:
    """Standard Webhooks separates what is signed by full stops, so an id has none."""
    assert "." not in notification_id("330124030500000011234", 7)
