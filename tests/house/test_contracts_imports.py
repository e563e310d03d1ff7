"""Who may import whom: the contracts hold, and each of them notices when it is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import sources

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
KAFKA = "from tongban_shared.transports.kafka import KafkaTransport\n"
# Contract, file, what is planted there. The last one reaches the broker through others only.
PLANTED = {
    "upwards": ("floors", "shared/tongban_shared/tree.py", "import tongban_registry\n"),
    "sideways": ("floors", "services/tongban_ledger/door.py", "import tongban_registry\n"),
    "broker": ("broker", "services/tongban_registry/outbox.py", "import aiokafka\n"),
    "database": (
        "database",
        "services/tongban_registry/inbox.py",
        "import sqlalchemy\n",
    ),
    "gateway": ("gateway", "gateway/tongban_gateway/routing.py", KAFKA),
}


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the packages of this tree, whatever is installed."""
    paths = os.pathsep.join(str(root / name) for name in sources.SOURCE_ROOTS)
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": paths, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_contract_is_kept() -> None:
    """`make contracts` passes."""
    result = _lint(sources.ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_a_forbidden_import_is_found(contract: str, tmp_path: Path) -> None:
    """A planted import breaks its contract, by name."""
    identity, file, line = PLANTED[contract]
    shutil.copy(sources.ROOT / "pyproject.toml", tmp_path)
    for root in sources.SOURCE_ROOTS:
        shutil.copytree(
            sources.ROOT / root, tmp_path / root, ignore=shutil.ignore_patterns("*.pyc", "static")
        )
    target = tmp_path / file
    target.write_text(target.read_text(encoding="utf-8") + line, encoding="utf-8")
    result = _lint(tmp_path)
    found = [text for text in result.stdout.splitlines() if text.startswith(_name(identity))]
    assert result.returncode == 1
    assert any(" BROKEN" in text for text in found), result.stdout


def _name(identity: str) -> str:
    project = tomllib.loads((sources.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    return str(next(contract["name"] for contract in contracts if contract["id"] == identity))
