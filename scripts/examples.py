"""Draw how every bundled model answers the project's own pictures, for its README: `python scripts/examples.py`.

Writes `checkpoints/NAME/examples.webp` and the words beside it; what is not on the picture is called wrong.
"""

import colorsys
import re
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import playground as pg
from playground.models import catalogue
from playground.models.card import Card
from playground.models.labels import labels
from playground.samples import SAMPLES, Sample
from playground.trace import Prediction

SHOWN = {  # what is on each picture, in the models' words
    "lake": ("lake", "mountain", "tower", "sky", "water", "grass"),
    "bus": ("bus", "sky", "grass"),
    "fruit": ("orange", "banana", "lemon"),
    "boat": ("boat", "sky", "water"),
    "shapes": ("disc", "cross", "sky", "water", "grass"),
}
FILE = "examples.webp"
START, END = "<!-- examples: written by scripts/examples.py -->\n", "<!-- /examples -->"
TILE, ROW, PAD = (224, 168), 17, 12  # pixels of a tile, of a line of text, between tiles
INK, GREY, RIGHT, WRONG = "#1a1a1a", "#666666", "#0a6b3d", "#b3261e"


def answered(answer: Prediction) -> dict[str, float]:
    """Return the names that the model gives, with the best score of each, best first."""
    if answer.task == "classification":
        return {answer.classes[0].label: answer.classes[0].score}
    found = answer.segments if answer.task == "panoptic" else answer.boxes
    best: dict[str, float] = {}
    for part in sorted(found, key=lambda part: -part.score):
        best.setdefault(part.label, part.score)
    return best


def words(answer: Prediction, card: Card, there: tuple[str, ...]) -> list[str]:
    """Return the answer as a few short phrases: right and wrong names, doubt, and what was missed."""
    said = answered(answer)
    phrases = [f"{name} {100 * score:.0f} %" + ("" if name in there else " (wrong)") for name, score in said.items()]
    if answer.unsure:
        phrases.append("not sure")
    if answer.task != "classification":
        missed = [name for name in there if name in labels(card) and name not in said]
        phrases += [f"missed: {', '.join(missed)}"] if missed else []
    return phrases or ["nothing"]


def tile(sample: Sample, answer: Prediction, there: tuple[str, ...]) -> Image.Image:
    """Return the picture with its boxes or regions, RGB of TILE."""
    picture = sample.draw().convert("RGB")
    if answer.segment_map is not None:
        picture = painted(picture, answer)
    drawn = Image.new("RGB", TILE, "white")
    scale = min(TILE[0] / picture.width, TILE[1] / picture.height)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    corner = ((TILE[0] - small.width) // 2, (TILE[1] - small.height) // 2)
    drawn.paste(small, corner)
    brush = ImageDraw.Draw(drawn)
    for box in answer.boxes if answer.task == "detection" else ():
        x0, y0, x1, y1 = (scale * side + corner[number % 2] for number, side in enumerate(box.box_xyxy))
        brush.rectangle((x0, y0, x1, y1), outline=RIGHT if box.label in there else WRONG, width=2)
    return drawn


def painted(picture: Image.Image, answer: Prediction) -> Image.Image:
    """Return the picture under its regions, each in a colour of its own."""
    assert answer.segment_map is not None
    colours = np.zeros((int(answer.segment_map.max()) + 1, 3), np.float32)
    for number in range(1, len(colours)):
        colours[number] = 255 * np.array(colorsys.hsv_to_rgb(number * 0.381966 % 1, 0.75, 0.95))
    regions = Image.fromarray(answer.segment_map.astype(np.int32), mode="I").resize(
        picture.size, Image.Resampling.NEAREST
    )
    ids = np.asarray(regions)
    share = np.where(ids > 0, 0.6, 0.0)[..., None]
    mixed = (1 - share) * np.asarray(picture, np.float32) + share * colours[ids]
    return Image.fromarray(mixed.round().astype(np.uint8))


def sheet(card: Card) -> tuple[Image.Image, str]:
    """Return all pictures side by side with the answers below, and the same words as a Markdown table."""
    answers = [pg.predict(sample.draw(), card.name) for sample in SAMPLES]
    phrases = [words(answer, card, SHOWN[sample.name]) for sample, answer in zip(SAMPLES, answers, strict=True)]
    lines = [[(line, phrase) for phrase in one for line in textwrap.wrap(phrase, 34)] for one in phrases]
    wide, high = TILE[0] + PAD, TILE[1] + ROW * (1 + max(map(len, lines))) + 2 * PAD
    drawn = Image.new("RGB", (len(SAMPLES) * wide + PAD, high), "white")
    brush, font = ImageDraw.Draw(drawn), ImageFont.load_default(13)
    rows = ["| picture | answer |", "|---|---|"]
    for number, (sample, answer) in enumerate(zip(SAMPLES, answers, strict=True)):
        left, top = PAD + number * wide, PAD
        drawn.paste(tile(sample, answer, SHOWN[sample.name]), (left, top))
        top += TILE[1] + 4
        brush.text((left, top), sample.title, GREY, font)
        for line, phrase in lines[number]:
            top += ROW
            fill = WRONG if "(wrong)" in phrase or "missed" in phrase else GREY if phrase == "not sure" else INK
            brush.text((left, top), line, fill, font)
        rows.append(f"| {sample.title} | {'; '.join(phrases[number])} |")
    return drawn, "\n".join(rows) + "\n"


def section(table: str) -> str:
    """Return the part of a README that shows the sheet."""
    head = "The project's own drawn pictures, answered by this model:\n\n![What the table below says, on the pictures]"
    return f"{START}{head}({FILE})\n\n{table}{END}\n"


def main() -> None:
    """Write the sheets, and put the words under each README's known failures."""
    for card in catalogue.bundled():
        folder = catalogue.folder_of(card.name)
        drawn, table = sheet(card)
        drawn.save(folder / FILE, quality=88, method=6)
        readme = folder / "README.md"
        text = re.sub(f"{re.escape(START)}.*?{re.escape(END)}\n\n", "", readme.read_text(encoding="utf-8"), flags=re.S)
        before, rest = text.split("## Known failures\n\n")
        readme.write_text(f"{before}## Known failures\n\n{section(table)}\n{rest}", encoding="utf-8")
        print(f"{Path(folder.name) / FILE}: {(folder / FILE).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
