from __future__ import annotations

import inspect
import json

import pytest

from tongban_shared import errors
from tongban_shared.errors import (
    BadInputError,
    CaseTableError,
    IdNumberError,
    LedgerDownError,
    RefusedError,
    StoreDownError,
    TongbanError,
    UnknownItemError,
    WireError,
)
from tongban_shared.web.problems import (
    APPEAL,
    PROBLEMS,
    FieldRefusedError,
    problem,
    problem_for,
    refusal_record,
)
from tongban_shared.web.trace import TRACEPARENT

TRACE = "0af7651916cd43dd8448eb211c80319c"


def body_of(answer: tuple[int, list[tuple[bytes, bytes]], bytes]) -> dict[str, object]:
    """The members of a problem."""
    decoded: dict[str, object] = json.loads(answer[2])
    return decoded


def test_a_problem_has_the_members_of_rfc_9457_and_ours() -> None:
    """A problem carries type, title, status, detail, and our code and retryable."""
    body = body_of(problem("CASE_UNKNOWN", instance="4401202611240000000X"))
    assert body == {
        "type": "/problems/CASE_UNKNOWN",
        "title": "没有此办件",
        "status": 404,
        "detail": "no case with this number can be shown here",
        "code": "CASE_UNKNOWN",
        "instance": "4401202611240000000X",
        "retryable": False,
    }


def test_headers_say_problem_json_and_the_true_length() -> None:
    """The headers of a problem name its media type and length."""
    status, headers, body = problem("NOT_FOUND")
    assert status == 404
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    assert dict(headers)[b"content-length"] == str(len(body)).encode()


def test_the_instance_is_the_trace_under_way() -> None:
    """Without an instance of its own a problem names the trace, so that the log can be searched."""
    token = TRACEPARENT.set(f"00-{TRACE}-b7ad6b7169203331-01")
    try:
        assert body_of(problem("INTERNAL"))["instance"] == TRACE
    finally:
        TRACEPARENT.reset(token)


@pytest.mark.parametrize("code", [code for code, kind in PROBLEMS.items() if kind.status in {429, 503}])
def test_every_429_and_503_says_when_to_come_again(code: str) -> None:
    """429 and 503 carry Retry-After and are marked retryable."""
    _, headers, body = problem(code)
    assert int(dict(headers)[b"retry-after"]) >= 1
    assert json.loads(body)["retryable"] is True


def test_a_caller_may_lengthen_the_wait() -> None:
    """An explicit wait stands over the catalogue's."""
    assert dict(problem("OVERLOADED", retry_after_s=7).headers)[b"retry-after"] == b"7"


def test_a_refusal_names_law_contact_and_appeal() -> None:
    """A decision against somebody tells the legal basis, whom to ask and how to appeal."""
    body = body_of(problem("LOCAL_HUKOU", contact="示例市公安局户政大厅"))
    assert body["legal_basis"] == "居住证暂行条例第二条"
    assert body["contact"] == "示例市公安局户政大厅"
    assert body["appeal"] == APPEAL


def test_an_input_error_offers_no_appeal() -> None:
    """What is no decision can't be appealed against."""
    assert "appeal" not in body_of(problem("FIELD_INVALID"))


def test_extra_members_replace_no_standard_one() -> None:
    """Further members stand beside the standard ones, never in their place."""
    body = body_of(problem("NOT_FOUND", extra={"status": 200, "province": "44"}))
    assert (body["status"], body["province"]) == (404, "44")


def test_titles_are_chinese_and_details_english() -> None:
    """Every entry of the catalogue speaks to people in Chinese and to programmers in English."""
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in kind.title) for kind in PROBLEMS.values())
    assert all(kind.detail.isascii() for kind in PROBLEMS.values())


def test_only_two_kinds_of_server_error_exist() -> None:
    """Of the 5xx there are 500 for our defects and 503 for what is away."""
    assert {kind.status for kind in PROBLEMS.values() if kind.status >= 500} == {500, 503}


def tree() -> list[type[TongbanError]]:
    """Every class of the error tree."""
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
    return [one for one in classes if issubclass(one, TongbanError)]


@pytest.mark.parametrize("error", tree(), ids=lambda one: one.__name__)
def test_every_error_of_a_request_is_published(error: type[TongbanError]) -> None:
    """What the error tree can answer a caller with stands in the catalogue, with the same status."""
    if error.http_status < 500 or error.retryable:
        assert PROBLEMS[error.code].status == error.http_status


def test_a_bad_id_number_tells_the_rule_it_breaks() -> None:
    """An error of the tree becomes a problem with its own words."""
    status, _, body = problem_for(IdNumberError("CHECKSUM"))
    assert status == 422
    assert json.loads(body)["detail"] == "citizen identity number: CHECKSUM"


def test_the_item_that_was_sent_is_not_repeated() -> None:
    """An unknown item is refused without repeating what was sent."""
    answer = problem_for(UnknownItemError("330000199003070029"))
    assert b"330000199003070029" not in answer.body


def test_a_refusal_at_the_door_keeps_code_words_and_case() -> None:
    """RefusedError chooses code, detail and instance."""
    body = body_of(problem_for(RefusedError("TOO_LATE", "handed over", "case-1")))
    assert (body["code"], body["detail"], body["instance"]) == ("TOO_LATE", "handed over", "case-1")


def test_a_field_error_gives_place_and_rule() -> None:
    """FieldRefusedError lists where and which rule."""
    body = body_of(problem_for(FieldRefusedError("body.item", "missing")))
    assert body["errors"] == [{"location": "body.item", "rule": "missing"}]


def test_a_message_refusal_uses_its_own_reason() -> None:
    """A wire error is answered with the reason's own entry."""
    assert body_of(problem_for(WireError("BAD_SIGNATURE")))["code"] == "BAD_SIGNATURE"


@pytest.mark.parametrize("error", [LedgerDownError("x"), StoreDownError("x")])
def test_what_is_away_may_be_asked_again(error: TongbanError) -> None:
    """A part that is away is a 503 with Retry-After."""
    status, headers, _ = problem_for(error)
    assert status == 503
    assert dict(headers)[b"retry-after"] == b"2"


def test_a_defect_of_ours_tells_nothing() -> None:
    """An error that means a defect here shows its words to nobody."""
    answer = problem_for(CaseTableError("secret detail"))
    assert (answer.status, b"secret" in answer.body) == (500, False)


def test_an_unpublished_code_is_no_server_error() -> None:
    """A gap in the catalogue answers 422, not 500."""
    assert body_of(problem_for(RefusedError("NOT_IN_THE_LIST")))["code"] == "INPUT_INVALID"


def test_an_unpublished_input_error_is_no_server_error() -> None:
    """An error class of a later version answers 422, not 500."""

    class NewError(BadInputError):
        code = "NEW_ONE"

    assert problem_for(NewError("x")).status == 422


def test_the_refusal_of_a_case_is_complete() -> None:
    """The refusal within a case has code, words, law, contact and appeal."""
    record = refusal_record("PERMIT_EXPIRED", "示例派出所")
    assert record["code"] == "PERMIT_EXPIRED"
    assert record["contact"] == "示例派出所"
    assert record["appeal"] == APPEAL
    assert "准予迁入证明" in record["title"]


def test_a_case_refused_for_an_unpublished_reason_can_be_shown() -> None:
    """A reason that the catalogue lacks keeps its code, so that the case can always be shown."""
    assert refusal_record("LOCAL_REASON", "x")["code"] == "LOCAL_REASON"
