"""Which questions of a page are without an answer, as the page itself hears it.

The end of the queue's stream (`queue/data`) does not tell: where a busy page reads its last answer before it has read
that the question was taken, Gradio's client opens one stream more, and that one stays open with nothing to bring.
"""

from playwright.sync_api import Page

# A question is open from when it is sent until it is refused, or answered at once, or its number is called on a stream.
WATCH = r"""(() => {
  const open = new Map(), answered = new Set(), send = window.fetch;
  const hear = (said) => { if (said.msg === 'process_completed') answered.add(said.event_id); };
  const listening = () => {
    const text = new TextDecoder();
    let rest = '';
    return new TransformStream({ transform(chunk, on) {
      const lines = (rest + text.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop();
      lines.filter((line) => line.startsWith('data:')).forEach((line) => hear(JSON.parse(line.slice(5))));
      on.enqueue(chunk);
    } });
  };
  window.fetch = (...given) => {
    const sent = send(...given), [, path] = String(given[0].url ?? given[0]).split('/gradio_api/');
    if (path?.startsWith('queue/data'))
      return sent.then((reply) => new Response(reply.body.pipeThrough(listening()), reply));
    if (/^(queue\/join|run\/)/.test(path)) {
      const mark = Symbol(), words = `${path} ${/"fn_index":\d+/.exec(given[1]?.body) ?? ''}`;
      open.set(mark, words);
      sent.then((reply) => reply.clone().json()).then((taken) => taken.event_id && open.set(taken.event_id, words))
        .catch(() => {}).finally(() => open.delete(mark));
    }
    return sent;
  };
  window.unanswered = () => [...open].filter(([number]) => !answered.has(number)).map(([, words]) => words);
})()"""


def watch(tab: Page) -> None:
    """Have the pages that this tab opens from now on keep count of their questions."""
    tab.add_init_script(WATCH)


def unanswered(tab: Page) -> list[str]:
    """Return what the page has asked and got no answer to: path and number of the handler."""
    return list(tab.evaluate("unanswered()"))
