"""The measurements as a test, for ``pytest tests/bench -m bench -s``: they must run, their figures are for people."""

from __future__ import annotations

import pytest

from tests.bench.__main__ import main


@pytest.mark.bench
def test_the_measurements_run(capsys):
    with capsys.disabled():
        print()
        main()
