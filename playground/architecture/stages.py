"""A model stage by stage: from the picture to the answer, each stage with its blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from playground.architecture.anatomy import Part, Shape
from playground.architecture.kinds import OWN, Kind, kind, kind_of, walk
from playground.architecture.reach import Mixing, Reach

Role = Literal["stem", "stage", "backbone", "projection", "encoder", "decoder", "masks", "head"]

CONTAINERS = ("Sequential", "ModuleList")
PLAIN = 4  # bare convolutions that make a series of their own
MOST = 0.8  # the share of a module's multiply-adds that a series inside it must do, so that the module is its stages


@dataclass(frozen=True)
class Block:
    """One block of a stage: `part` is all that is known of it."""

    part: Part
    kind: Kind

    @property
    def reach(self) -> Reach | None:
        return self.part.reach


@dataclass(frozen=True)
class Stage:
    """One stage: its `role` in the model, its `number` from 1 among stages of that role, and its blocks in order."""

    role: Role
    number: int
    path: str
    blocks: tuple[Block, ...]

    @property
    def parameters(self) -> int:
        return sum(block.part.parameters for block in self.blocks)

    @property
    def macs(self) -> int:
        return sum(block.part.macs for block in self.blocks)

    @property
    def takes(self) -> Shape:
        """The shape of what goes in, batch axis first; empty where it is not known."""
        return next((block.part.takes[0] for block in self.blocks if block.part.takes), ())

    @property
    def gives(self) -> Shape:
        """The shape of what comes out, batch axis first; empty where it is not known."""
        return next((block.part.gives[-1] for block in reversed(self.blocks) if block.part.gives), ())

    @property
    def attention(self) -> tuple[Mixing, ...]:
        return tuple(mixing for block in self.blocks for mixing in block.part.attention)

    @property
    def reach(self) -> Reach | None:
        """What a position sees of the picture after this stage."""
        return next((block.part.reach for block in reversed(self.blocks) if block.part.reach), None)

    @property
    def kind(self) -> Kind:
        """The kind of most of its work."""
        return max(self.blocks, key=lambda block: (block.part.macs, block.part.parameters)).kind


def stages(model: Part) -> tuple[Stage, ...]:
    """Return the stages of a dissected model, in the order of the pass.

    Every parameter and every multiply-add of the model is in exactly one block of one stage.
    """
    rows = _rows(model)
    trunk = [_is_trunk(row) for row in rows]
    first = trunk.index(True) if any(trunk) else len(rows) - 1
    last = len(rows) - 1 - trunk[::-1].index(True) if any(trunk) else first - 1
    found = [("stem", [part for row in rows[:first] for part in row])]
    found += [(_role(row), row) for row in rows[first : last + 1]]
    after = [part for row in rows[last + 1 :] for part in row]
    while len(found) > 1 and len(found[-1][1]) > 1 and _is_plain(found[-1][1][-1]):  # the norm before the head
        after.insert(0, found[-1][1].pop())
    found += [("masks", [p for p in after if _draws(p)]), ("head", [p for p in after if not _draws(p)])]
    if found[-2][1]:  # boxes are answered before masks are drawn
        found[-2:] = found[:-3:-1]
    _add_rest(model, found)
    counted: dict[str, int] = {}
    made = []
    for role, parts in found:
        if parts:
            counted[role] = counted.get(role, 0) + 1
            blocks = tuple(Block(part, _kind(role, part)) for part in parts)
            made.append(Stage(role, counted[role], _shared_path(parts), blocks))  # type: ignore[arg-type]
    return tuple(made)


def _rows(part: Part) -> list[list[Part]]:
    """Return the series of blocks inside this part; whatever stands alone is a series of one."""
    inside = [p for p in part.parts if p.macs or p.parameters or p.takes[:1] != p.gives[:1]]
    if not any(_is_series(p) for p in inside):
        return [inside]
    rows: list[list[Part]] = []
    for p in inside:
        if _is_series(p):
            rows += _rows(p)
        elif rows and _is_plain(p):  # a norm or a pooling belongs to what it follows
            rows[-1] = [*rows[-1], p]
        else:
            rows.append([p])
    return rows


def _is_series(part: Part) -> bool:
    """Whether the part is a container of blocks, or little more than a module around one."""
    if part.kind in CONTAINERS:
        working = [p for p in part.parts if p.macs]
        return any(p.parts for p in working) or len([p for p in working if "Conv" in p.kind]) >= PLAIN
    held = [p for p in part.parts if _is_series(p)]
    alike: dict[str, list[Part]] = {}
    for p in part.parts:
        if any(inner.parts for inner in p.parts) and "Conv" not in p.kind:
            alike.setdefault(p.kind, []).append(p)
    most = max((sum(p.macs for p in group) for group in alike.values() if len(group) > 1), default=0)
    return part.macs > 0 and max(sum(p.macs for p in held), most) > MOST * part.macs


def _is_trunk(row: Sequence[Part]) -> bool:
    """Whether a series is a stage of the model's body: it attends, convolves over neighbours, or repeats a block."""
    if any(part.attention and not _draws(part) for part in row):
        return True
    if _draws(row[0]) or any(word in f"{row[0].path} {row[0].kind}".lower() for word in ("stem", "embed")):
        return False
    repeated = len([p for p in row if p.parts and p.macs]) > 1
    deep = any(p.parts and p.macs and any("Conv" in q.kind for q in walk(p)) for p in row)
    return repeated or deep or len([p for p in row if "Conv" in p.kind]) >= PLAIN


def _is_plain(part: Part) -> bool:
    return not part.macs and not part.parts


def _draws(part: Part) -> bool:
    return part.kind in ("BoxAttention", "MaskHead")


def _role(row: Sequence[Part]) -> str:
    path = row[0].path
    for role in ("encoder", "decoder", "backbone"):
        if role in path.split("."):
            return role
    return "projection" if not any(part.parts for part in row) and len(row) <= 2 else "stage"


def _kind(role: str, part: Part) -> Kind:
    found = kind_of(part)
    if role == "stem" and found.key == "convolution":
        return kind("stem")
    if role == "head" and found.key in ("linear", "attention", "convolution"):
        return kind("classes")
    return found


def _add_rest(model: Part, found: list[tuple[str, list[Part]]]) -> None:
    """Give what the model holds outside its modules, such as class token and positions, to where it is used."""
    listed = [part for _, parts in found for part in parts]
    macs = model.macs - sum(part.macs for part in listed)
    parameters = model.parameters - sum(part.parameters for part in listed)
    if macs or parameters:
        found[0][1].append(Part(OWN, OWN, parameters, macs))


def _shared_path(parts: Sequence[Part]) -> str:
    paths = [part.path.split(".") for part in parts if part.kind != OWN]
    if len(paths) == 1:
        return ".".join(paths[0])
    shared = []
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return ".".join(shared)
