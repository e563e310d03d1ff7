"""Where things stand: three source roots, each with packages of the project's own prefix."""

from __future__ import annotations

import tomllib

from tests.house import sources

PREFIX = "tongban_"
TOP = {
    *(".ci", ".dockerignore", ".editorconfig", ".gitignore"),
    *(
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "README.zh-CN.md",
        "SECURITY.md",
    ),
    *("Makefile", "docker-compose.yml", "pyproject.toml"),
    *("deploy", "docs", "gateway", "requirements", "services", "shared", "tests"),
}
MAY_BE_MISSING = {"SECURITY.md"}


def test_the_root_holds_the_agreed_names() -> None:
    """Nothing stands beside the names of the house, and each of them is there."""
    found = {path.relative_to(sources.ROOT).parts[0] for path in sources.files()}
    assert found - TOP == set()
    assert TOP - found - MAY_BE_MISSING == set()


def test_a_source_root_is_no_package() -> None:
    """Imported by their folder's name, modules would exist twice, and an `except` would miss."""
    inits = [
        f"{root}/__init__.py"
        for root in sources.SOURCE_ROOTS
        if (sources.ROOT / root / "__init__.py").exists()
    ]
    assert inits == []


def test_every_package_has_the_prefix_and_its_types() -> None:
    """A source root holds packages named tongban_…, each with `__init__.py` and `py.typed`."""
    for root in sources.SOURCE_ROOTS:
        packages = {path.relative_to(sources.ROOT).parts[1] for path in sources.files() if _in(path, root)}
        assert packages, root
        for package in packages:
            assert package.startswith(PREFIX), f"{root}/{package}"
            assert (sources.ROOT / root / package / "__init__.py").is_file(), package
            assert (sources.ROOT / root / package / "py.typed").is_file(), package


def test_every_package_is_shipped() -> None:
    """The wheel names each package, and nothing else."""
    project = tomllib.loads((sources.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    packages = {
        "/".join(path.relative_to(sources.ROOT).parts[:2])
        for root in sources.SOURCE_ROOTS
        for path in sources.files()
        if _in(path, root)
    }
    assert set(shipped) == packages


def test_deploy_is_data() -> None:
    """What differs between two places stands in files that are read, not run."""
    assert [sources.name(path) for path in sources.below("deploy")] == []


def _in(path: object, root: str) -> bool:
    return str(path).startswith(f"{sources.ROOT / root}/")
