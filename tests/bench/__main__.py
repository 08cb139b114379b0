"""``python -m tests.bench``: the figures of this installation, side by side in one run."""

from __future__ import annotations

import logging
import platform
import tempfile
from pathlib import Path

from tests.bench import core, due, editor, http, patterns, rounds


def main() -> None:
    logging.disable(logging.WARNING)
    print(f"Banjie on {platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}")
    print("Medians of interleaved repetitions; compare the ratios, not the milliseconds, with those of another machine.\n")
    with tempfile.TemporaryDirectory(prefix="banjie-bench-") as folder:
        for part in (core, patterns, rounds, http, due, editor):
            part.run(Path(folder))
            print(flush=True)


if __name__ == "__main__":
    main()
