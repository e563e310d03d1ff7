from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tongban_gateway.main import app, gateway_of
from tongban_gateway.settings import Settings, load_directory_file
from tongban_shared.errors import SettingsError
from tongban_shared.ids import PROVINCES
from tongban_shared.keys import generate_keys
from tongban_shared.provinces import deploy_folder

SHIPPED = deploy_folder() / "gateway.toml"


def written(folder: Path, text: str) -> Path:
    """A directory file with this text."""
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_directory_names_every_province() -> None:
    """The directory that is delivered has an address for each province with a registry."""
    assert load_directory_file(SHIPPED).addresses.keys() == PROVINCES


def test_a_call_without_a_wait_gets_what_the_longest_wait_leaves(tmp_path: Path) -> None:
    """The read timeout covers a wait of 30 s; a call that names none has the rest of it."""
    path = written(tmp_path, '[client]\nread_timeout_s = 37.0\n[registries]\n"44" = ["http://x"]\n')
    assert load_directory_file(path).patience.answer_timeout_s == 7.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[registries]\n", "needs a province"),
        ('[registries]\n"44" = []\n', "needs a province"),
        ('[registries]\n"99" = ["http://x"]\n', "99 is no province"),
        ('[registries]\n"44" = "http://x"\n', "registries"),
        ('[client]\nread_timeout_s = 30.0\n[registries]\n"44" = ["http://x"]\n', "must exceed"),
        ('[client]\nretries = 3\n[registries]\n"44" = ["http://x"]\n', "retries"),
        ("[", "gateway.toml"),
    ],
)
def test_a_wrong_directory_is_named_with_its_fault(tmp_path: Path, text: str, words: str) -> None:
    """A file that can't be used stops the program with words that say what to change."""
    with pytest.raises(SettingsError, match=words):
        load_directory_file(written(tmp_path, text))


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting has a TONGBAN_ variable; what is given directly stands over it."""
    monkeypatch.setenv("TONGBAN_PORT", "9000")
    monkeypatch.setenv("TONGBAN_LEDGER", "http://ledger")
    settings = Settings(port=9001)
    assert (settings.port, settings.ledger) == (9001, "http://ledger")


def test_the_program_says_what_is_missing_and_ends_with_2(tmp_path: Path) -> None:
    """A setting that is missing ends the program with one line, without a stack trace."""
    result = CliRunner().invoke(app, ["--directory", str(tmp_path / "none.toml")])
    assert result.exit_code == 2
    assert "no directory file none.toml" in result.output
    assert "Traceback" not in result.output


async def test_the_program_is_put_together_from_files_alone(tmp_path: Path) -> None:
    """Directory, province files and key folder are all that a gateway needs."""
    generate_keys(tmp_path, ["gateway", "44"])
    gateway = gateway_of(Settings(directory=SHIPPED, keys=tmp_path))
    transport = httpx.ASGITransport(gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        provinces = (await http.get("/v1/provinces")).json()["items"]
        keys = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert {row["province"] for row in provinces} == PROVINCES
    assert {key["kid"] for key in keys} == {"gateway-1", "44-1"}


def test_a_key_folder_without_the_gateways_keys_is_told(tmp_path: Path) -> None:
    """Without its own keys the gateway can't ask the ledger, and says so at the start."""
    generate_keys(tmp_path, ["44"])
    with pytest.raises(SettingsError, match=r"gateway\.json"):
        gateway_of(Settings(directory=SHIPPED, keys=tmp_path))
