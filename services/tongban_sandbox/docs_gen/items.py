"""The item catalogue as a page: what can be asked for, who answers, how long, with which materials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from tongban_sandbox.docs_gen.text import code, page, table, yes
from tongban_shared.catalogue import Catalogue, Item, load_catalogue
from tongban_shared.materials import Material

SOURCE = "shared/tongban_shared/catalogue.toml"
ITEM_HEAD = (
    "code",
    "item",
    "in English",
    "type",
    "answers",
    "promised",
    "statutory",
    "online",
    "automatic",
    "members",
    "four eyes",
    "grave",
)
MATERIALS_HEAD = (
    "kind",
    "material",
    "an e-licence (电子证照) stands in",
    "looked up (免提交)",
    "may follow (容缺受理)",
    "a signed word stands in (告知承诺)",
)
# Of a case type whose items say what they do.
DOES_HEAD = (*ITEM_HEAD, "does")

INTRODUCTION = """`answers` says which side of a case decides; this is the whole routing rule. `promised`
and `statutory` are working days (工作日). `automatic`: a clean case with materials of grade A alone is
decided at once under a standing approval; otherwise an officer decides. `members`: others may move in the
same case. `four eyes`: who takes an application in may not decide on it.
`does`: what happens to the register ([effects](../shared/tongban_shared/effects.py)), or the item
whose case type this one has. A missing **main** material refuses an application at the door, a missing
secondary one leads to one notice of correction (补正), unless it may follow and the applicant says that it
will. A document of our own registries is looked up where the last table names its kind. A proof may be
replaced by the applicant's signed word where that table says so, but in no item that is `grave`. A province
may support some of the types only; its file says so."""


def items_page() -> str:
    """docs/items.md."""
    catalogue = load_catalogue()
    blocks = [f"Version {code(catalogue.version)}.", INTRODUCTION]
    for _, found in groupby(catalogue.items(), key=lambda item: item.service_code):
        items = list(found)
        case_type, does = items[0].case_type, any(item.does for item in items)
        head, row = (DOES_HEAD, _does_row) if does else (ITEM_HEAD, _item_row)
        blocks += [f"## Case type `{case_type}`", table(head, map(row, items))]
        scopes, fees = _values(item.scope for item in items), _values(item.fee_yuan for item in items)
        blocks += [f"Scope: {scopes}. Fee in yuan: {fees}.", f"### Materials of `{case_type}`"]
        blocks += [table(("code", "main", "secondary"), map(_materials_row, items))]
    blocks += ["## All materials", _materials_table(catalogue)]
    return page("Item catalogue 事项目录", SOURCE, blocks)


def _values(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(code(value) for value in values))


def _item_row(item: Item) -> Sequence[str]:
    limit = item.time_limit
    promised = (
        f"{limit.promised_minutes} min"
        if limit.promised_minutes is not None
        else str(limit.promised_working_days)
    )
    return (
        code(item.code),
        item.title_zh,
        item.title_en,
        code(item.variant),
        item.answers.value,
        promised,
        str(limit.statutory_working_days),
        yes(item.online),
        yes(item.automatic),
        yes(item.admits_members),
        yes(item.four_eyes),
        "high risk" if item.high_risk else "irreversible" if item.irreversible else "",
    )


def _does_row(item: Item) -> Sequence[str]:
    """The same with what the item does."""
    does = item.does
    if does is None:
        return (*_item_row(item), f"as {code(item.leads_to)}")
    of = [*does.fields, *([does.ending] if does.ending else ()), *(["lost"] if does.lost else ())]
    return (*_item_row(item), " ".join((code(does.effect), ", ".join(of))).strip())


def _materials_row(item: Item) -> Sequence[str]:
    main = [code(material.kind) for material in item.materials if material.main]
    secondary = [code(material.kind) for material in item.materials if not material.main]
    return code(item.code), ", ".join(main), ", ".join(secondary)


def _materials_table(catalogue: Catalogue) -> str:
    """A mark stands where some item has it: main materials never follow, grave items take no word."""
    asked: dict[str, list[Material]] = {kind: [] for kind in catalogue.material_titles}
    for item in catalogue.items():
        for material in item.materials:
            asked[material.kind].append(material)
    return table(MATERIALS_HEAD, (_marks_row(kind, asked[kind], catalogue) for kind in sorted(asked)))


def _marks_row(kind: str, asked: Sequence[Material], catalogue: Catalogue) -> Sequence[str]:
    looked_up = dict.fromkeys(licence for material in asked for licence in material.licences)
    return (
        code(kind),
        catalogue.material_titles[kind],
        yes(any(material.e_licence for material in asked)),
        ", ".join(map(code, looked_up)),
        yes(any(material.deferrable for material in asked)),
        yes(any(material.by_commitment for material in asked)),
    )
