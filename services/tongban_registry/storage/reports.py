"""What people ask of one province's database beside its work: tasks, cases, figures, hops, quarantine, access.

Reads see one snapshot. The few writes here are small transactions of their own and touch no case and no person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, Text, and_, case, delete, func, literal, or_, select, tuple_, update

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import from_us, to_us
from tongban_shared.storage.engine import read, write
from tongban_shared.storage.rowset import insert_new, rowset, upsert

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
