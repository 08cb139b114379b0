"""The case desk in the browser: a Flask application factory (:mod:`web.app`) and one package per room."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def program_version() -> str:
    """The installed version, or the one in ``pyproject.toml`` when run from a checkout that was not installed."""
    try:
        return version("banjie")
    except PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
