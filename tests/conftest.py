"""What every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", type=Path, help="folder with the Everyday photos; tests that need them skip without it")


@pytest.fixture(scope="session")
def photos(request: pytest.FixtureRequest) -> Path:
    """The folder given with --data."""
    folder: Path | None = request.config.getoption("--data")
    if folder is None:
        pytest.skip("needs the Everyday photos: python -m pytest --data FOLDER")
    return folder


@pytest.fixture(scope="session")
def page() -> Iterator[str]:
    """The address of the running app, started once for all tests that need a server."""
    from serving import running

    with running() as address:
        yield address
