from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from prometheus_client import Counter

from tongban_shared.errors import LedgerDownError, SettingsError
from tongban_shared.web.health import Health, add_health_routes
from tongban_shared.web.install import install, new_app
from tongban_shared.web.logs import REDACTED, configure_logs, redact

NUMBER = "330000199003070029"


def asking(app: FastAPI) -> httpx.AsyncClient:
    """A caller of an application."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


# ---------------------------------------------------------------------------------------------- documentation


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag
        self.found += [value for name, value in attrs if name in {"src", "href"} and value]


async def test_no_page_refers_to_another_origin() -> None:
    """Scripts and styles of /docs come from here; its policy lets the browser load nothing else."""
    app = new_app("test", "0")
    install(app, docs=True)
    async with asking(app) as http:
        page = await http.get("/docs")
        links = Links()
        links.feed(page.text)
        assert len(links.found) == 5
        for link in links.found:
            assert "//" not in link
            assert link == "data:," or (await http.get(f"/{link}")).status_code == 200
    assert "'self'" in page.headers["content-security-policy"]
    assert "http" not in page.headers["content-security-policy"]


def test_the_documentation_sends_nothing_to_a_validator() -> None:
    """The viewer's validator badge, which would send the document away, is off."""
    start = files("tongban_shared.web").joinpath("static/start.js").read_text(encoding="utf-8")
    assert "validatorUrl: null" in start
    assert "://" not in start


def test_the_viewer_comes_with_its_licence() -> None:
    """The vendored viewer's licence and notice are shipped beside it."""
    static = files("tongban_shared.web").joinpath("static")
    assert "Apache License" in static.joinpath("swagger-ui.LICENSE").read_text(encoding="utf-8")
    assert "SmartBear" in static.joinpath("swagger-ui.NOTICE").read_text(encoding="utf-8")


async def test_documentation_is_off_unless_asked_for() -> None:
    """Neither our page nor FastAPI's exists by default."""
    app = new_app("test", "0")
    install(app)
    async with asking(app) as http:
        assert [(await http.get(path)).status_code for path in ("/docs", "/redoc")] == [404, 404]


def test_fastapis_own_page_is_refused() -> None:
    """An application with the page that loads from elsewhere does not start."""
    with pytest.raises(SettingsError):
        install(FastAPI(), docs=True)


async def test_the_contract_says_problem() -> None:
    """Every operation of the OpenAPI document may answer with a problem, none with FastAPI's own error."""
    app = new_app("test", "0")

    @app.get("/things/{number}")
    async def thing(number: int) -> int:
        return number

    install(app)
    async with asking(app) as http:
        document = (await http.get("/openapi.json")).json()
    operation = document["paths"]["/things/{number}"]["get"]
    assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}
    assert "HTTPValidationError" not in json.dumps(document)


async def test_the_type_of_a_problem_can_be_looked_up() -> None:
    """The relative `type` of a problem leads to its entry in the catalogue."""
    app = new_app("test", "0")
    install(app)
    async with asking(app) as http:
        problem = (await http.get("/nowhere")).json()
        entry = (await http.get(problem["type"])).json()
        assert (entry["code"], entry["title"]) == (problem["code"], problem["title"])
        assert (await http.get("/problems/NO_SUCH")).status_code == 404


# ----------------------------------------------------------------------------------------------------- health


def app_with(health: Health) -> FastAPI:
    """An application with health routes."""
    app = new_app("test", "0")
    add_health_routes(app, health)
    return app


async def well() -> str | None:
    """A check that finds nothing."""
    return None


async def broken() -> str | None:
    """A check that finds something."""
    return "the outbox is 3 h behind"


async def raising() -> str | None:
    """A check that meets an error of ours."""
    raise LedgerDownError("x")


async def test_readiness_names_every_reason() -> None:
    """A service that is not ready says what is wrong with each part, and when to ask again."""
    async with asking(
        app_with(Health("x", "1", {"database": well, "outbox": broken, "ledger": raising}))
    ) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert answer.json()["checks"] == {
        "database": {"ok": True, "reason": None},
        "outbox": {"ok": False, "reason": "the outbox is 3 h behind"},
        "ledger": {"ok": False, "reason": "LEDGER_DOWN"},
    }


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
async def test_readiness_is_200_when_all_is_well(path: str) -> None:
    """A service whose parts are all well is ready; /healthz says the same."""
    async with asking(app_with(Health("x", "1", {"database": well}))) as http:
        assert (await http.get(path)).status_code == 200


async def test_advice_does_not_take_a_service_out() -> None:
    """An advisory check is shown, but work still comes."""
    async with asking(app_with(Health("x", "1", advisory={"ledger": raising}))) as http:
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["ledger"]["ok"]) == (200, False)


async def test_a_stopping_service_is_alive_but_not_ready() -> None:
    """Before it stops a service leaves the balancers, and still lives."""
    health = Health("x", "1")
    health.stopping = True
    async with asking(app_with(health)) as http:
        assert [(await http.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 503]


async def test_two_applications_in_one_process_count_apart() -> None:
    """Metrics live in the application's own registry, so the same name can be used by each."""
    first, second = Health("a", "1"), Health("b", "1")
    counters = [Counter("tongban_things", "Things", registry=one.registry) for one in (first, second)]
    counters[0].inc()
    async with asking(app_with(first)) as one, asking(app_with(second)) as two:
        assert "tongban_things_total 1.0" in (await one.get("/metrics")).text
        assert "tongban_things_total 0.0" in (await two.get("/metrics")).text


async def test_version_tells_what_runs() -> None:
    """The version page names service, version and what else the service tells."""
    async with asking(app_with(Health("x", "1.2", details={"schema": "7"}))) as http:
        answer = (await http.get("/version")).json()
    assert (answer["service"], answer["version"], answer["schema"]) == ("x", "1.2", "7")


# ------------------------------------------------------------------------------------------------------- logs


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Logs as they are written, from all loggers."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logs("test", "INFO", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines written so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_log_line_is_json_with_service_and_time(written: io.StringIO) -> None:
    """A line carries event, level, service and UTC time."""
    structlog.get_logger("tongban.x").info("case_closed", case_id="440120261124000000017")
    (line,) = lines(written)
    assert (line["event"], line["level"], line["service"]) == ("case_closed", "info", "test")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])
    assert line["case_id"] == "440120261124000000017"


def test_fields_that_are_not_listed_do_not_get_through(written: io.StringIO) -> None:
    """Only listed fields are written; the others are counted."""
    structlog.get_logger("x").info("lookup", name="张三", id_number=NUMBER, province="44")
    (line,) = lines(written)
    assert (line["province"], line["dropped"]) == ("44", 2)
    assert "张三" not in written.getvalue()


def test_an_id_number_in_free_text_is_redacted(written: io.StringIO) -> None:
    """The second net catches numbers in text, in nested values and as keys."""
    structlog.get_logger("x").info(f"person {NUMBER}", reason={NUMBER: [NUMBER.lower()]}, code=f"x{NUMBER}y")
    assert NUMBER not in written.getvalue()
    assert REDACTED in written.getvalue()


def test_other_libraries_are_redacted_too(written: io.StringIO) -> None:
    """A message of the standard library's logging goes through the same nets."""
    logging.getLogger("uvicorn.error").warning("bad value %s", NUMBER)
    (line,) = lines(written)
    assert (line["service"], line["event"]) == ("test", f"bad value {REDACTED}")


def test_an_exception_is_logged_by_its_type_only(written: io.StringIO) -> None:
    """Neither text nor trace of an exception is written."""
    try:
        date.fromisoformat(NUMBER)
    except ValueError:
        structlog.get_logger("x").exception("failed")
        logging.getLogger("y").exception("failed")
    assert [line["error_type"] for line in lines(written)] == ["ValueError", "ValueError"]
    assert NUMBER not in written.getvalue()
    assert "Traceback" not in written.getvalue()


def test_redaction_keeps_what_is_no_person() -> None:
    """Case numbers, counts and times stay as they are; names and addresses go, however deep."""
    kept = {"case_id": "440120261124000000017", "count": 3, "at": "2026-11-24T18:00:00+08:00"}
    assert redact(kept) == kept
    assert redact({"people": [{"name": "张三", "former_name": "李四", "address": "示例路1号"}]}) == {
        "people": [{"name": REDACTED, "former_name": REDACTED, "address": REDACTED}]
    }
