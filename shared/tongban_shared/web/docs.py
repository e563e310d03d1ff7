"""The interactive page of the API. Its scripts are served from here: government networks have no CDN."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from tongban_shared.errors import SettingsError
from tongban_shared.web.handlers import as_response
from tongban_shared.web.problems import problem, published

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>本页需要 JavaScript；接口文档见 <a href="openapi.json">openapi.json</a>。</noscript>
<script src="docs/static/swagger-ui-bundle.js"></script>
<script src="docs/static/start.js"></script>
</body>
</html>
"""


def add_docs(app: FastAPI) -> None:
    """Serve /docs with its scripts. Raises SettingsError if FastAPI's own page, fed by a CDN, is on."""
    if app.docs_url is not None or app.redoc_url is not None:
        raise SettingsError("FastAPI's own docs load scripts from elsewhere; make the app with new_app()")
    static = str(files(__package__).joinpath("static"))
    page = _PAGE.format(title=escape(app.title))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page, headers={"content-security-policy": _POLICY})

    app.mount("/docs/static", StaticFiles(directory=static), name="docs-static")


def add_problem_catalogue(app: FastAPI) -> None:
    """Serve the published catalogue at /problems: the `type` of every problem leads to its entry."""
    catalogue = published()

    @app.get("/problems", tags=["contracts"], summary="All problem codes")
    async def problems() -> Response:
        return JSONResponse({"items": list(catalogue.values())})

    @app.get("/problems/{code}", tags=["contracts"], summary="One problem code")
    async def problem_kind(code: str) -> Response:
        kind = catalogue.get(code)
        return JSONResponse(kind) if kind else as_response(problem("PROBLEM_UNKNOWN"))
