"""The 24 items of a province, each to its end, and a 25th that is data alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.stories.stations import (
    ABROAD,
    MARITAL,
    MARRIED,
    MILITARY,
    NANJING,
    STATUS,
    ZHENJIANG,
    A,
    approved,
    asked,
    form,
    lives_at,
    place,
    put,
)
from tests.stories.windows import ask_for, seen, standing
from tests.stories.world import Country
from tongban_shared import catalogue
from tongban_shared.catalogue import load_catalogue
from tongban_shared.effects import Effect

ITEMS = [item.code for item in load_catalogue().items(scope="province")]
NAME_CHANGE = """
[item."0625"]
title_zh = "姓名变更"
title_en = "Change of name"
variant = "NAME"
does = { effect = "CHANGE_FIELDS", fields = ["name"] }
main = ["GROUND_PROOF"]
"""


@pytest.mark.parametrize("code", ITEMS)
async def test_every_item_is_applied_for_and_ends(country: Country, code: str) -> None:
    """With nothing but its data: at a window that is not the home station's, to its end."""
    head, other = lives_at(country, NANJING, adults=2)
    item = load_catalogue().item(code)
    effect = item.does.effect if item.does else None
    more: dict[str, Any] = {}
    if effect in {Effect.MOVE_WITHIN, Effect.NEW_HOUSEHOLD}:
        more["destination"] = place(ZHENJIANG if effect is Effect.MOVE_WITHIN else NANJING)
    if item.does and item.does.fields:
        samples = {"education_code": "20", "marital_code": "20"}
        more["details"] = {"changes": {field: samples.get(field, "示例") for field in item.does.fields}}
    if code == "0605":
        more["members"] = [head]
    if effect is Effect.RESTORE:
        await approved(country, await put(country, asked(country, MILITARY, other, NANJING)))
    if code == "0603":
        await approved(country, await put(country, asked(country, ABROAD, other, NANJING)))
    case = await put(country, asked(country, code, other, ZHENJIANG, **more))
    if country.state(A, case) == "CHECKING":
        await approved(country, case)
    view = await seen(country, A, case, "COMPLETED")
    assert (view["item"], view["state"], len(ITEMS)) == (code, "COMPLETED", 24)


@pytest.fixture
def with_one_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The shipped catalogue and one more table, read by everybody as the shipped one is."""
    shipped = Path(catalogue.__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    (tmp_path / "catalogue.toml").write_text(shipped + NAME_CHANGE, encoding="utf-8")
    monkeypatch.setattr(catalogue, "files", lambda _package: tmp_path)
    load_catalogue.cache_clear()
    yield
    load_catalogue.cache_clear()


@pytest.mark.usefixtures("with_one_more")
async def test_a_25th_item_is_data_alone(country: Country) -> None:
    """Applied for, decided at home, entered; the papers that show the old name end, nobody else's."""
    (person,), (other,) = lives_at(country, NANJING), lives_at(country, NANJING)
    mine = await seen(country, A, await ask_for(country, STATUS, person, A), "COMPLETED")
    theirs = await seen(country, A, await ask_for(country, STATUS, other, A), "COMPLETED")
    marital = await put(country, asked(country, MARITAL, person, NANJING, details=MARRIED))
    await country.until(A, marital, "COMPLETED")
    assert await standing(country, A, mine) == "VALID"  # a certificate does not show that
    body = asked(country, "0625", person, ZHENJIANG, grade="A", details={"changes": {"name": "示例新名"}})
    view = await approved(country, await put(country, body))
    assert view["item"] == "0625"
    assert (form(country, person)["name"], form(country, person)["former_name"]) == (
        "示例新名",
        person.name,
    )
    assert await standing(country, A, mine) == "SUPERSEDED"
    assert await standing(country, A, theirs) == "VALID"
    renamed = replace(person, name="示例新名")
    assert (await country.lookup(renamed, A)).status_code == 200
    assert (await country.lookup(person, A)).status_code == 404
