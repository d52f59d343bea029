"""`python -m playground compare`: one picture, a folder, files that come out, exit codes; links; any model by name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import picture
from fake_hub import FakeHub
from safetensors.torch import save, save_file
from weight_files import plain

from playground import inference
from playground.__main__ import main
from playground.comparison import folder, records
from playground.comparison.link import State, decode, encode
from playground.comparison.run import compare
from playground.models import catalogue, hub
from playground.models.catalogue import find, search
from playground.models.weights import WeightsError

TINY = "untrained:test_vit,untrained:test_resnet"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    inference.forget()
    yield
    inference.forget()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    picture().rgb.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures, one of them in a folder of its own, one that is none, and a text."""
    place = tmp_path / "photos"
    (place / "more").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.PNG", "more/c.png")):
        picture(seed).rgb.save(place / name, "PNG")
    (place / "broken.jpg").write_bytes(b"\xff\xd8 cut off")
    (place / "notes.txt").write_text("no picture")
    return place


def shell(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["compare", *map(str, arguments)])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err


def test_one_picture_is_printed_as_lines_and_as_json(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shell(capsys, photo, "--models", TINY)
    assert (code, err) == (0, "")
    assert "photo.png" in out and "untrained:test_vit" in out and "ms" in out and "MB" in out
    code, out, _ = shell(capsys, photo, "--models", TINY, "--json", "--no-measure")
    assert code == 0
    found = json.loads(out)
    assert found["version"] == records.VERSION
    assert [row["model"] for row in found["pictures"][0]["rows"]] == TINY.split(",")
    assert all(row["untrained"] and row["latency_ms"] is None for row in found["pictures"][0]["rows"])


def test_a_failing_model_is_said_and_the_exit_code_is_one(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shell(capsys, photo, "--models", "nobody,untrained:test_vit", "--json", "--no-measure")
    assert code == 1
    first, second = json.loads(out)["pictures"][0]["rows"]
    assert "No model is called 'nobody'" in first["failed"] and first["prediction"] is None
    assert second["failed"] == "" and second["prediction"]["classes"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--models", " ,"), "at least one model"),
        (("--models", "a,b,c,d,e,f,g"), "At most 6"),
        (("--models", "everyday-vit,everyday-vit"), "twice"),
        (("--models", TINY, "--out", "report.pdf"), "end in .html or .json"),
        (("--models", TINY, "--out", "/nowhere/at/all/report.html"), "cannot be written"),
        (("--models", TINY, "--record", "/nowhere/at/all/r.jsonl"), "record cannot be written"),
        (("--models", TINY, "--at", "1,b"), "--at as X,Y"),
        (("--models", TINY, "--at", "5000,5"), "outside the picture"),
        (("--models", "file:weights.safetensors"), "file:PATH@ARCHITECTURE"),
    ],
)
def test_bad_input_is_one_sentence_and_the_exit_code_two(
    arguments: tuple[str, ...], said: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = shell(capsys, photo, *arguments)
    assert (code, out) == (2, "")
    assert re.search(said, err) and len(err.strip().splitlines()) == 1
    assert "/nowhere" not in err


def test_unreadable_pictures_and_empty_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"nothing")
    assert shell(capsys, broken, "--models", TINY)[0] == 2
    assert shell(capsys, tmp_path / "absent.jpg", "--models", TINY)[0] == 2
    (tmp_path / "empty").mkdir()
    code, _, err = shell(capsys, tmp_path / "empty", "--models", TINY)
    assert code == 2 and "no pictures in this folder" in err


def test_a_folder_lists_unreadable_files_at_the_end_and_says_so_by_its_exit_code(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    code, _, err = shell(capsys, photos, "--models", TINY, "--no-measure", "--out", out)
    assert code == 1
    assert err.strip().splitlines()[-1].startswith("broken.jpg: ") and "notes.txt" not in err
    found = json.loads(out.read_text())
    assert [p["picture"] for p in found["pictures"]] == ["a.png", "b.PNG", "more/c.png"]
    assert [file["picture"] for file in found["unreadable"]] == ["broken.jpg"]
    (ranking,) = found["ranking"]
    gaps = [entry["disagreement"] for entry in ranking["pictures"]]
    assert len(gaps) == 3 and gaps == sorted(gaps, reverse=True)
    assert len((tmp_path / "report.jsonl").read_text().splitlines()) == 4


def test_a_stopped_run_goes_on_where_it_stopped(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, asked = tmp_path / "r.jsonl", []

    def counted(picture: Any, *rest: Any) -> Any:
        asked.append(1)
        return compare(picture, *rest)

    monkeypatch.setattr(folder, "compare", counted)
    names, found = TINY.split(","), folder.pictures_in(photos)
    stopped = folder.over(found, names, record, measure=False, cancelled=lambda: len(asked) == 2)
    assert not stopped.whole and len(asked) == 2
    with record.open("ab") as file:
        file.write(b'{"mark": [1, 2], "entry": {"pict')  # the machine went off in the middle of a line
    done = folder.over(found, names, record, measure=False)
    assert done.whole and len(done.pictures) == 3
    kept = len(stopped.pictures)
    assert len(asked) == 2 + 3 - kept and kept >= 1
    assert done.pictures[:kept] == stopped.pictures
    again = folder.over(found, names, record, measure=False)
    assert again.pictures == done.pictures and len(asked) == 5 - kept
    picture(9).rgb.save(photos / "a.png")  # another picture of the same name is asked again
    assert folder.over(found, names, record, measure=False).pictures[0] != done.pictures[0]
    with pytest.raises(ValueError, match="of other models"):
        folder.over(found, names[:1], record)
    record.write_text("something else\n")
    with pytest.raises(ValueError, match="no record"):
        folder.over(found, names, record)


def test_several_files_of_one_name_are_told_apart(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(5).rgb.save(photos / "more" / "a.png")
    given = (photos / "a.png", photos / "more" / "a.png", "--models", "untrained:test_vit", "--no-measure", "--json")
    code, out, _ = shell(capsys, *given)
    assert code == 0
    assert [p["picture"] for p in json.loads(out)["pictures"]] == ["a.png", "a.png (2)"]


# links


def test_a_link_restores_what_it_was_made_of() -> None:
    settings = {"method": "attention", "x": 12.5, "measure": True, "seed": 3, "text": "a b & c=ü/?#"}
    models = ("everyday-vit", "untrained:test_vit", "hf-hub:timm/x.y", "timm/x.y")
    for state in (State(), State("photo-lion", models, "compare", settings), State(settings={"a": -0.5})):
        assert decode(encode(state)) == state
        assert decode("?" + encode(state)) == state
    for bad in (State(picture="../x"), State(models=tuple("abcdefg")), State(settings={"Bad Name": 1})):
        with pytest.raises(ValueError, match="cannot be put into a link"):
            encode(bad)


@pytest.mark.parametrize(
    "query",
    [
        "picture=<script>&tab=No%20Tab&models=../../etc,,%00&s.x=NaN&s.y=1e999&s.z=[1]&s.q=%22<b>%22&s.UP=1",
        "s.x=" + "9" * 3000,
        "x" * 5000,
        "&".join(f"s.a{i}=1" for i in range(500)),
        "%ff%fe=1&=&&&",
        "s.deep=" + "[" * 2000,
    ],
)
def test_what_does_not_belong_into_a_link_is_left_out(query: str) -> None:
    assert decode(query) == State()
    assert decode("picture=photo-lion&tab=x", pictures=("photo-bus",), tabs=("compare",)) == State()


# any model by name


def test_random_weights_are_the_same_for_everyone_and_say_what_they_are() -> None:
    card = find("untrained:test_vit")
    assert (card.source, card.metrics, card.repo) == ("untrained", (), None)
    assert "untrained" in card.title and card.name == "untrained:test_vit"
    first = inference.load(card).state_dict()
    inference.forget()
    torch.rand(3)
    assert all(torch.equal(value, first[name]) for name, value in inference.load(card).state_dict().items())
    for name in ("untrained:detr-resnet-50", "untrained:everyday-vit", "untrained:timm/test_vit.r160_in1k"):
        assert find(find(name).name) == find(name)
        assert find(name).source == "untrained" and find(name).license.startswith("none")


def test_giants_are_not_made_up() -> None:
    with pytest.raises(WeightsError, match="at most 3 GB are made up"):
        inference.load(find("untrained:vit_giant_patch14_224"))


def test_searching_finds_bundled_models_first_and_all_of_timms_classifiers() -> None:
    bundled = catalogue.bundled()[0].name
    assert search(bundled)[0] == bundled
    assert search("")[0] == bundled
    found = search("swin tiny", 40)
    assert "timm/swin_tiny_patch4_window7_224.ms_in1k" in found
    assert found.index("timm/swin_tiny_patch4_window7_224.ms_in1k") < found.index(
        "untrained:swin_tiny_patch4_window7_224"
    )
    assert all(find(name).task == "classification" for name in found)
    assert len(search("vit", 7)) == 7
    assert search("no such thing at all") == search(None)[:0] == ()


CONFIG = {
    "architecture": "test_vit",
    "num_classes": 3,
    "label_names": ["ant", "bat", "cat, tabby"],
    "pretrained_cfg": {"input_size": [3, 160, 160], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.95,
                       "interpolation": "bicubic", "crop_mode": "border", "license": "mit"},
}  # fmt: skip


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    from playground.models.any_name import from_repository

    from_repository.cache_clear()
    with FakeHub() as server:
        monkeypatch.setattr(hub, "ENDPOINT", server.url)
        monkeypatch.setattr(hub, "CACHE", tmp_path / "cache")
        yield server
    from_repository.cache_clear()


def test_any_repository_of_a_timm_model_can_be_asked(served: FakeHub, photo: Path) -> None:
    served.put("someone/my-vit", json.dumps(CONFIG).encode(), "config.json")
    served.put("someone/my-vit", save(plain("test_vit", num_classes=3).state_dict()))
    card = find("hf-hub:someone/my-vit")
    assert (card.labels, card.license, card.task) == (("ant", "bat", "cat"), "mit", "classification")
    assert card.preprocess is not None and card.preprocess.rule == "border"
    (row,) = compare(picture(), ["hf-hub:someone/my-vit"], measure=False)
    assert row.failed == "" and row.prediction is not None
    assert {entry.label for entry in row.prediction.classes} == {"ant", "bat", "cat"}
    asked = len(served.asked)
    assert find("hf-hub:someone/my-vit") is card and len(served.asked) == asked


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"architecture": "not_of_timm"}, "not a model of timm"),
        ({"model_args": {"checkpoint_path": "/etc/passwd"}}, "not built here"),
        ({"model_args": {"depth": 10**9}}, "not built here"),
        ({"model_args": [1]}, "not built here"),
        ({"num_classes": -1}, "number of classes"),
        ({"num_classes": 2.5}, "number of classes"),
        ({"pretrained_cfg": {"input_size": [3, 10**6, 10**6]}}, "of a size"),
        ({"pretrained_cfg": {"std": [0, 0, 0]}}, "no sound way"),
        ({"pretrained_cfg": {"mean": "x"}}, "no sound way"),
        (None, "cannot be read"),
    ],
)
def test_a_repository_that_asks_for_something_else_is_refused(changed: Any, said: str, served: FakeHub) -> None:
    content = b"<html>" if changed is None else json.dumps({**CONFIG, **changed}).encode()
    served.put("someone/bad", content, "config.json")
    with pytest.raises(ValueError, match=said) as error:
        find("hf-hub:someone/bad")
    assert "http" not in str(error.value) and len(str(error.value)) < 200


def test_a_file_of_ones_own_is_compared_under_its_name(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my weights.safetensors"
    save_file(plain("test_vit").state_dict(), path)
    names = f"file:{path}@timm/test_vit.r160_in1k,untrained:test_vit"
    code, out, _ = shell(capsys, photo, "--models", names, "--json", "--no-measure")
    assert code == 0
    first = json.loads(out)["pictures"][0]["rows"][0]
    assert (first["model"], first["source"], first["failed"]) == ("my-weights", "local", "")
    code, out, _ = shell(capsys, photo, "--models", f"file:{tmp_path}/absent.safetensors@test_vit", "--json")
    assert code == 1 and str(tmp_path) not in out
