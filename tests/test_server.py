"""The running server as programs meet it: through gradio_client, and as raw HTTP with every wrong value."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio.media import MEDIA_ROOT
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import playground as pg
from playground.models import catalogue

LION = Path(MEDIA_ROOT) / "images" / "lion.jpg"
BUNDLED = catalogue.bundled()
CLASSIFIER = next((card.name for card in BUNDLED if card.task == "classification"), "")
DETECTOR = next((card.name for card in BUNDLED if card.task == "detection"), "")
NAN = json.loads("NaN")


@pytest.fixture(scope="module")
def client(page: str) -> Client:
    return Client(page, verbose=False)


@pytest.fixture(scope="module")
def http(page: str) -> httpx.Client:
    return httpx.Client(base_url=page, timeout=60)


@pytest.fixture(scope="module")
def uploaded(http: httpx.Client) -> dict[str, Any]:
    answered = http.post("/gradio_api/upload", files={"files": ("lion.jpg", LION.read_bytes())})
    return {"path": answered.json()[0], "meta": {"_type": "gradio.FileData"}}


def call(http: httpx.Client, name: str, data: Any) -> tuple[str, Any]:
    """Call an endpoint with raw JSON; ("complete" or "error", what came with it)."""
    body = json.dumps({"data": data})
    begun = http.post(f"/gradio_api/call/{name}", content=body, headers={"content-type": "application/json"})
    assert begun.status_code == 200, begun.text
    events = http.get(f"/gradio_api/call/{name}/{begun.json()['event_id']}").text.strip().splitlines()
    last = [line for line in events if line.startswith("event: ")][-1].removeprefix("event: ")
    return last, json.loads(next(line for line in reversed(events) if line.startswith("data: ")).removeprefix("data: "))


def test_the_api_lists_its_verbs_with_named_and_described_parameters(client: Client) -> None:
    listed = client.view_api(return_format="dict", print_info=False)
    assert set(listed["named_endpoints"]) == {"/predict", "/compare", "/embed", "/models"}
    assert not listed["unnamed_endpoints"]
    parameters = listed["named_endpoints"]["/predict"]["parameters"]
    assert [p["parameter_name"] for p in parameters] == ["image", "model", "top_k", "threshold"]
    assert [p["parameter_has_default"] for p in parameters] == [False, False, True, True]


def test_models_are_compared_and_a_wrong_name_fills_its_own_row(client: Client) -> None:
    answer = client.predict(handle_file(LION), [CLASSIFIER, "nobody", "untrained:test_vit"], api_name="/compare")
    first, second, third = answer["rows"]
    assert first["model"] == CLASSIFIER and first["prediction"]["classes"] and first["latency_ms"] > 0
    assert "No model is called 'nobody'" in second["failed"]
    assert third["untrained"] and third["failed"] == ""
    assert [(pair["a"], pair["b"]) for pair in answer["agreement"]] == [(CLASSIFIER, "untrained:test_vit")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([[], True], "at least one"),
        (["everyday-vit", True], "list of names"),
        ([{"a": 1}, True], "list of names"),
        ([["a", "a"], "yes"], "true or false"),
        ([[str(i) for i in range(9)], True], "At most"),
        ([[None, 3], True], None),
    ],
)
def test_wrong_lists_of_models_get_a_sentence(http: httpx.Client, uploaded: Any, given: Any, said: str | None) -> None:
    kind, answer = call(http, "compare", [uploaded, *given])
    if said is None:  # each wrong name has its own row
        assert kind == "complete" and all("by its name" in row["failed"] for row in answer[0]["rows"])
    else:
        assert kind == "error" and said in json.dumps(answer)


def test_models_are_listed_as_the_catalogue_has_them(client: Client) -> None:
    assert [card["name"] for card in client.predict(api_name="/models")] == list(catalogue.names())


def test_a_classifier_answers_over_the_network(client: Client) -> None:
    answer = client.predict(handle_file(LION), CLASSIFIER, 3, api_name="/predict")
    assert (answer["task"], len(answer["classes"]), answer["boxes"]) == ("classification", 3, [])
    scores = [found["score"] for found in answer["classes"]]
    assert scores == sorted(scores, reverse=True)
    assert 0 < sum(scores) <= 1 + 1e-6
    assert answer["seconds"] > 0


def test_tokens_over_the_network_are_those_of_python(client: Client) -> None:
    answer = client.predict(handle_file(LION), CLASSIFIER, 0, api_name="/embed")
    found = pg.embed(LION, CLASSIFIER, 0)
    values = np.frombuffer(base64.b64decode(answer["values"]), "<f4").reshape(-1, answer["width"])
    assert answer["layers"][0] == answer["name"] == found.name and tuple(answer["grid"]) == found.grid
    assert tuple(answer["prefix"]) == found.prefix
    assert np.allclose(values, np.concatenate([found.prefix_values, found.values]), atol=1e-4)
    with pytest.raises(AppError, match="layer must be a whole number from -"):
        client.predict(handle_file(LION), CLASSIFIER, 99, api_name="/embed")


def test_a_detector_answers_with_boxes_in_pixels_of_the_upload(client: Client) -> None:
    answer = client.predict(handle_file(LION), DETECTOR, threshold=0, api_name="/predict")
    assert answer["task"] == "detection"
    width, height = answer["picture_size"]
    assert answer["boxes"]
    for box in answer["boxes"]:
        left, top, right, bottom = box["box_xyxy"]
        assert 0 <= left <= right <= width
        assert 0 <= top <= bottom <= height


WRONG = [
    (
        "top_k",
        2,
        [0, -1, 2.5, NAN, 1e400, "5", None, [1], {}, True, 10**9],
        "top_k must be a whole number from 1 to 1000",
    ),
    ("threshold", 3, [-0.1, 1.5, NAN, "0.5", [1], {}, False], "threshold must be a number from 0 to 1"),
    ("model", 1, ["", "no-such", "../../etc/passwd", "http://x/y", "a/b/c", "%2e%2e", "\\", ["vit"], None, {}], "odel"),
]


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [pytest.param(place, v, text, id=f"{name}={v!r:.20}") for name, place, values, text in WRONG for v in values],
)
def test_every_wrong_value_gets_one_sentence(
    http: httpx.Client, uploaded: dict[str, Any], place: int, value: Any, sentence: str
) -> None:
    data = [uploaded, CLASSIFIER, 3, 0.5]
    data[place] = value
    event, said = call(http, "predict", data)
    assert event == "error"
    assert sentence in said["error"]
    assert len(said["error"]) < 300
    assert "Traceback" not in said["error"]


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (None, "Choose a picture first."),
        ({"path": "http://127.0.0.1:1/a.png", "meta": {"_type": "gradio.FileData"}}, "as a file, not as a web address"),
    ],
)
def test_without_a_picture_there_is_a_sentence(http: httpx.Client, picture: Any, sentence: str) -> None:
    event, said = call(http, "predict", [picture, CLASSIFIER, 3, 0.5])
    assert (event, sentence in said["error"]) == ("error", True)


def test_an_unreadable_file_gets_its_sentence_without_a_path(client: Client, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"this is no picture")
    with pytest.raises(AppError, match="not a picture that can be read") as refused:
        client.predict(handle_file(bad), CLASSIFIER, api_name="/predict")
    assert "/" not in str(refused.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "checkpoints", "data:image/png;base64,AAAA"])
def test_files_of_the_server_cannot_be_named(http: httpx.Client, path: str) -> None:
    event, said = call(http, "predict", [{"path": path, "meta": {"_type": "gradio.FileData"}}, CLASSIFIER, 3, 0.5])
    assert event == "error"
    assert "root:" not in json.dumps(said)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/gradio_api/call/predict", b"{", 422),
        ("/gradio_api/call/predict", b"{}", 422),
        ("/gradio_api/call/predict", b"[" * 20_000, 422),
        ("/gradio_api/call/predict", b'{"data": ["' + b"x" * 2_000_000 + b'"]}', 413),
        ("/gradio_api/queue/join", b'{"data": ["' + b"x" * 2_000_000 + b'"]}', 413),
        ("/gradio_api/call/nothing", b'{"data": []}', 404),
        ("/gradio_api/run/nothing", b'{"data": []}', 404),
        ("/gradio_api/run/predict", b'{"data": [], "fn_index": 9999}', 404),
        ("/gradio_api/queue/join", b'{"data": [], "fn_index": 9999, "session_hash": "x"}', 404),
        ("/nothing", b"", 404),
    ],
)
def test_malformed_requests_are_4xx_in_one_line(http: httpx.Client, path: str, body: bytes, status: int) -> None:
    answered = http.post(path, content=body, headers={"content-type": "application/json"})
    assert 400 <= answered.status_code < 500
    assert answered.status_code == status or status == 422
    assert "Traceback" not in answered.text
    assert len(answered.text) < 2_000


def test_an_upload_larger_than_20_mb_is_refused(http: httpx.Client) -> None:
    answered = http.post("/gradio_api/upload", files={"files": ("big.png", b"\0" * 21_000_000)})
    assert answered.status_code == 413


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/nothing"])
def test_every_response_is_guarded(http: httpx.Client, path: str) -> None:
    headers = http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["gradio_api/file=/etc/passwd", "gradio_api/file=http://127.0.0.1:1/x", "monitoring"])
def test_what_visitors_have_no_business_with_is_closed(http: httpx.Client, path: str) -> None:
    answered = http.get(f"/{path}")
    assert answered.status_code in (401, 403, 404)
    assert "root:" not in answered.text


def test_plotly_is_served_by_us_compressed_and_kept(http: httpx.Client) -> None:
    page = http.get("/config").text
    address = page[page.index("plotly/") : page.index("plotly.min.js")] + "plotly.min.js"
    answered = http.get(f"/{address}")
    assert answered.headers["content-encoding"] == "gzip"
    assert "immutable" in answered.headers["cache-control"]
    assert "plotly.js v" in answered.text[:300]


def test_examples_have_thumbnails(http: httpx.Client) -> None:
    assert http.get("/examples/photo-lion.webp").headers["content-type"] == "image/webp"
    assert http.get("/examples/nothing.webp").status_code == 404


def test_it_still_answers_after_all_this(client: Client) -> None:
    started = time.monotonic()
    assert client.predict(handle_file(LION), CLASSIFIER, api_name="/predict")["classes"]
    assert time.monotonic() - started < 30
