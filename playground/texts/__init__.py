"""What the page says, by key; one module a language."""

from playground.texts import en


def say(key: str, **values: object) -> str:
    """Return the text for `key` with `values` filled in; an unknown key is a fault of ours."""
    return en.TEXTS[key].format(**values)
