"""The report: one file that fetches nothing, every number under its name in JSON, foreign text shown as text."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comparing import picture
from hand_made import BOXES, CLASSES, NASTY, SIZE, answer, photo

from playground.comparison import records
from playground.comparison.places import maps_at
from playground.comparison.rows import Row
from playground.comparison.run import compare
from playground.models.card import Metric
from playground.report import page

CHROMIUM = Path("/usr/bin/chromium")
METRIC = Metric("top-1", 43.7, "%", "Everyday, validation part", "measured here")
ROWS = (
    Row("m", "Slow one", "vit", "classification", "bundled", answer(model="m", classes=CLASSES), parameters=86_567_656,
        macs=17_600_000_000, size=(224, 224), latency_ms=123.4, runs=9, peak_memory_mb=350.0, device="CPU",
        metrics=(METRIC,), licence="apache-2.0"),
    Row("n", NASTY, "timm", "classification", "untrained", answer(model="n", classes=CLASSES[:2]), parameters=1_500,
        latency_ms=9.5, runs=3, device="CPU", untrained=True, missing="No attention here.", licence="none"),
    Row("d", "Finder", "detr", "detection", "hub", answer("detection", model="d", boxes=BOXES), published=METRIC),
    Row("x", "Broken", failed="The weights file is damaged."),
)  # fmt: skip


def whole(*names: str, unreadable: dict[str, str] | None = None) -> dict[str, Any]:
    pictures = [records.of_picture(name, ROWS) for name in names]
    return records.whole([row.model for row in ROWS], pictures, unreadable or {})


def html(*names: str) -> str:
    return page.as_html(whole(*names, unreadable={NASTY: "damaged"}), lambda name: photo(*SIZE))


def test_the_json_has_every_number_under_its_name_and_survives_a_round_trip() -> None:
    found = whole("a.jpg", unreadable={"b.jpg": "damaged"})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {"version", "models", "pictures", "unreadable", "ranking"}
    (entry,) = found["pictures"]
    assert set(entry) == {"picture", "rows", "agreement"}
    kinds = {
        "model": str, "title": str, "family": str, "task": str, "source": str, "failed": str, "missing": str,
        "parameters": int, "macs": int, "size": list, "latency_ms": float, "runs": int, "peak_memory_mb": float,
        "device": str, "metrics": list, "published": dict, "licence": str, "untrained": bool, "prediction": dict,
    }  # fmt: skip
    for row in entry["rows"]:
        assert set(row) == set(kinds)
        for name, kind in kinds.items():
            assert row[name] is None or isinstance(row[name], kind), name
    assert entry["rows"][0]["metrics"][0] == {
        "name": "top-1", "value": 43.7, "unit": "%", "dataset": "Everyday, validation part", "source": "measured here",
    }  # fmt: skip
    assert entry["rows"][2]["prediction"]["boxes"][0]["box_xyxy"] == list(BOXES[0].box_xyxy)
    values = {(pair["a"], pair["b"]): pair["value"] for pair in entry["agreement"]}
    assert set(values) == {("m", "n"), ("m", "d"), ("n", "d")}
    assert values["m", "n"] is not None and values["m", "d"] is None
    assert found["ranking"][0]["pictures"] == [{"picture": "a.jpg", "disagreement": 1 - values["m", "n"]}]


def test_a_thousand_classes_leave_as_ten() -> None:
    many = tuple(replace(CLASSES[0], index=i) for i in range(1000))
    assert len(records.of_prediction(answer(classes=many))["classes"]) == records.CLASSES


@pytest.mark.parametrize("names", [("a.jpg",), ("a.jpg", "b.jpg", "c.jpg"), ()])
def test_the_page_names_no_outside_address_and_shows_foreign_text_as_text(names: tuple[str, ...]) -> None:
    text = html(*names)
    plain = re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"(?i)https?:|(src|href)\s*=\s*[\"']?//|@import|url\((?!\))", plain)
    assert "default-src 'none'" in plain
    assert NASTY not in text and "onerror=alert(1)&gt;" in text
    assert len(plain) < 300_000
    if names:
        assert "untrained: random weights" in text and "The weights file is damaged." in text


def test_a_picture_stands_in_the_file_once_however_often_it_is_drawn() -> None:
    assert html("a.jpg").count("data:image/webp") == 1


def test_no_picture_and_no_maps_still_make_a_page() -> None:
    text = page.as_html(whole("gone.jpg"), lambda name: None)
    assert "gone.jpg" in text and "data:image" not in text


def test_a_real_comparison_with_maps_is_small() -> None:
    names = ["untrained:test_vit", "untrained:test_resnet"]
    rows = list(compare(picture(), names, measure=False))
    found = records.whole(names, [records.of_picture("a.png", rows)], {})
    asked = page.Asked(maps_at(picture(), names, (50.0, 30.0)), (50.0, 30.0), "attention")
    text = page.as_html(found, lambda name: picture().rgb, asked)
    assert text.count("data:image/png") == 1  # the vision transformer's; the other says that it has none
    assert "no attention" in text and "times an even spread" in text
    assert len(text) < 300_000


def test_the_page_opens_from_disk_sorts_and_asks_nobody(tmp_path: Path) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -r requirements-dev.txt")
        if not CHROMIUM.exists():
            pytest.skip("needs Debian's Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(html("a.jpg"), encoding="utf-8")
    asked: list[str] = []
    faults: list[str] = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        for width in (1200, 390):
            tab = browser.new_page(viewport={"width": width, "height": 800})
            tab.on("request", lambda request: asked.append(request.url))
            tab.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
            tab.on("pageerror", lambda error: faults.append(str(error)))
            tab.goto(path.as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            titles = "[...document.querySelector('table').tBodies[0].rows].map(r => r.cells[0].firstChild.data)"
            tab.click("table[data-name=models] th:nth-child(6) button")
            assert tab.evaluate(titles)[:2] == [NASTY, "Slow one"]  # by time, the quick one first, what is unknown last
            tab.click("table[data-name=models] th:nth-child(6) button")
            assert tab.evaluate(titles)[:2] == ["Slow one", NASTY]
            with tab.expect_download() as saved:
                tab.click("table[data-name=models] >> xpath=../following-sibling::p[1]//button")
            lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
            assert len(lines) == 1 + len(ROWS) and '"86567656"' in lines[1]
        browser.close()
    assert faults == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
