"""Write the table of bundled models into the README from checkpoints/*/card.json: `python scripts/results.py`."""

from pathlib import Path

from playground.models import catalogue

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- results: written by scripts/results.py from checkpoints/*/card.json -->\n", "<!-- /results -->"


def table() -> str:
    """Return the Markdown table of all bundled cards: size and what each was measured at."""
    lines = ["| model | family | parameters | file | measured |", "|---|---|---|---|---|"]
    for card in catalogue.bundled():
        measured = "; ".join(f"{m.name} {m.value:g} {m.unit}".strip() for m in card.metrics)
        dataset = card.metrics[0].dataset if card.metrics else ""
        lines.append(
            f"| `{card.name}` | {card.family} | {(card.parameters or 0) / 1e6:.2f} M | "
            f"{(card.size_bytes or 0) / 1e6:.1f} MB | {measured} ({dataset}) |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Replace what stands between the two markers of the README."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    README.write_text(before + START + table() + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
