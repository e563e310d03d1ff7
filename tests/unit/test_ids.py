from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st
from stdnum.iso7064 import mod_11_2, mod_37_36

from tongban_shared import ids
from tongban_shared.errors import CaseIdError, IdNumberError, OrgCodeError, UnknownProvinceError
from tongban_shared.ids import IdFault, Province, Sex

TODAY = date(2024, 3, 7)
WOMAN = "330000199003070029"
JIANGSU, ZHEJIANG = Province("32"), Province("33")


def refused(raw: str, today: date = TODAY) -> str:
    """The reason for which the number is refused."""
    with pytest.raises(IdNumberError) as caught:
        ids.check_id_number(raw, today)
    return caught.value.reason


def numbered(first17: str) -> str:
    """The number with its right check character."""
    return first17 + ids.mod11_2_check(first17)


@pytest.mark.parametrize(
    "identifier",
    [
        "11100000000013338W011.11430000006122244L.20230000403.001.U",
        "11100000000013338W009.11330105002500287C.2025052201.002.0",
    ],
)
def test_published_licence_identifiers_carry_our_check_character(identifier: str) -> None:
    """MOD 37,36 agrees with identifiers that real authorities published (domain.md §4.5)."""
    body, check = identifier.rsplit(".", 1)
    assert ids.mod37_36_check(body.replace(".", "")) == check


@given(st.text(ids.ALPHABET, min_size=1, max_size=40))
def test_mod37_36_agrees_with_an_independent_library(body: str) -> None:
    """Two implementations of ISO 7064 MOD 37,36 give the same character."""
    assert ids.mod37_36_check(body) == mod_37_36.calc_check_digit(body)


@given(st.text("0123456789", min_size=17, max_size=17))
def test_mod11_2_agrees_with_an_independent_library(first17: str) -> None:
    """The weights of GB 11643 are ISO 7064 MOD 11-2."""
    assert ids.mod11_2_check(first17) == mod_11_2.calc_check_digit(first17)


@pytest.mark.parametrize("body", ["", "abc", "A B", "12-3", "３"])
def test_a_check_character_needs_digits_and_capitals(body: str) -> None:
    """What is outside 0-9 A-Z has no check character, rather than a wrong one."""
    with pytest.raises(ValueError, match="want 0-9 and A-Z"):
        ids.mod37_36_check(body)


@pytest.mark.parametrize("first17", ["", "1" * 16, "1" * 18, "１" * 17, "1" * 16 + "X"])
def test_an_id_check_character_needs_17_plain_digits(first17: str) -> None:
    """Seventeen digits, no more, no fewer, no other script."""
    with pytest.raises(ValueError, match="want 17 digits"):
        ids.mod11_2_check(first17)


@pytest.mark.parametrize(
    ("number", "sex", "birth_date"),
    [
        ("330000199003070029", Sex.FEMALE, date(1990, 3, 7)),
        ("440000200506151016", Sex.MALE, date(2005, 6, 15)),
        ("110000198501010015", Sex.MALE, date(1985, 1, 1)),
        ("34000019950615009X", Sex.MALE, date(1995, 6, 15)),
    ],
)
def test_a_right_number_tells_sex_birth_date_and_division(number: str, sex: Sex, birth_date: date) -> None:
    """The vectors of domain.md §1.1 pass, with what their digits say."""
    checked = ids.check_id_number(number, TODAY)
    assert (checked.number, checked.sex, checked.birth_date) == (number, sex, birth_date)
    assert checked.division == number[:6]
    assert checked.warnings == ()


def test_a_small_x_is_taken_for_a_capital_one() -> None:
    """The number is stored with X in upper case, however it was typed."""
    assert ids.check_id_number("34000019950615009x", TODAY).number == "34000019950615009X"


@pytest.mark.parametrize(
    "raw",
    [
        *("", "110105491231002", WOMAN[:17], WOMAN + "0", f" {WOMAN}", f"{WOMAN}\n"),
        *("3300001990030700Ａ9", "３３0000199003070029", "33000019900307002Y", "X30000199003070029"),
    ],
)
def test_another_form_is_refused_before_anything_is_computed(raw: str) -> None:
    """17 plain digits, then a digit or X; 15-digit numbers, spaces and full-width digits are not repaired."""
    assert refused(raw) == IdFault.FORMAT


def test_a_day_that_no_calendar_has_is_refused_though_the_check_character_is_right() -> None:
    """2010 had no 29 February (vector of domain.md §1.1)."""
    number = "500000201002290013"
    assert ids.mod11_2_check(number[:17]) == number[17]
    assert refused(number) == IdFault.DATE


def test_nobody_is_born_tomorrow() -> None:
    """A birth date after today is refused; today is a birthday like any other."""
    tomorrow = TODAY + timedelta(days=1)
    assert refused(numbered(f"330000{tomorrow:%Y%m%d}002")) == IdFault.DATE
    assert ids.check_id_number(numbered(f"330000{TODAY:%Y%m%d}002"), TODAY).birth_date == TODAY


def test_an_age_of_130_is_the_last_one_believed() -> None:
    """One is 130 until the day before the 131st birthday, also when born on 29 February."""
    born = numbered("33000018920229002")
    assert ids.check_id_number(born, date(2023, 2, 28)).birth_date == date(1892, 2, 29)
    assert refused(born, date(2023, 3, 1)) == IdFault.DATE


@pytest.mark.parametrize("prefix", ["00", "10", "16", "47", "55", "66", "91", "99"])
def test_a_prefix_of_no_province_is_refused(prefix: str) -> None:
    """The first two digits are a province of GB/T 2260."""
    assert refused(numbered(prefix + "000019900307002")) == IdFault.REGION


@pytest.mark.parametrize("prefix", ["71", "81", "82", "83"])
def test_a_resident_of_hong_kong_macao_or_taiwan_gets_an_answer_of_its_own(prefix: str) -> None:
    """Their permits have right numbers but no household registry: the window must say another thing."""
    assert refused(numbered(prefix + "000019900307002")) == IdFault.REGION_WITHOUT_REGISTRY


def test_an_unknown_division_is_a_warning_for_a_human() -> None:
    """Retired and late codes live on in numbers, so the county code alone refuses nobody."""
    assert ids.check_id_number(WOMAN, TODAY, {"110101"}).warnings == ("DIVISION_UNKNOWN",)
    assert ids.check_id_number(WOMAN, TODAY, {"330000"}).warnings == ()


@pytest.mark.parametrize("place", range(18))
def test_every_single_wrong_digit_is_found(place: int) -> None:
    """Whichever character is mistyped, the number is refused."""
    wrong_digits = set("0123456789") - {WOMAN[place]}
    for wrong in wrong_digits:
        assert refused(WOMAN[:place] + wrong + WOMAN[place + 1 :]) == IdFault.CHECKSUM


@pytest.mark.parametrize(
    "raw", [WOMAN[:17] + "1", "500000201002290013", "990000199003070022", "33000019900307"]
)
def test_no_error_and_no_repr_shows_the_number(raw: str) -> None:
    """Neither a refusal nor a logged object carries any part of the number beyond its division."""
    with pytest.raises(IdNumberError) as caught:
        ids.check_id_number(raw, TODAY)
    assert "1990" not in f"{caught.value!r} {caught.value}"
    shown = repr(ids.check_id_number(WOMAN, TODAY))
    assert "1990" not in shown
    assert "330000" in shown


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_a_refusal(raw: str) -> None:
    """No input makes the check fail in another way."""
    try:
        ids.check_id_number(raw, TODAY)
    except IdNumberError as error:
        assert error.reason in set(IdFault)  # noqa: PT017  # either outcome is right


def test_there_are_31_provinces_with_a_registry() -> None:
    """GB/T 2260 has 34 two-digit codes; three run no household registry of this kind."""
    assert len(ids.PROVINCES) == 31
    assert not ids.PROVINCES & ids.REGIONS_WITHOUT_REGISTRY


@pytest.mark.parametrize("raw", ["", "3", "71", "81", "82", "99", "032", "３２", "32 ", "江苏"])
def test_what_is_no_registry_is_no_province(raw: str) -> None:
    """Only the 31 codes become a Province."""
    with pytest.raises(UnknownProvinceError) as caught:
        ids.province(raw)
    assert caught.value.province == raw
    assert ids.province("32") == "32"


@pytest.mark.parametrize("raw", ["320100000100", "3201000001AZ"])
def test_an_organisation_code_has_twelve_characters(raw: str) -> None:
    """Six digits of division, six digits or capitals of the organisation (GA 380)."""
    assert ids.org_code(raw) == raw


@pytest.mark.parametrize(
    "raw", ["", "32010000010", "3201000001000", "32010a000100", "3201000001ab", "320100000100\n"]
)
def test_anything_else_is_no_organisation_code(raw: str) -> None:
    """Length and alphabet are hard; the error does not repeat the value."""
    with pytest.raises(OrgCodeError) as caught:
        ids.org_code(raw)
    assert not raw or raw not in str(caught.value)


@given(
    st.sampled_from(sorted(ids.PROVINCES)),
    st.dates(date(2000, 1, 1), date(2999, 12, 31)),
    st.integers(0, ids.SERIAL_MAX),
)
def test_a_made_case_number_reads_back(province: Province, day: date, serial: int) -> None:
    """21 characters; the accepting province can be read from it."""
    made = ids.make_case_id(province, "01", day, serial)
    assert len(made) == 21
    assert ids.case_id(made) == made
    assert ids.province_of_case(made) == province


def test_the_digits_of_a_case_number_stand_where_they_are_written_down() -> None:
    """Province, service, day, serial, check (domain.md §1.3), also when the day comes with an hour."""
    made = ids.make_case_id(JIANGSU, "01", TODAY, 42)
    assert made[:20] == "32012024030700000042"
    at_noon = datetime(2024, 3, 7, 12, tzinfo=timezone(timedelta(hours=8)))
    assert ids.make_case_id(JIANGSU, "01", at_noon, 42) == made


@pytest.mark.parametrize("place", range(20))
def test_every_mistyped_digit_of_a_case_number_is_found(place: int) -> None:
    """A citizen who mistypes one digit never sees another citizen's case."""
    made = ids.make_case_id(JIANGSU, "01", TODAY, 12345678)
    for wrong in set("0123456789") - {made[place]}:
        with pytest.raises(CaseIdError):
            ids.case_id(made[:place] + wrong + made[place + 1 :])


@pytest.mark.parametrize("body", ["71012024030700000042", "32012023022900000042", "99012024030700000042"])
def test_a_right_check_character_does_not_make_a_case_number(body: str) -> None:
    """The accepting province and the day must exist too."""
    with pytest.raises(CaseIdError):
        ids.case_id(body + ids.mod37_36_check(body))


@pytest.mark.parametrize("serial", [-1, ids.SERIAL_MAX + 1])
def test_a_serial_beyond_eight_digits_is_the_callers_mistake(serial: int) -> None:
    """No number is cut short or made longer; both kinds of number refuse it."""
    with pytest.raises(ValueError, match="serial"):
        ids.make_case_id(JIANGSU, "01", TODAY, serial)
    with pytest.raises(ValueError, match="serial"):
        ids.make_document_no("ZQ", JIANGSU, 2024, serial)


def test_a_service_has_two_digits_and_a_year_four() -> None:
    """Anything else would shift the digits behind it."""
    with pytest.raises(ValueError, match="two digits"):
        ids.make_case_id(JIANGSU, "1", TODAY, 1)
    with pytest.raises(ValueError, match="four digits"):
        ids.make_document_no("QY", JIANGSU, 24_000, 1)


def test_a_permit_and_a_certificate_have_numbers_of_their_own() -> None:
    """Kind, issuing province, year, serial, check: 17 characters (domain.md §1.3)."""
    permit = ids.make_document_no("ZQ", JIANGSU, 2024, 42)
    certificate = ids.make_document_no("QY", ZHEJIANG, 2024, 42)
    assert permit[:16] == "ZQ32202400000042"
    assert certificate[:16] == "QY33202400000042"
    assert mod_37_36.is_valid(permit)
    assert mod_37_36.is_valid(certificate)


def test_a_person_has_one_key_however_the_number_was_typed() -> None:
    """A second key for the same person would let two provinces hold the same resident."""
    assert ids.person_key(b"s", "34000019950615009x") == ids.person_key(b"s", "34000019950615009X")
    assert ids.name_check(b"s", "34000019950615009x", "王") == ids.name_check(
        b"s", "34000019950615009X", "王"
    )


def test_digests_stay_what_they_were() -> None:
    """Keys are stored by 31 provinces: these values may never change (HMAC-SHA256, RFC 2104)."""
    key = ids.person_key(b"secret", WOMAN)
    assert key == "5950db039b2917bab4e181c461427697"
    assert ids.name_check(b"secret", WOMAN, "王芳") == "aa7c30e9535ff83f"
    assert ids.custody_digest(b"secret", key) == "55efdfabb85f2613d7df7b00f35c4386"


def test_a_name_agrees_in_any_unicode_form_and_with_its_own_number_only() -> None:
    """Name and number must belong together; a composed and a decomposed letter are one letter."""
    check = ids.name_check(b"s", WOMAN, "Zoë")
    assert ids.name_check(b"s", WOMAN, "Zoe\u0308") == check
    assert ids.name_check(b"s", "440000200506151016", "Zoë") != check
    assert ids.name_check(b"s", WOMAN, "Zoe") != check


def test_each_secret_gives_other_digests() -> None:
    """Who knows one secret learns nothing under another."""
    key = ids.person_key(b"one", WOMAN)
    assert ids.person_key(b"two", WOMAN) != key
    assert ids.custody_digest(b"one", key) != ids.custody_digest(b"two", key)
