"""What counts as answered in a page: the count that the browser tests wait by, on a page that answers by rote."""

import json
from collections.abc import Iterator

import pytest
from asking import unanswered, watch
from playwright.sync_api import BrowserContext, Page, Route
from test_browser import chromium, context  # noqa: F401  fixtures

ASK = """(path) => fetch(`/gradio_api/${path}`, { method: 'POST', body: '{"data":[],"fn_index":7}' })
  .then((reply) => reply.text()).catch(() => '')"""
LISTEN = "() => fetch('/gradio_api/queue/data?session_hash=a').then((reply) => reply.text())"
BYTE_BY_BYTE = """window.fetch = async () => new Response(new ReadableStream({ start(on) {
  for (const byte of new TextEncoder().encode(window.told)) on.enqueue(Uint8Array.of(byte));
  on.close();
} }))"""
QUESTION = 'queue/join "fn_index":7'


def said(msg: str, event: str | None = None) -> str:
    """Return a message as the queue's stream brings it."""
    message = {"msg": msg, "event_id": event, "output": {"data": ["é\n\ndata: "]}}
    return f"data: {json.dumps(message, ensure_ascii=False)}\n\n"


class Rote:
    """A server that says what it is told to."""

    def __init__(self) -> None:
        self.stream: str | None = ""  # nothing: it stays open and silent
        self.taken = 200

    def __call__(self, route: Route) -> None:
        if "/queue/data" in route.request.url:
            if self.stream is not None:
                route.fulfill(body=self.stream, content_type="text/event-stream")
        elif "/queue/join" in route.request.url:
            route.fulfill(status=self.taken, json={"event_id": "one"} if self.taken == 200 else {"detail": "full"})
        elif "/run/" in route.request.url:
            route.abort()
        else:
            route.fulfill(body="<p>by rote", content_type="text/html")


@pytest.fixture
def server() -> Rote:
    return Rote()


@pytest.fixture
def tab(context: BrowserContext, server: Rote) -> Iterator[Page]:  # noqa: F811
    opened = context.new_page()
    watch(opened)
    opened.route("**/*", server)
    opened.goto("http://rote.test/")
    yield opened
    opened.close()


def test_a_question_is_open_until_its_own_answer_is_heard(tab: Page, server: Rote) -> None:
    assert unanswered(tab) == []
    tab.evaluate(ASK, "queue/join")
    assert unanswered(tab) == [QUESTION]
    server.stream = said("process_generating", "one") + said("process_completed", "two") + said("close_stream")
    assert tab.evaluate(LISTEN) == server.stream  # the page hears it unchanged
    assert unanswered(tab) == [QUESTION]  # the end of a stream is no answer
    server.stream = said("process_completed", "one")
    tab.evaluate(LISTEN)
    assert unanswered(tab) == []


def test_an_answer_may_come_in_pieces(context: BrowserContext) -> None:  # noqa: F811
    tab = context.new_page()
    tab.add_init_script(BYTE_BY_BYTE)
    watch(tab)
    tab.goto("about:blank")
    tab.evaluate('window.told = \'{"event_id": "one"}\'')
    tab.evaluate(ASK, "queue/join")
    assert unanswered(tab) == [QUESTION]
    tab.evaluate("(told) => { window.told = told; }", told := said("process_completed", "one"))
    assert tab.evaluate(LISTEN) == told
    assert unanswered(tab) == []
    tab.close()


def test_an_answer_may_come_before_word_that_the_question_was_taken(tab: Page, server: Rote) -> None:
    server.stream = said("process_completed", "one") + said("close_stream")
    tab.evaluate(LISTEN)
    tab.evaluate(ASK, "queue/join")
    server.stream = None
    tab.evaluate(f"() => {{ ({LISTEN})(); }}")  # the stream that Gradio's client then leaves open
    assert unanswered(tab) == []


def test_a_question_on_its_way_is_open_and_one_that_was_refused_or_lost_is_not(tab: Page, server: Rote) -> None:
    assert tab.evaluate(f"() => {{ ({ASK})('queue/join'); return unanswered(); }}") == [QUESTION]
    tab.reload()
    server.taken = 503
    tab.evaluate(ASK, "queue/join")
    tab.evaluate(ASK, "run/predict")
    tab.evaluate(ASK, "upload")
    assert unanswered(tab) == []
