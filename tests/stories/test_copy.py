"""A window prints what another province has issued: the copy that came with the grant, sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pypdfium2
import pytest

from tests.stories import windows as window
from tests.stories.backups import backup, put_back
from tests.stories.folk import Resident
from tests.stories.forging import DIGEST
from tests.stories.mischief import forged
from tests.stories.newborns import apply, father, mother
from tests.stories.test_certificate import STATUS, A, B, C, ask_for
from tests.stories.test_statements import Counted
from tests.stories.test_temporary_id import authorised, open_card
from tests.stories.windows import REPLACE, report, seen as ended, standing
from tests.stories.wire import Letter
from tests.stories.world import Country
from tongban_registry.envelopes import sealing_context
from tongban_registry.views import local
from tongban_shared.keys import load_signer
from tongban_shared.messages.certificate import Issued
from tongban_shared.messages.codec import decode_message
from tongban_shared.messages.home import EnclosedDocument, IssuedDocument
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.ports import Record
from tongban_shared.wire import split_entries

PDF = "application/pdf"
KEPT = "document IS NOT NULL"


async def issued(country: Country, person: Resident | None = None) -> tuple[str, str]:
    """A certificate of A, applied for in B: the case's number and the document's."""
    case = await ask_for(country, STATUS, person or country.person(A), B)
    view = await ended(country, B, case["case_id"], "COMPLETED")
    return str(case["case_id"]), str(view["documents"][0]["licence_id"])


async def on_its_way(country: Country, person: Resident) -> tuple[str, Letter]:
    """A grant of A's that B has not heard yet: the case's number, and the letter."""
    country.wire.hold("issued")
    case = (await ask_for(country, STATUS, person, B))["case_id"]
    await country.until(A, case, "COMPLETED")
    await country.wait(lambda: bool(country.wire.held), "the grant")
    return str(case), country.wire.taken("issued", case)


def raw_of(letter: Letter) -> bytes:
    """The message itself, cut out of its parcel of one."""
    _, (leaf,) = split_entries(letter.data)
    return leaf.raw


def body_of(letter: Letter) -> Any:  # noqa: ANN401  # a twin, made at run time
    """What a message says."""
    return decode_message(raw_of(letter), letter.label.sender, letter.to).body


def enclosed_in(country: Country, letter: Letter) -> bytes:
    """The document that a grant encloses, as its receiver opens it."""
    enclosed = body_of(letter).enclosed
    context = sealing_context(str(letter.label.case_id), enclosed)
    return load_signer(country.keys, letter.to).unseal(letter.label.sender, enclosed.sealed, context)


def granted(person: Resident, true: Any, **enclosed: str) -> Issued:  # noqa: ANN401  # a twin
    """A grant that A's registry never sent."""
    return Issued(
        persons=(PersonAsked(person=person.key, name_check=person.check),),
        document=IssuedDocument(licence_id=true.licence_id, kind=true.kind, valid_until=true.valid_until),
        enclosed=EnclosedDocument(**enclosed),
    )


async def test_a_window_prints_while_the_home_registry_is_away(country: Country) -> None:
    """The very document that A signed, from B's own registry, after A has died."""
    person = country.person(A)
    _, number = await issued(country, person)
    original = await country.ask(A, f"/v1/documents/{number}")
    await country.crash(A)
    copy = await country.ask(B, f"/v1/documents/{number}")
    assert (copy.status_code, copy.content) == (200, original.content)
    printed = await country.ask(B, f"/v1/documents/{number}", accept=PDF)
    assert (printed.status_code, printed.headers["content-type"]) == (200, PDF)


async def test_a_copy_says_whose_it_is_and_since_when_its_status_is_known(country: Country) -> None:
    """As of the moment at which A signed the grant, however late B heard it; the original says nothing."""
    person = country.person(A)
    case, _ = await on_its_way(country, person)
    number = (await ended(country, A, case, "COMPLETED"))["documents"][0]["licence_id"]
    granted_at = country.clock.now()
    await country.pass_time(hours=5)
    await country.wire.let_go("issued")
    await country.until(B, case, "COMPLETED")
    answer = await country.ask(B, f"/v1/documents/{number}", accept=PDF)
    as_of = answer.headers["x-tongban-copy-as-of"]
    assert as_of == local(granted_at)
    text = text_of(answer.content)
    assert "Status as known 有效 current" in text
    assert f"Known as of {as_of[:10]} {as_of[11:19]}" in text
    original = await country.ask(A, f"/v1/documents/{number}", accept=PDF)
    assert "x-tongban-copy-as-of" not in original.headers
    assert "as known" not in text_of(original.content)


def text_of(printed: bytes) -> str:
    """What a reader selects and copies, without its line ends."""
    document = pypdfium2.PdfDocument(printed)
    try:
        return str(document[0].get_textpage().get_text_range()).replace("\r\n", " ")
    finally:
        document.close()


async def test_nobody_on_the_way_reads_it(country: Country) -> None:
    """What travels holds neither name nor number of the person in the clear."""
    person = country.person(A)
    case, _ = await issued(country, person)
    told = [letter.data for letter in country.wire.sent if letter.label.case_id == case]
    for text in (person.name, person.id_number):
        assert not any(text.encode() in data for data in told)
    assert person.name.encode() in enclosed_in(country, country.wire.taken("issued", case))


WRONG = ("digest", "other case", "altered", "other document", "no document")


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_not_the_document_is_refused_whole(country: Country, wrong: str) -> None:
    """BAD_SEAL: nothing of the message is used, and the true grant is still taken afterwards (EN1)."""
    person = country.person(A)
    _, other = await issued(country, country.person(A))
    case, letter = await on_its_way(country, person)
    true, raw = body_of(letter).document, enclosed_in(country, letter)
    if wrong == "altered":
        raw = raw.replace(person.name.encode(), f"{person.name}二".encode())
    elif wrong == "other document":
        raw = (await country.ask(A, f"/v1/documents/{other}")).content
    elif wrong == "no document":
        raw = b"{}"
    digest = DIGEST if wrong == "digest" else sha256(raw).hexdigest()
    of = f"{case[:-1]}0" if wrong == "other case" else case
    sealed = load_signer(country.keys, A).seal(B, raw, f"{of} {digest}".encode())
    body = granted(person, true, digest=digest, sealed=sealed)
    await country.wire.deliver(forged(country, body, (A, B), case_id=case))
    await country.calm()
    assert (country.registers.quarantine(B), country.state(B, case)) == (["BAD_SEAL"], "REQUESTED")
    assert country.registers.rows(B, "SELECT count(*) FROM document_copy WHERE case_id = ?", case) == [(0,)]
    await country.wire.let_go("issued")
    await country.until(B, case, "COMPLETED")


async def test_a_grant_of_before_is_taken_and_the_paper_fetched_at_home(country: Country) -> None:
    """A registry of an older version encloses nothing: no copy at the window, the document at its issuer."""
    person = country.person(A)
    site = country.sites[A].live
    able = replace(site.office.profile.capabilities, encloses_documents=False)
    site.hall.office = replace(site.office, profile=replace(site.office.profile, capabilities=able))
    case, number = await issued(country, person)
    said = json.loads(raw_of(country.wire.taken("issued", case)))["body"]
    assert list(said) == ["v", "persons", "document"]
    assert (await country.ask(B, f"/v1/documents/{number}")).json()["code"] == "DOCUMENT_UNKNOWN"
    assert (await country.ask(A, f"/v1/documents/{number}")).status_code == 200


async def test_a_grant_that_is_said_again_encloses_the_same_document(country: Country) -> None:
    """Nobody tells A whether its temporary card was printed: it says once more what it signed (G1, TI8)."""
    person = country.person(A)
    await open_card(country, person)
    country.wire.hold("lapsed")
    case, _ = await authorised(country, person)
    await country.pass_time(hours=25, step_hours=1)
    said = {x.label.id: x for x in country.wire.sent if (x.name, x.label.case_id) == ("authorised", case)}
    assert len(said) > 1
    assert len({enclosed_in(country, letter) for letter in said.values()}) == 1


async def test_what_holds_no_more_is_not_enclosed_again(country: Country) -> None:
    """A's document was revoked meanwhile: the grant that is said again names it and encloses nothing."""
    person = country.person(A)
    await open_card(country, person)
    country.wire.hold("lapsed")
    case, _ = await authorised(country, person)
    await country.hold(person, "DEATH")
    await country.pass_time(hours=25, step_hours=1)
    said = {x.label.id: x for x in country.wire.sent if (x.name, x.label.case_id) == ("authorised", case)}
    assert [bool(body_of(said[number]).enclosed) for number in sorted(said)] == [True, False]


async def test_a_window_that_was_put_back_gets_its_copy_again(country: Country) -> None:
    """The grant comes again, byte for byte, and with it the copy (G1)."""
    before = backup(country, B)
    _, number = await issued(country)
    copy = await country.ask(B, f"/v1/documents/{number}")
    await put_back(country, B, before)
    await country.wait(lambda: country.registers.count("document_copy") == 1, "the copy")
    again = await country.ask(B, f"/v1/documents/{number}")
    assert (again.status_code, again.content) == (200, copy.content)


async def test_a_home_registry_that_was_put_back_leaves_the_copy_genuine(country: Country) -> None:
    """It issues under the same number once more; what B has printed meanwhile verifies as before (G1)."""
    before = backup(country, A)
    case, number = await issued(country)
    document = (await country.ask(B, f"/v1/documents/{number}")).json()
    await put_back(country, A, before)
    await country.until(A, case, "COMPLETED")
    answer = (await country.ask(A, "/v1/documents/verify", {"document": document})).json()
    assert (answer["valid"], answer["checked_online"]) == (True, True)


async def test_a_window_never_says_that_a_document_still_holds(country: Country) -> None:
    """A has revoked it since, and says so; B says as of when its copy is, and of its number nothing (EN3)."""
    person = country.person(A)
    view = await ended(country, B, await window.ask_for(country, REPLACE, person, B), "IN_PRODUCTION")
    number = view["documents"][0]["licence_id"]
    await country.hold(person, "DEATH")
    by_number = {"licence_id": number}
    assert (await country.ask(A, "/v1/documents/verify", by_number)).json()["status"] == "REVOKED"
    assert (await country.ask(B, "/v1/documents/verify", by_number)).json()["code"] == "DOCUMENT_UNKNOWN"
    assert (await country.ask(B, f"/v/{number}")).status_code == 404
    copy = await country.ask(B, f"/v1/documents/{number}")
    assert copy.headers["x-tongban-copy-as-of"]
    answer = (await country.ask(B, "/v1/documents/verify", {"document": copy.json()})).json()
    assert answer["checked_online"] is False


async def test_what_the_window_knows_to_be_void_does_not_verify_there(country: Country) -> None:
    """The print right lapsed: B has no copy any more, and tells whoever shows it one that it is revoked."""
    person = country.person(A)
    await open_card(country, person)
    case, view = await authorised(country, person)
    number = view["documents"][0]["licence_id"]
    document = (await country.ask(B, f"/v1/documents/{number}")).json()
    await country.pass_time(hours=2)
    assert country.state(B, case) == "EXPIRED"
    assert (await country.ask(B, f"/v1/documents/{number}")).status_code == 404
    for at in (A, B):
        answer = (await country.ask(at, "/v1/documents/verify", {"document": document})).json()
        assert (answer["valid"], answer["status"]) == (False, "REVOKED")


async def test_a_temporary_card_is_printed_once_from_its_copy(country: Country) -> None:
    """A is away; B prints, reports it, and the copy is gone; the card holds all the same (EN2)."""
    person = country.person(A)
    await open_card(country, person)
    case, view = await authorised(country, person)
    path = f"/v1/documents/{view['documents'][0]['licence_id']}"
    await country.stop(A)
    assert (await country.ask(B, path, accept=PDF)).status_code == 200
    assert await report(country, B, case, "printed") == 202
    assert (await country.ask(B, path, accept=PDF)).status_code == 404
    await country.start(A)
    await country.resend()
    await country.until(A, case, "COMPLETED")
    assert await standing(country, A, view) == "VALID"


async def test_a_paper_that_was_handed_out_is_kept_no_longer(country: Country) -> None:
    """The window reports that it was collected: the copy goes, the case and its number stay (EN2)."""
    case, number = await issued(country)
    assert await report(country, B, case, "collected") == 202
    assert (await country.ask(B, f"/v1/documents/{number}")).status_code == 404
    assert country.registers.rows(B, "SELECT document, status FROM document_copy") == [(None, "CURRENT")]
    view = await ended(country, B, case, "COMPLETED")
    assert view["documents"][0]["licence_id"] == number
    assert await report(country, B, case, "collected") == 202


async def test_what_nobody_comes_for_is_kept_for_thirty_days(country: Country) -> None:
    """Not a day less, and then nothing personal of it is left at the window (EN2)."""
    _, number = await issued(country)
    await country.pass_time(days=29)
    assert (await country.ask(B, f"/v1/documents/{number}")).status_code == 200
    await country.pass_time(days=2, step_hours=24)
    assert (await country.ask(B, f"/v1/documents/{number}")).status_code == 404
    await country.pass_time(hours=2, step_hours=1)
    await country.wait(lambda: not country.registers.count("document_copy", KEPT), "its end")


async def test_the_page_of_a_newborn_comes_with_the_grant(country: Country) -> None:
    """Applied for at C, registered at A: C prints the page while A is away, and has it collected (S6)."""
    case = await apply(country, (father(country, A), mother(country, B)), C)
    (paper,) = (await ended(country, C, case, "COMPLETED"))["documents"]
    path = f"/v1/documents/{paper['licence_id']}"
    await country.crash(A)
    assert (await country.ask(C, path, accept=PDF)).status_code == 200
    assert await report(country, C, case, "collected") == 202
    assert (await country.ask(C, path)).status_code == 404


async def test_what_was_withdrawn_meanwhile_is_not_kept(country: Country) -> None:
    """The grant crossed the withdrawal: B keeps nothing of a paper that A revokes (CT5)."""
    case, _ = await on_its_way(country, country.person(A))
    await country.act(B, case, "withdrawal")
    await country.until(A, case, "WITHDRAWN")
    await country.wire.let_go("issued")
    await country.until(B, case, "WITHDRAWN")
    assert country.registers.count("document_copy") == 0


async def test_who_fetches_a_copy_is_written_down(country: Country) -> None:
    """As at the issuer: the person, who, and which case, in the transaction of the answer."""
    person = country.person(A)
    case, number = await issued(country, person)
    await country.ask(B, f"/v1/documents/{number}", x_tongban_officer="window-7")
    query = "SELECT actor, purpose, case_id, result FROM access_log WHERE person = ?"
    row = ("window-7", "DOCUMENT", case, "certificate.registration_status")
    assert country.registers.rows(B, query, person.key) == [row]


async def test_the_home_registry_s_own_windows_need_no_copy(country: Country) -> None:
    """There the document itself is."""
    case = await ask_for(country, STATUS, country.person(A), A)
    assert await report(country, A, case["case_id"], "collected") == 202
    number = case["documents"][0]["licence_id"]
    assert (await country.ask(A, f"/v1/documents/{number}")).status_code == 200
    assert country.registers.count("document_copy") == 0


async def test_statements_do_not_grow_with_the_copies(country: Country) -> None:
    """A unit that takes eight grants costs as many statements as one that takes a single one."""
    seen = []
    for number in (1, 8):
        country.wire.hold("issued")
        for _ in range(number):
            await ask_for(country, STATUS, country.person(A), B)
        await country.wait(lambda n=number: len(country.wire.held) == n, "all grants")  # type: ignore[misc]
        await country.calm()
        letters, country.wire.held = country.wire.held, []
        records = [
            Record(letter.family, country.wire.inner.log_id, 10**6 + n, letter.data)
            for n, letter in enumerate(letters)
        ]
        with Counted(country.sites[B].live) as statements:
            await country.sites[B].live.hall.work(records, [])
        seen.append(statements)
    assert seen[0] == seen[1]
    assert country.registers.count("document_copy", KEPT) == 9
