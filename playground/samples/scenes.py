"""The scenes themselves, seeded: the same pixels in every run."""

import math

import numpy as np
from PIL import Image

from playground.samples.brush import (
    HEIGHT,
    SCALE,
    WIDTH,
    Canvas,
    Colour,
    Points,
    Shape,
    box,
    ellipse,
    ellipses,
    line,
    mixed,
    polygon,
    vertical,
)


def _ridge(rng: np.random.Generator, base: float, height: float, roughness: float) -> np.ndarray:
    """The outline of a mountain range, one height per final pixel: midpoints shifted again and again."""
    line = rng.uniform(0.2, 1.0, 6)
    spread = roughness
    while line.size < WIDTH + 1:
        middle = (line[:-1] + line[1:]) / 2 + rng.normal(0, spread, line.size - 1)
        line = np.stack([np.append(middle, 0), np.roll(line, -1)], axis=-1).ravel()[:-2]
        line = np.insert(line, 0, line[0])
        spread *= 0.52
    return base - height * np.clip(line[: WIDTH + 1], 0, 1.3)


def _below(outline: np.ndarray, bottom: float) -> Shape:
    points = [(float(x), float(y)) for x, y in enumerate(outline)]
    return polygon([*points, (WIDTH, bottom), (0, bottom)])


def _cloud(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float, colour: Colour = (255, 255, 255)
) -> None:
    puffs = []
    for _ in range(14):
        across, up = rng.normal(0, 0.55), abs(rng.normal(0, 0.16))
        radius = max(size * (0.34 - 0.13 * abs(across)) * rng.uniform(0.7, 1.1), 3)
        puffs.append((x + across * size, y - up * size, radius, radius * 0.72))
    canvas.paint(ellipses(*puffs), colour, 0.85, blur=size * 0.05)


def _ball(canvas: Canvas, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
    """A round body lit from the upper left."""
    body = ellipse(x, y, rx, ry)
    canvas.paint(body, mixed(colour, (40, 10, 0), 0.42))
    for step in range(12):
        share = step / 11
        part = ellipse(x - 0.16 * rx * share, y - 0.18 * ry * share, rx * (1 - 0.62 * share), ry * (1 - 0.62 * share))
        lit = mixed(mixed(colour, (40, 10, 0), 0.42), colour, share**0.7)
        canvas.paint(part.blurred(5 * SCALE).within(body), lit, 0.55)
    canvas.paint(ellipse(x - 0.36 * rx, y - 0.42 * ry, 0.2 * rx, 0.13 * ry).within(body), (255, 255, 255), 0.65, blur=5)


def lake() -> Image.Image:
    """Mountains at a lake in the morning, with a tower on the shore."""
    x: float
    y: float
    rng = np.random.default_rng(11)
    shore = 300.0
    canvas = Canvas((0, (74, 134, 200)), (170, (168, 205, 232)), (270, (250, 226, 200)), (300, (252, 214, 178)))
    canvas.paint(ellipse(470, 232, 26, 26), (255, 246, 214), blur=2)
    canvas.paint(ellipse(470, 232, 90, 90), (255, 236, 190), 0.45, blur=34)
    for x, y, size in ((120, 90, 88), (330, 60, 60), (560, 110, 76)):
        _cloud(canvas, rng, x, y, size)
    for base, height, colour, roughness in (
        (shore, 190, (132, 156, 188), 0.24), (shore + 4, 130, (98, 126, 152), 0.2), (shore + 6, 66, (62, 98, 96), 0.16),
    ):  # fmt: skip
        outline = _ridge(rng, base, height, roughness)
        range_mask = _below(outline, shore)
        canvas.paint(range_mask, colour)
        if height > 150:  # snow above a ragged line
            ragged = np.minimum(outline + 26 + rng.normal(0, 5, WIDTH + 1).cumsum() * 0.25, base - height * 0.5)
            edge = [(float(x), max(float(ragged[x]), float(outline[x]))) for x in range(WIDTH, -1, -1)]
            peaks = [(float(x), float(y)) for x, y in enumerate(outline)]
            canvas.paint(polygon([*peaks, *edge]), (240, 245, 250), 0.9, blur=0.6)
        haze = box(0, base - 60, WIDTH, shore)
        canvas.paint(range_mask.within(haze), (236, 216, 200), 0.25, blur=16)
    for _ in range(90):  # firs along the shore
        x, tall = float(rng.uniform(0, WIDTH)), float(rng.uniform(14, 34))
        green = mixed((28, 62, 48), (52, 92, 60), float(rng.uniform()))
        canvas.paint(polygon([(x - tall * 0.24, shore + 2), (x, shore - tall), (x + tall * 0.24, shore + 2)]), green)
    canvas.paint(ellipses((176, shore, 74, 9), (190, shore - 1, 40, 11)), (70, 104, 58), blur=0.8)
    _tower(canvas, 176, shore - 2)
    _mirror(canvas, rng, shore)
    grass = shore + 150 + 10 * np.sin(np.arange(WIDTH + 1) / 70) - np.arange(WIDTH + 1) * 0.05
    canvas.paint(_below(grass, HEIGHT), (58, 92, 42))
    for _ in range(900):
        x = float(rng.uniform(0, WIDTH))
        y = float(rng.uniform(grass[int(x)], HEIGHT))
        blade = [(x, y), (x + float(rng.normal(0, 3)), y - float(rng.uniform(5, 16)))]
        canvas.paint(line(blade, 1.1), mixed((44, 82, 34), (150, 172, 74), float(rng.uniform())), 0.9)
    return canvas.finished(11)


def _tower(canvas: Canvas, x: float, foot: float) -> None:
    """A round stone tower with battlements, lit from the right."""
    for step in range(24):
        left = x - 22 + step * 44 / 24
        stone = mixed((104, 92, 84), (226, 206, 178), math.sin(math.pi * (0.1 + 0.62 * step / 23)) ** 1.4)
        canvas.paint(box(left, foot - 150, left + 44 / 24 + 0.6, foot), stone)
    canvas.paint(box(x - 28, foot - 164, x + 28, foot - 148), (178, 160, 140))
    for tooth in range(5):
        left = x - 28 + tooth * 12
        canvas.paint(box(left, foot - 174, left + 8, foot - 162), (192, 172, 150))
    for y in range(12, 148, 9):
        canvas.paint(line([(x - 22, foot - y), (x + 22, foot - y)], 0.7), (96, 84, 76), 0.35)
    for y in (122, 84, 46):
        canvas.paint(box(x - 4, foot - y - 9, x + 4, foot - y + 9, 4), (46, 40, 44))
    canvas.paint(box(x - 8, foot - 22, x + 8, foot, 6), (62, 42, 32))


def _mirror(canvas: Canvas, rng: np.random.Generator, shore: float) -> None:
    """Still water below the shore line: what stands above it, upside down, darker and rippled."""
    pixels = np.asarray(canvas.image)
    top, rows = int(shore * SCALE), np.arange(HEIGHT * SCALE - int(shore * SCALE))
    source = np.clip(top - 1 - (rows * 1.15).astype(int), 0, top - 1)
    shift = np.round(np.sin(rows / 5.0 + rng.uniform(0, 6)) * (1 + rows / 60) + rng.normal(0, 0.8, rows.size)).astype(
        int
    )
    columns = (np.arange(WIDTH * SCALE)[None] + shift[:, None]) % (WIDTH * SCALE)
    water = pixels[source[:, None], columns] * 0.72 + np.array([18, 44, 66]) * 0.9
    image = pixels.copy()
    image[top:] = np.clip(water, 0, 255).astype(np.uint8)
    canvas.image = Image.fromarray(image)


def bus() -> Image.Image:
    """A red bus on a road between fields."""
    x: float
    y: float
    size: float
    rng = np.random.default_rng(23)
    canvas = Canvas((0, (88, 152, 220)), (230, (214, 232, 244)), (480, (214, 232, 244)))
    for x, y, size in ((100, 80, 90), (300, 48, 64), (520, 96, 104)):
        _cloud(canvas, rng, x, y, size)
    for base, height, colour in ((262, 60, (128, 160, 140)), (272, 34, (98, 142, 92))):
        canvas.paint(_below(_ridge(rng, base, height, 0.1), 300), colour, blur=0.6)
    canvas.paint(box(0, 268, WIDTH, HEIGHT), vertical(((268, (150, 176, 84)), (480, (84, 130, 50)))))
    for _ in range(16):
        x, size = float(rng.uniform(0, WIDTH)), float(rng.uniform(13, 26))
        canvas.paint(box(x - 1.6, 268 - size * 0.6, x + 1.6, 274), (84, 62, 44))
        for _ in range(9):
            dx, dy = rng.normal(0, 0.4, 2) * size
            leaf = mixed((40, 88, 40), (98, 144, 62), float(rng.uniform()))
            canvas.paint(ellipse(x + dx, 262 - size + dy, size * 0.42, size * 0.4), leaf, blur=1.5)
    canvas.paint(box(0, 352, WIDTH, 446), vertical(((352, (92, 94, 100)), (446, (62, 64, 70)))))
    canvas.paint(box(0, 352, WIDTH, 355), (222, 218, 206))
    canvas.paint(box(0, 441, WIDTH, 446), (222, 218, 206))
    for x in range(-20, WIDTH, 92):
        canvas.paint(polygon([(x, 402), (x + 48, 402), (x + 44, 407), (x - 4, 407)]), (240, 230, 190))
    canvas.paint(ellipse(322, 384, 214, 13), (20, 20, 26), 0.6, blur=6)
    _bus_body(canvas)
    return canvas.finished(23)


def _bus_body(canvas: Canvas) -> None:
    red = ((168, (236, 84, 66)), (250, (206, 40, 38)), (368, (150, 22, 30)))
    canvas.paint(box(126, 168, 520, 368, 20), vertical(red))
    canvas.paint(box(140, 164, 506, 176, 6), (246, 240, 230))
    canvas.paint(box(126, 286, 520, 296), (248, 238, 220))
    canvas.paint(box(126, 352, 520, 368, 6), (70, 24, 28))
    glass = vertical(((190, (46, 78, 104)), (230, (132, 176, 200)), (272, (62, 90, 110))))
    panes = [box(x, 192, x + 52, 272, 7) for x in range(144, 430, 60)]
    panes += [box(452, 192, 512, 282, 9)]
    for pane in panes:
        canvas.paint(pane, glass)
    for x in range(144, 500, 60):  # light crossing the panes
        shine = polygon([(x + 12, 190), (x + 26, 190), (x + 6, 284), (x - 8, 284)])
        for pane in panes:
            canvas.paint(shine.within(pane), (255, 255, 255), 0.28, blur=1)
    canvas.paint(box(392, 300, 440, 354, 4), (120, 18, 26))
    for x in (394, 418):
        canvas.paint(box(x + 2, 304, x + 20, 350, 3), glass)
    canvas.paint(box(150, 306, 378, 338, 5), (246, 206, 92))
    for index in range(6):
        canvas.paint(ellipse(178 + index * 34, 322, 10, 10), mixed((206, 40, 38), (60, 120, 160), index / 5))
    for x in (204, 466):
        canvas.paint(ellipse(x, 368, 36, 36), (34, 20, 24))
        canvas.paint(ellipse(x, 370, 30, 30), (26, 26, 30))
        canvas.paint(ellipse(x, 370, 17, 17), (176, 180, 186))
        canvas.paint(ellipse(x, 370, 12, 12), (112, 116, 124))
        for step in range(6):
            angle = step * math.pi / 3
            canvas.paint(ellipse(x + 8 * math.cos(angle), 370 + 8 * math.sin(angle), 2, 2), (56, 58, 64))
    canvas.paint(ellipse(513, 334, 7, 9), (255, 244, 196))
    canvas.paint(ellipse(513, 334, 16, 18), (255, 244, 196), 0.35, blur=6)
    canvas.paint(box(124, 322, 131, 340, 3), (255, 120, 60))
    canvas.paint(line([(520, 206), (534, 206), (534, 216)], 3), (40, 40, 46))
    canvas.paint(box(529, 214, 540, 240, 4), (40, 40, 46))


def fruit() -> Image.Image:
    """An orange, a banana, a lemon and an apple on a wooden table."""
    x: float
    y: float
    rng = np.random.default_rng(37)
    canvas = Canvas((0, (66, 84, 98)), (250, (138, 150, 152)), (480, (138, 150, 152)))
    canvas.paint(ellipse(150, 90, 230, 150), (214, 214, 200), 0.5, blur=70)
    canvas.paint(box(0, 262, WIDTH, HEIGHT), vertical(((262, (140, 92, 56)), (480, (188, 132, 82)))))
    for _ in range(150):
        x, y = float(rng.uniform(-80, WIDTH)), float(262 + 218 * rng.uniform() ** 0.8)
        long = float(rng.uniform(60, 260))
        bow = [(x + long * t / 8, y + 2.5 * math.sin(t / 8 * math.pi + x)) for t in range(9)]
        canvas.paint(line(bow, 1.4), mixed((96, 58, 34), (216, 160, 106), float(rng.uniform())), 0.5, blur=0.5)
    canvas.paint(line([(0, 263), (WIDTH, 263)], 3), (88, 56, 36), 0.7, blur=1)
    for x, y, rx, ry in ((236, 370, 120, 22), (420, 384, 190, 20), (352, 330, 90, 18), (532, 352, 84, 18)):
        canvas.paint(ellipse(x + 18, y, rx, ry), (40, 22, 14), 0.62, blur=11)
    _ball(canvas, 352, 262, 76, 74, (196, 44, 40))  # the apple
    canvas.paint(ellipse(352, 198, 20, 8), (96, 22, 22), 0.8, blur=4)
    canvas.paint(line([(352, 202), (356, 180), (366, 166)], 5), (82, 56, 34))
    canvas.paint(polygon([(360, 178), (382, 158), (410, 160), (392, 178), (372, 184)]), (84, 138, 58), blur=0.8)
    _ball(canvas, 214, 288, 88, 86, (246, 140, 30))  # the orange
    peel = ellipse(214, 288, 86, 84)
    for _ in range(700):
        angle, away = float(rng.uniform(0, 2 * math.pi)), math.sqrt(float(rng.uniform()))
        pore = ellipse(214 + 84 * away * math.cos(angle), 288 + 82 * away * math.sin(angle), 1.1, 0.9)
        canvas.paint(pore.within(peel), (176, 84, 10), 0.42)
    canvas.paint(ellipse(206, 216, 6, 4), (92, 110, 50))
    _lemon(canvas, 536, 306)
    _banana(canvas)
    return canvas.finished(37)


def _lemon(canvas: Canvas, x: float, y: float) -> None:
    canvas.paint(polygon([(x - 84, y + 2), (x - 62, y - 16), (x - 62, y + 20)]), (214, 176, 32), blur=2)
    canvas.paint(polygon([(x + 88, y - 6), (x + 60, y - 20), (x + 62, y + 16)]), (196, 156, 24), blur=2)
    _ball(canvas, x, y, 74, 52, (250, 216, 56))


def _banana(canvas: Canvas) -> None:
    """A crescent between two arcs, in strips that darken towards its belly."""
    strips = 26
    for strip in range(strips):
        share = strip / (strips - 1)
        light = math.sin(math.pi * (0.22 + 0.7 * share)) ** 0.9
        colour = mixed((142, 98, 14), (255, 224, 84), light)
        points: Points = []
        for lower in (0, 1):
            ends = [(strip + lower * 1.6) / strips - 0.5] * 33
            arc = []
            for step, place in enumerate(ends):
                t = step / 32
                thick = 62 * math.sin(math.pi * min(max(0.06 + 0.88 * t, 0), 1)) ** 0.55
                angle = math.radians(158 - 136 * t)
                radius = 176 + place * thick
                arc.append((430 + radius * 1.12 * math.cos(angle), 226 + radius * 0.84 * math.sin(angle)))
            points += arc if not lower else arc[::-1]
        canvas.paint(polygon(points), colour, blur=0.5)
    canvas.paint(line([(246, 284), (234, 262), (236, 248)], 13), (150, 128, 40))
    canvas.paint(line([(236, 254), (237, 244)], 14), (74, 54, 30))
    canvas.paint(ellipse(612, 282, 8, 9), (66, 48, 28))
    for x, y, size in ((330, 364, 5), (402, 380, 3), (470, 372, 4), (520, 350, 3)):
        canvas.paint(ellipse(x, y, size * 1.6, size * 0.7), (120, 78, 24), 0.6, blur=1)


def boat() -> Image.Image:
    """A sailing boat on the open sea at evening."""
    x: float
    y: float
    size: float
    rng = np.random.default_rng(53)
    sea = 268
    canvas = Canvas((0, (44, 74, 140)), (140, (150, 130, 176)), (220, (246, 170, 128)), (sea, (255, 214, 150)))
    for x, y, size in ((140, 120, 70), (470, 84, 90), (590, 150, 60)):
        _cloud(canvas, rng, x, y, size, (250, 196, 176))
    canvas.paint(ellipse(188, 236, 30, 30), (255, 244, 206), blur=1.5)
    canvas.paint(ellipse(188, 236, 110, 90), (255, 220, 150), 0.5, blur=36)
    water = vertical(((sea, (226, 168, 140)), (sea + 36, (104, 116, 158)), (480, (22, 50, 92))))
    canvas.paint(box(0, sea, WIDTH, HEIGHT), water)
    for _ in range(1500):
        depth = float(rng.uniform()) ** 1.7
        y, x = sea + 3 + depth * 208, float(rng.uniform(-20, WIDTH))
        long, thick = 5 + 46 * depth * float(rng.uniform(0.4, 1)), 0.6 + 2.4 * depth
        glitter = math.exp(-(((x - 188) / (26 + 90 * depth)) ** 2))
        shade = mixed((30, 58, 104), (198, 178, 190), float(rng.uniform()) ** 2)
        crest = [(x, y), (x + long / 2, y - thick), (x + long, y), (x + long / 2, y + thick * 0.4)]
        canvas.paint(polygon(crest), mixed(shade, (255, 226, 160), glitter), 0.25 + 0.5 * glitter)
    canvas.paint(ellipse(418, 372, 120, 12), (14, 26, 52), 0.7, blur=7)
    canvas.paint(line([(418, 352), (418, 92)], 5), (92, 62, 40))
    sail = vertical(((92, (255, 250, 240)), (330, (232, 196, 166))))
    main: Points = [(412 - 118 * math.sin(t / 12 * math.pi / 2), 100 + 222 * t / 12) for t in range(13)]
    canvas.paint(polygon([(412, 100), *main, (412, 326)]), sail)
    jib: Points = [(426, 116), *[(426 + 92 * (t / 12) ** 1.25, 116 + 206 * t / 12) for t in range(13)], (426, 318)]
    canvas.paint(polygon(jib), vertical(((116, (226, 86, 72)), (330, (176, 46, 52)))))
    for t in (0.3, 0.55, 0.8):
        y = 100 + 222 * t
        canvas.paint(line([(412 - 118 * math.sin(t * math.pi / 2), y), (412, y + 6)], 1.2), (190, 160, 140), 0.7)
    hull: Points = [(284, 338), (546, 330), (520, 366), (500, 378), (330, 380), (304, 366)]
    canvas.paint(polygon(hull), vertical(((330, (250, 246, 238)), (356, (214, 206, 200)), (380, (120, 118, 130)))))
    canvas.paint(polygon(hull).within(box(0, 346, WIDTH, 352)), (42, 74, 130))
    canvas.paint(box(376, 318, 470, 336, 6), (164, 112, 72))
    for x in (392, 418, 444):
        canvas.paint(ellipse(x, 327, 6, 5), (60, 84, 110))
    flag: Points = [(418, 92), (448, 84), (418, 76)]
    canvas.paint(polygon(flag), (226, 86, 72))
    for _ in range(70):  # foam along the hull
        x, y, long = float(rng.uniform(290, 530)), 379 + float(rng.normal(0, 3)), float(rng.uniform(3, 12))
        canvas.paint(ellipse(x, y, long, 1.6), (240, 236, 232), 0.5, blur=1)
    for x, y, size in ((96, 110, 13), (130, 92, 10), (270, 132, 9)):
        wings: Points = [(x - size, y - size * 0.4), (x, y), (x + size, y - size * 0.45)]
        canvas.paint(line(wings, 1.8), (56, 56, 84))
    return canvas.finished(53)
