"""What every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import Tensor
from weight_files import tiny_state, whole_file


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


@pytest.fixture
def state() -> dict[str, Tensor]:
    """The tensors of the tiny model that loading is tested with."""
    return tiny_state()


@pytest.fixture
def whole() -> bytes:
    """The tiny model's weights file, whole and right."""
    return whole_file()


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
