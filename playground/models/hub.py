"""Weights from the model hub: the copy in the cache first, else one download; every failure is one sentence."""

import errno
import hashlib
import random
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from huggingface_hub import constants as hub_constants
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.file_download import HfFileMetadata
from huggingface_hub.utils import httpx

from playground.models.card import Card

ENDPOINT: str | None = None  # None: the hub itself, or the mirror that HF_ENDPOINT names
CACHE: Path | None = None  # None: the cache that every program of this user shares
PATIENCE = 8.0  # seconds for the hub to answer at all
PAUSES = (0.5, 1.5)  # seconds before the second and third try when the hub has a fault
SPARE_BYTES = 64 * 1024**2  # room to leave on the disk
LARGEST_BYTES = 5 * 10**9  # more would not fit the memory of common machines
MB = 1e6

# Only this repository has no safetensors file on its main branch. Its pickle, and no other, may be read, with
# weights_only=True: see `weights.py`.
PICKLED = {"facebook/detr-resnet-50-panoptic": "pytorch_model.bin"}

INSTEAD = "or choose a bundled model"
Progress = Callable[[float, str], None]
Answer = TypeVar("Answer")


class WeightsError(ValueError):
    """Weights that cannot be had or used; the text is one sentence or two for the visitor."""


class _Damaged(Exception):
    """What arrived is not what the hub says it sent."""


def fetch(card: Card, progress: Progress | None = None) -> Path:
    """Return the weights file of a Hub card, downloading it when it is not in the cache yet.

    `progress` is told the share that has arrived (0 to 1) and a text. A cached file is returned without asking the
    hub. Two askers at once make one download. Raises WeightsError with one sentence.
    """
    for filename, revision in places(card):
        found = try_to_load_from_cache(str(card.repo), filename, cache_dir=CACHE, revision=revision)
        if isinstance(found, str):
            return Path(found)
    hub_constants.HF_HUB_DISABLE_TELEMETRY = True  # nothing is asked of the hub but the file
    for filename, revision in places(card):
        with _said_plainly(card):
            try:
                return _download(card, filename, revision, progress)
            except (RemoteEntryNotFoundError, RevisionNotFoundError):
                continue  # the next place
    raise WeightsError(f"The model hub has no weights for {card.title} that can be read safely; choose another model.")


def places(card: Card) -> tuple[tuple[str, str], ...]:
    """Return where the weights may lie in the repository, best first: (file name, revision)."""
    pinned = (card.filename, card.revision or "main")
    pickled = PICKLED.get(str(card.repo))
    return (pinned, (card.filename, "main"), (pickled, "main")) if pickled else (pinned,)


def is_allowed_pickle(card: Card, path: Path) -> bool:
    """Whether this file is the one pickle that may be read: of a named repository, fetched from the hub."""
    return card.source == "hub" and path.name == PICKLED.get(str(card.repo))


def forget(path: Path) -> None:
    """Remove a damaged file from the cache, so that the next try downloads it again."""
    blob = path.resolve()
    path.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)


def _download(card: Card, filename: str, revision: str, progress: Progress | None) -> Path:
    file = _ask(card, filename, revision)
    _check_room(card, file.size)
    for last in (False, True):
        path = _get(card, filename, revision, progress)
        try:
            _check_content(card, path, file)
        except _Damaged:
            forget(path)
            if last:
                raise
        else:
            return path
    raise AssertionError("unreachable")


def _ask(card: Card, filename: str, revision: str) -> HfFileMetadata:
    """Ask the hub for size and checksum; a fault of the hub is tried again, a silent hub is not waited for."""
    url = hf_hub_url(str(card.repo), filename, revision=revision, endpoint=ENDPOINT)
    for pause in (*PAUSES, None):
        try:
            return _within(PATIENCE, lambda: get_hf_file_metadata(url, timeout=PATIENCE, endpoint=ENDPOINT))
        except HfHubHTTPError as error:
            if pause is None or error.response.status_code < 500:
                raise
            time.sleep(pause * (1 + random.random()))
    raise AssertionError("unreachable")


def _within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """Return what `ask` gives within the time: looking up a host name has no limit of its own."""
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if answers:
        return answers[0]
    if errors and not isinstance(errors[0], httpx.TimeoutException):
        raise errors[0]
    raise httpx.ConnectTimeout("no answer in time")  # whichever of the two limits came first


def _get(card: Card, filename: str, revision: str, progress: Progress | None) -> Path:
    path = hf_hub_download(
        str(card.repo),
        filename,
        revision=revision,
        cache_dir=CACHE,
        endpoint=ENDPOINT,
        etag_timeout=PATIENCE,
        tqdm_class=_bar(card.title, progress),
    )
    return Path(path)


def _check_room(card: Card, size: int | None) -> None:
    """Refuse before the first byte what is too large for this page or for the disk."""
    if size is not None and size > LARGEST_BYTES:
        raise WeightsError(
            f"The weights of {card.title} are {size / 1e9:.0f} GB and at most {LARGEST_BYTES / 1e9:.0f} GB are loaded; "
            "choose a smaller model."
        )
    folder = Path(CACHE or hub_constants.HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if size is not None and free < size + SPARE_BYTES:
        raise WeightsError(
            f"The disk is full: {card.title} needs {size / MB:.0f} MB and {free / MB:.0f} MB are free; "
            f"make room and try again, {INSTEAD}."
        )


def _check_content(card: Card, path: Path, file: HfFileMetadata) -> None:
    """Compare size and sha256; the hub names large files by their sha256."""
    if file.size is not None and path.stat().st_size != file.size:
        raise _Damaged
    expected = card.sha256 or (file.etag if file.etag and re.fullmatch(r"[0-9a-f]{64}", file.etag) else None)
    if expected is not None:
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != expected:
                raise _Damaged


@contextmanager
def _said_plainly(card: Card) -> Iterator[None]:
    """Turn what the hub's library raises into one sentence; a file that is not there passes, for the next place."""
    try:
        yield
    except (RemoteEntryNotFoundError, RevisionNotFoundError):
        raise
    except (HfHubHTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError, httpx.HTTPError) as error:
        _explain(card, error)
    except (_Damaged, XetDownloadError):
        raise WeightsError(
            f"The download of {card.title} arrived damaged, twice; try again later, {INSTEAD}."
        ) from None
    except OSError as error:
        _explain_disk(card, error)


def _explain(card: Card, error: BaseException) -> NoReturn:
    while isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError):
        said = (
            f"The owner of {card.title} asks for permission: accept the terms on its page at huggingface.co, "
            f"log in with `hf auth login` and try again, {INSTEAD}."
        )
    elif isinstance(error, RepositoryNotFoundError) or status == 404:
        said = f"The model hub knows no {card.title} that this machine may read; choose another model."
    elif status in (401, 403):
        said = f"The model hub refuses this machine {card.title}; check your login with `hf auth login`, {INSTEAD}."
    elif isinstance(error, HfHubHTTPError) and status == 429:
        said = f"The model hub is busy; try again {_when(error)}, {INSTEAD}."
    elif status is not None:
        said = f"The model hub has a fault at the moment; try again in a few minutes, {INSTEAD}."
    elif isinstance(error, httpx.ReadError | httpx.RemoteProtocolError | httpx.ReadTimeout):
        said = f"The download of {card.title} was cut off; try again, {INSTEAD}."
    else:
        said = (
            f"The weights of {card.title} are not on this machine and the model hub cannot be reached; "
            f"connect to the internet and try again, {INSTEAD}."
        )
    raise WeightsError(said) from None


def _explain_disk(card: Card, error: OSError) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        said = f"The disk is full; make room for {card.title} and try again, {INSTEAD}."
    elif error.errno is None:  # what arrived has another size than announced
        said = f"The download of {card.title} was cut off; try again, {INSTEAD}."
    else:
        said = (
            f"The weights of {card.title} cannot be stored on this machine; set HF_HOME to a folder "
            f"that can be written, {INSTEAD}."
        )
    raise WeightsError(said) from None


def _when(error: HfHubHTTPError) -> str:
    seconds = error.response.headers.get("Retry-After", "")
    return f"in {seconds} seconds" if re.fullmatch(r"[0-9]{1,5}", seconds, re.ASCII) else "in a minute"


def _bar(title: str, progress: Progress | None) -> type:
    """A class that the hub's library takes for a progress bar and that tells `progress` instead."""

    class Bar:
        def __init__(
            self,
            *,
            desc: str = "",
            total: int | None = None,
            initial: int = 0,
            unit: str = "B",
            unit_scale: bool = True,
            position: int = 0,
            bar_format: str = "",
            leave: bool = True,
        ) -> None:
            self.total, self.n = total, initial
            self.tell()

        def tell(self) -> None:
            if progress is not None:
                said = f"{self.n / MB:.0f} of {self.total / MB:.0f} MB" if self.total else f"{self.n / MB:.0f} MB"
                progress(min(1.0, self.n / self.total) if self.total else 0.0, f"Downloading {title}: {said}")

        def update(self, count: int = 1) -> None:
            self.n += count
            self.tell()

        def update_transfer(self, count: int = 1) -> None:
            """Bytes on the wire, before they are put together: `update` counts them when they are."""

        def set_postfix_str(self, text: str, refresh: bool = True) -> None:
            """The rate is not shown."""

        def set_transfer_postfix_str(self, text: str, refresh: bool = True) -> None:
            """The rate is not shown."""

        def close(self) -> None:
            """Nothing is drawn, so nothing has to be closed."""

        def __enter__(self) -> Any:
            return self

        def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
            self.close()

    return Bar
