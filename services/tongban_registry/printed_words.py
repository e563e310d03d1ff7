"""What a printed paper says, in Chinese and English, before anybody thinks of fonts and millimetres. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import NamedTuple

from tongban_registry.views import provinces
from tongban_shared.catalogue import load_catalogue
from tongban_shared.clock import BEIJING
from tongban_shared.documents.document import Document, Header, Issuer
from tongban_shared.documents.verify import Status
from tongban_shared.ids import Province

PERSON = "person_"
OTHER_TITLE = ("户籍业务电子证照", "Electronic document of household registration")
SCAN = "扫码核验 Scan to verify"
NOTICE = (
    "本件由签发机关以电子签名签发，打印件仅供出示；是否有效，以扫码所示页面为准。\n"
    "Signed electronically by its issuer; this print is for showing. "
    "Whether it is valid is told by the page behind the code."
)
# Their order here is their order on paper.
LABELS = {
    "registration_state": "户口登记状态 Registration",
    "name": "姓名 Name",
    "former_name": "曾用名 Former name",
    "sex_code": "性别 Sex",
    "ethnicity_code": "民族代码 Ethnic group (GB/T 3304)",
    "birth_date": "出生日期 Date of birth",
    "id_number": "公民身份号码 Identity number",
    "household_no": "户号 Household number",
    "relation_code": "与户主关系代码 Relation (GB/T 4761)",
    "address": "住址 Address",
    "education_code": "文化程度代码 Education (GB/T 4658)",
    "marital_code": "婚姻状况代码 Marital status (GB/T 2261.2)",
    "occupation": "职业 Occupation",
    "service_place": "服务处所 Place of service",
    "moved_in": "迁入情况 Moved in",
}
WORDS = {
    ("registration_state", "REGISTERED"): "在册 registered",
    ("registration_state", "MOVED_OUT"): "已迁出 moved out",
    ("registration_state", "CANCELLED_DEATH"): "死亡注销 cancelled: death",
    ("registration_state", "CANCELLED_MILITARY"): "参军注销 cancelled: military service",
    ("registration_state", "CANCELLED_ABROAD"): "出国（境）定居注销 cancelled: settled abroad",
    ("sex_code", "1"): "男 male",
    ("sex_code", "2"): "女 female",
}
STANDINGS = {
    Status.CURRENT: "有效 current",
    Status.SUPERSEDED: "已被替换 superseded",
    Status.REVOKED: "已撤销 revoked",
}
NO_END = "长期 no end"


class Row(NamedTuple):
    """A label in both languages, and what it labels, as the paper shows it."""

    label: str
    value: str


class Section(NamedTuple):
    """Rows under one heading; personal, never logged."""

    heading: str
    rows: tuple[Row, ...]


class Kept(NamedTuple):
    """A copy that another registry keeps: which one, and how it stood when, by its issuer's word."""

    province: Province
    status: Status
    as_of: datetime


class Wording(NamedTuple):
    """Everything that stands on the paper but the code and the page number."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    address: str
    foot: str

    def characters(self) -> str:
        """Every character that will be drawn, in no order; line feeds are kept, they move the pen alone."""
        rows = "".join(f"{s.heading}{row.label}{row.value}" for s in self.sections for row in s.rows)
        return f"{self.title}{self.subtitle}{rows}{self.address}{self.foot}{SCAN}{NOTICE}"


def wording(document: Document, address: str, kept: Kept | None = None) -> Wording:
    """What the document says, in the order of reading. address: of the page that verifies it."""
    copied = () if kept is None else (Section("副本 Copy", tuple(_copied(kept))),)
    header = document.header
    title, subtitle = _titles().get(header.kind, OTHER_TITLE)
    return Wording(
        title=title,
        subtitle=subtitle,
        sections=(*_told(document), Section("签发信息 Issue", tuple(_issue(header))), *copied),
        address=address,
        foot=header.licence_id,
    )


@cache
def _titles() -> Mapping[str, tuple[str, str]]:
    """Chinese and English title by kind: the paper is called what the catalogue calls its item."""
    cards = {
        "id_card": ("居民身份证（电子证照）", "Resident identity card"),
        "temporary_id": ("临时居民身份证", "Temporary identity card"),
        "booklet": ("居民户口簿", "Household booklet"),
        "newborn.page": ("常住人口登记卡（新生儿）", "Page of the household register: newborn"),
    }
    return cards | {
        f"{item.case_type}.{item.variant}".lower(): (item.title_zh, item.title_en)
        for item in load_catalogue().items()
        if item.variant is not None
    }


def _told(document: Document) -> Iterator[Section]:
    """The disclosed fields: what is said of the whole first, then person by person."""
    parts = sorted((_place(field.name), field.value) for field in document.fields)
    for (_, _, group), told in groupby(parts, key=lambda part: part[0][:3]):
        rows = (_row(name, value) for (*_, name), value in told)
        yield Section(_heading(group), tuple(rows))


def _place(name: str) -> tuple[int, int, str, int, str]:
    """Where a field stands: its group, shorter numbers first, then the order of LABELS."""
    group, _, own = name.rpartition(".")
    order = list(LABELS)
    return (int(bool(group)), len(group), group, order.index(own) if own in LABELS else len(order), own)


def _heading(group: str) -> str:
    if not group:
        return "证明事项 Certified"
    number = group.removeprefix(PERSON)
    return f"人员 {number} Person {number}" if number.isdecimal() else group


def _row(name: str, value: str) -> Row:
    return Row(LABELS.get(name, name), WORDS.get((name, value), value))


def _issue(header: Header) -> Iterator[Row]:
    yield Row("签发机关 Issuer", _issuer(header.issuer))
    yield Row("编号 Number", header.number)
    if header.case_id != header.number:
        yield Row("办件编号 Case number", header.case_id)
    yield Row("电子证照标识 E-licence identifier", header.licence_id)
    yield Row("签发时间 Issued", _local(header.issued_at))
    if header.as_of is not None:
        yield Row("登记信息截至 State as of", _local(header.as_of))
    if header.valid_from != header.issued_at:
        yield Row("生效时间 Valid from", _local(header.valid_from))
    yield Row("有效期至 Valid until", NO_END if header.valid_until is None else _local(header.valid_until))


def _copied(kept: Kept) -> Iterator[Row]:
    yield Row("打印地 Printed from a copy in", _named(kept.province))
    yield Row("已知状态 Status as known", STANDINGS[kept.status])
    yield Row("状态截至 Known as of", _local(kept.as_of))


def _issuer(issuer: Issuer) -> str:
    return f"{_named(issuer.province)} {issuer.org_code}"


def _named(province: Province) -> str:
    profile = provinces().get(province)
    return profile.name if profile is not None else province


def _local(moment: datetime) -> str:
    """Beijing time (北京时间), whole seconds."""
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S} 北京时间 Beijing time"
