"""A registry's stand-in for measuring what is in front of it: one FastAPI route with a typical answer."""

from __future__ import annotations

from typing import Any

from tongban_shared.web.install import new_app

app = new_app("stand-in", "0")


@app.get("/v1/cases/{case_id}")
async def show(case_id: str) -> dict[str, Any]:
    """A case in review, about 600 bytes."""
    at = "2026-11-24T18:00:00+08:00"
    return {
        "case_id": case_id,
        "item": "0107",
        "case_type": "migration",
        "state": "REVIEWING",
        "accepting_province": "44",
        "origin_province": "43",
        "destination_province": "44",
        "submitted_at": at,
        "deadlines": {"promised_at": at, "statutory_at": at},
        "waiting_for": {"province": "43", "owner": "station", "action": "permit", "until": at},
        "documents": [],
        "timeline": [{"at": at, "province": "44", "event": "SUBMITTED", "actor": "window"}],
    }
