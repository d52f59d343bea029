"""What every test may use."""

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
