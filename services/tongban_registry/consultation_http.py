"""The words of a consultation (远程帮办), for the two officers who have it open; never part of a case's view.

A view is stored with idempotent replies, and words are to be gone when the session ends (decision 0013).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Response

from tongban_registry.paging import JSON
from tongban_registry.views import local
from tongban_shared.cases.consultation import CONSULTATION
from tongban_shared.errors import RefusedError
from tongban_shared.ids import case_id as checked_case_id

if TYPE_CHECKING:
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.cases.kind import Case


def consultation_routes(store: RegistryStore) -> APIRouter:
    """What is asked and advised, as long as the session lasts."""
    router = APIRouter(tags=["cases"])

    @router.get(
        "/v1/cases/{case_id}/consultation", summary="What is asked of an expert, and what they advise"
    )
    async def words(case_id: str) -> Response:
        found = await store.case(checked_case_id(case_id))
        if found is None or found[0].kind != CONSULTATION.name:
            raise RefusedError("CASE_UNKNOWN")
        return Response(msgspec.json.encode(words_view(found[0])), media_type=JSON)

    return router


def words_view(case: Case) -> dict[str, Any]:
    """The masked screen and the words, None once the session has ended; and what stays of it."""
    data = case.data
    return {
        "case_id": case.id,
        "about": data.about,
        "screen": None if data.screen is None else msgspec.to_builtins(data.screen),
        "question": data.question or None,
        "advice": data.advice or None,
        "outcome": data.outcome or None,
        "officer": data.officer,
        "answered_at": local(data.answered_at),
    }
