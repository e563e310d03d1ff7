"""A case for people to read: what happened when, in which province, and whose move it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from tongban_shared.provinces import load_provinces

# What each event means, in words; the table of the case type has the rules.
EVENTS: Mapping[str, str] = {
    "apply": "application received",
    "located": "the ledger names the home province",
    "precheck": "asked which facts stand",
    "facts": "facts arrived",
    "materials": "missing material handed in",
    "decision": "an officer decided",
    "permit": "move-in permit 准迁证 arrived",
    "offer": "sealed record arrived",
    "acceptance": "the destination has committed itself",
    "appended": "the ledger has recorded the hand-over",
    "certificate": "migration certificate 迁移证 arrived: settled 落户",
    "settled": "settlement confirmed; the row here is closed",
    "withdraw": "the applicant withdraws",
    "withdrawal": "withdrawal arrived",
    "refusal": "refused by the origin",
    "cancel": "cancelled by the origin",
    "inquire": "asked whether it has settled",
    "limit": "a time limit passed",
    "requested": "asked from another province",
    "issued": "certificate issued",
    "referral": "the next holder is named",
    "correction": "more is needed 补正",
    "authorised": "the right to print is given",
    "printed": "printed and handed out",
    "lapsed": "the right to print has lapsed",
    "returned": "the card was handed back",
    "approved": "reviewed and signed at home 审核签发",
    "made": "the card is made 制证",
    "unclaimed": "nobody came for the card",
    "handed_over": "the card is handed over 领取",
    "claimed": "the birth certificate is this case's 出生医学证明",
    "consent_asked": "asked whether the other parent agrees",
    "consent": "the other parent's registry has answered",
    "numbered": "a number that nobody has is found",
    "entered": "the ledger has entered the child",
    "registered": "registered 入户",
    "commitment_false": "a commitment was found false 承诺不实",
    "commitment_holds": "a commitment was checked and holds",
    "paper_sent": "the paper is on its way",
    "paper_received": "the paper has come",
}


@cache
def _names() -> Mapping[str, str]:
    return {code: f"{profile.name}({code})" for code, profile in load_provinces().items()}


def name_of(code: str | None) -> str:
    """A province for people; an unknown one as it is."""
    return _names().get(code or "", code or "?")


def case_lines(case: Mapping[str, Any], mirror: Mapping[str, Any] | None) -> list[str]:
    """Head, both sides' timelines, and whose move it is. mirror: the origin's view, if it has one."""
    origin, destination = case["origin_province"], case["destination_province"]
    head = f"case {case['case_id']}  item {case['item']}  {case['state']}"
    return [
        f"{head}  {name_of(origin)} → {name_of(destination)}",
        *side_lines(case, destination, "destination 迁入地"),
        *(side_lines(mirror, origin, "origin 迁出地") if mirror else ()),
        f"  {whose_move(case)}",
    ]


def side_lines(case: Mapping[str, Any], here: str, side: str) -> list[str]:
    """The timeline of one side, for a pair of views."""
    return [f"  {side} {name_of(here)}:", *(f"    {_line(entry)}" for entry in case["timeline"])]


def _line(entry: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(entry["at"]).strftime("%H:%M:%S")
    event = str(entry["event"]).rpartition(".")[2]
    sent = f"; sends {entry['sent']}" if entry.get("sent") else ""
    return f"{at}  {EVENTS.get(event, event)} ({entry['actor']}, {entry['state']}{sent})"


def whose_move(case: Mapping[str, Any]) -> str:
    """Who acts next and until when, or how it ended."""
    waiting = case.get("waiting_for")
    if waiting is None:
        refusal = case.get("refusal")
        why = f": {refusal['title']} ({refusal['code']}), {refusal['contact']}" if refusal else ""
        return f"ended: {case['state']}{why}"
    where = name_of(waiting["province"])
    return f"waits for {waiting['owner']} in {where} until {waiting['until']}: {waiting['action']}"
