"""Kafka's class path is fetched once, and only what the list names is used."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

from tongban_sandbox.servers import jars
from tongban_sandbox.servers.jars import Jar, class_path, fetch_jars, listed_jars
from tongban_sandbox.servers.process import ServerMissingError

GOOD = b"a jar"
LETTER = Jar(PurePosixPath("org/example/letter/1.0/letter-1.0.jar"), hashlib.sha256(GOOD).hexdigest())


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[tuple[str, str, str]]:
    """List LETTER alone and let a repository give `content` for it; the result fills with what was asked."""
    asked: list[tuple[str, str, str]] = []

    def maven(folder: Path) -> SimpleNamespace:
        def resolve() -> None:
            (folder / LETTER.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / LETTER.path).write_bytes(content)

        def at_version(group: str, artifact: str, version: str) -> SimpleNamespace:
            asked.append((group, artifact, version))
            return SimpleNamespace(artifact=lambda: SimpleNamespace(resolve=resolve))

        return SimpleNamespace(
            project=lambda group, artifact: SimpleNamespace(
                at_version=lambda version: at_version(group, artifact, version)
            )
        )

    monkeypatch.setattr(jars, "_maven", maven)
    monkeypatch.setattr(jars, "listed_jars", lambda: [LETTER])
    return asked


def test_the_list_names_each_jar_once_with_its_digest() -> None:
    """Every line is a jar of a Maven repository with a SHA-256; no artifact comes in two versions."""
    listed = listed_jars()
    artifacts = [jar.coordinates[:2] for jar in listed]
    assert len(set(artifacts)) == len(artifacts) == 45
    for jar in listed:
        _, artifact, version = jar.coordinates
        assert jar.path.name == f"{artifact}-{version}.jar"
        assert re.fullmatch("[0-9a-f]{64}", jar.sha256)


def test_the_server_and_its_logger_are_of_one_release() -> None:
    """All parts of Kafka have the same version, and so have those of its logger."""
    for group in ("org.apache.kafka", "org.apache.logging.log4j"):
        versions = {jar.coordinates[2] for jar in listed_jars() if jar.coordinates[0] == group}
        assert len(versions) == 1, f"{group}: {versions}"


def test_a_jar_is_fetched_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With every jar there, a second fetch asks nobody."""
    asked = serve(monkeypatch, GOOD)
    seen: list[tuple[int, int]] = []
    fetch_jars(tmp_path, progress=lambda done, listed: seen.append((done, listed)))
    fetch_jars(tmp_path)
    assert asked == [("org.example", "letter", "1.0")]
    assert seen == [(1, 1)]
    assert class_path(tmp_path) == str(tmp_path / LETTER.path)


def test_a_torn_jar_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A jar that is not byte for byte the listed one counts as missing."""
    serve(monkeypatch, GOOD)
    fetch_jars(tmp_path)
    (tmp_path / LETTER.path).write_bytes(GOOD[:-1])
    fetch_jars(tmp_path)
    assert LETTER.intact_in(tmp_path)


def test_a_wrong_jar_is_thrown_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the repository gives is not used unless it is the listed file."""
    serve(monkeypatch, b"another jar")
    with pytest.raises(ServerMissingError, match=r"letter-1\.0\.jar is not the listed file"):
        fetch_jars(tmp_path)
    assert not (tmp_path / LETTER.path).exists()
