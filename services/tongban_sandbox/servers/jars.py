"""Apache Kafka's jars: fetched once from a Maven repository, each checked against the list beside this file.

The list (`kafka-jars.sha256`) has the form of `sha256sum`, with paths of a Maven repository, so that
`cd var/kafka-jars && sha256sum -c` reads it too. It names the whole class path: no other jar is used, and
nothing is resolved at run time.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from tongban_sandbox.servers.process import ServerMissingError

DEFAULT_FOLDER = Path("var/kafka-jars")
LIST_NAME = "kafka-jars.sha256"
DOWNLOADS_AT_ONCE = 8
DOWNLOAD_LIMIT_S = 60
# Where the network has a mirror in place of the public repository.
MIRROR_VARIABLE = "TONGBAN_MAVEN_REPOSITORY"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Jar:
    """One jar of the list: its path in a Maven repository and the SHA-256 of its bytes, in hexadecimal."""

    path: PurePosixPath
    sha256: str

    @property
    def coordinates(self) -> tuple[str, str, str]:
        """Group, artifact and version, read from the path."""
        *group, artifact, version, _ = self.path.parts
        return ".".join(group), artifact, version

    def intact_in(self, folder: Path) -> bool:
        """Whether the folder has this jar, byte for byte."""
        file = folder / self.path
        return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == self.sha256


def listed_jars() -> Sequence[Jar]:
    """The class path in the list's order."""
    text = (resources.files("tongban_sandbox.servers") / LIST_NAME).read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return [Jar(PurePosixPath(path), sha256) for sha256, path in lines]


def class_path(folder: Path) -> str:
    """The jars as one `-cp` argument."""
    return os.pathsep.join(str(folder / jar.path) for jar in listed_jars())


def fetch_jars(folder: Path = DEFAULT_FOLDER, progress: Progress | None = None) -> None:
    """Bring every listed jar into `folder`; with all of them there, no network is used (checked in 0.1 s).

    progress: called with (jars done, jars listed) after each download. Blocks: about 15 s for 45 MB the first
    time. Two programs may call it at once. Raises ServerMissingError when a jar can't be had or is not the
    listed one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder), ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        jars = listed_jars()
        whole = pool.map(lambda jar: jar.intact_in(folder), jars)
        missing = [jar for jar, intact in zip(jars, whole, strict=True) if not intact]
        if not missing:
            return
        for done, _ in enumerate(pool.map(partial(_download, _maven(folder), folder), missing), 1):
            if progress is not None:
                progress(len(jars) - len(missing) + done, len(jars))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _maven(folder: Path) -> Any:  # noqa: ANN401 (jgo has no types)
    if importlib.util.find_spec("jgo") is None:
        raise ServerMissingError("Kafka's jars need jgo; install it with: make setup (extra: live)")
    mirror = os.environ.get(MIRROR_VARIABLE)
    return importlib.import_module("jgo.maven").MavenContext(
        repo_cache=folder,
        local_repos=[],
        remote_repos={"mirror": mirror} if mirror else None,
        timeout=DOWNLOAD_LIMIT_S,
    )


def _download(maven: Any, folder: Path, jar: Jar) -> None:  # noqa: ANN401 (jgo has no types)
    group, artifact, version = jar.coordinates
    (folder / jar.path).unlink(missing_ok=True)  # a torn or wrong file would be taken for a good one
    try:
        maven.project(group, artifact).at_version(version).artifact().resolve()
    except (OSError, RuntimeError) as error:  # jgo's and requests' ways to say no
        raise ServerMissingError(_advice(f"can't fetch {jar.path.name}: {error}")) from error
    if not jar.intact_in(folder):
        (folder / jar.path).unlink(missing_ok=True)
        raise ServerMissingError(_advice(f"{jar.path.name} is not the listed file, so it was thrown away"))


def _advice(what: str) -> str:
    return f"{what}. The first start needs a Maven repository; {MIRROR_VARIABLE} may name your mirror"
