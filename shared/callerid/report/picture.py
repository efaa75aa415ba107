"""Who reaches what, as a picture: callers on the left, crossings in the middle, targets on the right.

No light library draws this, so the layout is here: boxes in three columns, a band for each caller, crossing and
target, as wide as the logarithm of its accesses, since sessions make thousands of calls and a crossing one. A
band with findings is dashed and its boxes marked, whatever the colours. Only so many boxes are drawn as can be
read; the rest is one box that says how many they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup
from msgspec import Struct, field

from callerid.ledger.part import CALLS
from callerid.names.short import cut
from callerid.report import names
from callerid.report.callers import key_of, step
from callerid.report.figures import Flow

MOST = (16, 12, 14)
"""Boxes of each column that are drawn, beside the one of the rest."""
_FOR_FINDINGS = 10
"""Of the callers and targets drawn, as many at most stand there for their findings: the rest shows what is usual."""
_WIDTH, _BOX, _HEAD, _PAD = 1100, 282, 38, 4
_GAP, _MOST_GAP = 12, 40
"""Between two boxes; a column of few is spread as far as the second."""
_COLUMNS = (2, (_WIDTH - _BOX) // 2, _WIDTH - _BOX - 2)
_CHARS = 32
"""Characters that fit into a box."""
_SWEEPS = 6
_Key = tuple[str, ...]
_REST = ("rest",)
"""The key of a box of the rest; every other key has more parts."""


class Label(NamedTuple):
    """What a box says: two lines."""

    text: str
    beside: str


class Box(Struct):
    """A caller, crossing or target."""

    label: Label
    number: int = 0
    findings: int = 0
    bands: list[Band] = field(default_factory=list)
    held: set[_Key] = field(default_factory=set)
    """Of the box of the rest: what it stands for."""
    place: float = 0
    y: float = 0
    height: float = 0


class Band(Struct, eq=False):
    """The accesses of one caller through one crossing to one target."""

    boxes: tuple[Box, Box, Box]
    number: int = 0
    findings: int = 0

    @property
    def width(self) -> float:
        """Return how wide it is drawn."""
        return round(2 + 3 * math.log10(max(1, self.number)), 1)


class _Ends(NamedTuple):
    """Names of the three boxes that a flow's accesses of one kind go through, with their labels."""

    keys: tuple[_Key, _Key, _Key]
    labels: tuple[Label, Label, Label]


def picture(flows: Sequence[Flow]) -> Markup:
    """Return the picture as SVG; empty where nothing was judged."""
    bands = _bands(flows)
    if not bands:
        return Markup("")
    layers = [list({id(band.boxes[at]): band.boxes[at] for band in bands}.values()) for at in range(3)]
    _order(layers)
    height = _stack(layers)
    drawn = [_band(band) for band in sorted(bands, key=lambda band: (band.findings > 0, -band.number))]
    boxes = [_box(box, at) for at, layer in enumerate(layers) for box in layer]
    return Markup('<svg class="picture" viewBox="0 0 {} {}" aria-hidden="true">{}{}</svg>').format(
        _WIDTH, math.ceil(height), Markup("").join(drawn), Markup("").join(boxes)
    )


def _bands(flows: Sequence[Flow]) -> list[Band]:
    """Return the bands, each box drawn or counted among the rest."""
    ends = [_ends(flow) for flow in flows]
    drawn = [_chosen(ends, flows, at) for at in range(3)]
    boxes: list[dict[_Key, Box]] = [{}, {}, {}]
    found: dict[tuple[_Key, ...], Band] = {}
    for flow, end in zip(flows, ends, strict=True):
        keys = tuple(key if key in drawn[at] else _REST for at, key in enumerate(end.keys))
        for at, key in enumerate(keys):
            box = boxes[at].setdefault(key, Box(end.labels[at]))
            box.number += flow.total
            box.findings += flow.findings
            if key == _REST:
                box.held.add(end.keys[at])
        band = found.get(keys)
        if band is None:
            first, second, third = (boxes[at][key] for at, key in enumerate(keys))
            band = found[keys] = Band((first, second, third))
            for box in band.boxes:
                box.bands.append(band)
        band.number += flow.total
        band.findings += flow.findings
    return list(found.values())


def _ends(flow: Flow) -> _Ends:
    route = flow.route
    cloud, kind = names.cloud(route.cloud), _kinds(flow.kinds)
    caller = names.who(route.caller or route.who)
    target = names.short(route.target) if route.target else names.Name(step(flow.kinds))
    origin = names.short(route.origin)
    return _Ends(
        (key_of(flow), (route.cloud, kind, route.origin), (route.cloud, route.target or target.text)),
        (
            Label(caller.text, names.whole(route.owner) or "not in the caller book"),
            Label(f"{cloud}: {kind}", f"from {origin.text}" if origin.text else ""),
            Label(target.text, target.place or cloud),
        ),
    )


def _kinds(kinds: Counter[str]) -> str:
    """Return the crossing that a flow made most; the calls of its sessions go with it."""
    most = sorted((kind in CALLS, -number, kind) for kind, number in kinds.items() if number > 0 and kind)
    return most[0][2].replace("-", " ") if most else "call"


def _chosen(ends: Sequence[_Ends], flows: Sequence[Flow], at: int) -> set[_Key]:
    """Return the boxes of a column that are drawn: those with the most findings, then the most frequent."""
    number: Counter[_Key] = Counter()
    findings: Counter[_Key] = Counter()
    for flow, end in zip(flows, ends, strict=True):
        number[end.keys[at]] += flow.total
        findings[end.keys[at]] += flow.findings
    chosen = {key for key, many in findings.most_common(_FOR_FINDINGS) if many}
    for key, _ in number.most_common():
        if len(chosen) >= MOST[at]:
            break
        chosen.add(key)
    return chosen


def _order(layers: list[list[Box]]) -> None:
    """Put boxes beside those that they belong to, so that few bands cross; the rest stands last."""
    layers[0].sort(key=lambda box: (-box.findings, -box.number))
    for sweep in range(_SWEEPS):
        for layer in layers:
            for index, box in enumerate(layer):
                box.place = index / max(1, len(layer) - 1)
        for at in (1, 2) if sweep % 2 == 0 else (1, 0):
            layers[at].sort(key=_pull(at, 1 if at != 1 else (0 if sweep % 2 == 0 else 2)))
            for index, box in enumerate(layers[at]):
                box.place = index / max(1, len(layers[at]) - 1)


def _pull(at: int, other: int) -> Callable[[Box], tuple[bool, float]]:
    def place(box: Box) -> tuple[bool, float]:
        weights = [(band.width, band.boxes[other].place) for band in box.bands if band.boxes[at] is box]
        return bool(box.held), sum(weight * where for weight, where in weights) / sum(weight for weight, _ in weights)

    return place


def _stack(layers: Iterable[list[Box]]) -> float:
    """Give every box its place, columns centred on each other; return the height of all."""
    layers = list(layers)
    for box in (box for layer in layers for box in layer):
        box.height = max(_HEAD + 6, _HEAD / 2 + sum(band.width + _PAD for band in box.bands))
    tallest = max(_height(layer, _GAP) for layer in layers)
    for layer in layers:
        gap = min(_MOST_GAP, _GAP + (tallest - _height(layer, _GAP)) / len(layer))
        y = 2 + (tallest - _height(layer, gap)) / 2
        for box in layer:
            box.y, y = y, y + box.height + gap
    return tallest + 4


def _height(layer: Sequence[Box], gap: float) -> float:
    return sum(box.height for box in layer) + gap * (len(layer) - 1)


def _band(band: Band) -> Markup:
    """Return a band: one line through its three boxes, with what it says as its title."""
    (x1, y1), (x2, y2), (x3, y3) = (
        (_COLUMNS[at] + (_BOX if at == 0 else 0), _port(band, at)) for at in range(3)
    )  # fmt: skip
    out = x2 + _BOX
    path = (
        f"M{x1} {y1:.1f} C{x1 + 70} {y1:.1f} {x2 - 70} {y2:.1f} {x2} {y2:.1f} H{out}"
        f" C{out + 70} {y2:.1f} {x3 - 70} {y3:.1f} {x3} {y3:.1f}"
    )
    who, through, target = (box.label.text if not box.held else _rest(box) for box in band.boxes)
    said = f"{who} → {through} → {target}: {_said(band.number, band.findings)}"
    return Markup('<path class="band{}" d="{}" stroke-width="{}"><title>{}</title></path>').format(
        " finding" if band.findings else "", path, band.width, said
    )


def _port(band: Band, at: int) -> float:
    """Return where a band meets a box: in the order of where the bands come from or go to."""
    box, other = band.boxes[at], 1 if at != 1 else 0
    ordered = sorted(box.bands, key=lambda one: (one.boxes[other].y, one.boxes[2 - at if at != 1 else 2].y))
    before = ordered[: ordered.index(band)]
    used = sum(one.width + _PAD for one in box.bands)
    start = box.y + (box.height - used) / 2
    return start + sum(one.width + _PAD for one in before) + (band.width + _PAD) / 2


def _box(box: Box, at: int) -> Markup:
    label = Label(_rest(box), "") if box.held else box.label
    middle = box.y + box.height / 2
    return Markup(
        '<g class="box{}"><rect x="{}" y="{}" width="{}" height="{}" rx="5"/>'
        '<text x="{}" y="{}">{}</text><text class="beside" x="{}" y="{}">{}</text><title>{}</title></g>'
    ).format(
        " finding" if box.findings else "",
        _COLUMNS[at],
        f"{box.y:.1f}",
        _BOX,
        f"{box.height:.1f}",
        _COLUMNS[at] + 10,
        f"{middle - 4:.1f}",
        cut(label.text, _CHARS),
        _COLUMNS[at] + 10,
        f"{middle + 12:.1f}",
        cut(_short_said(box, label.beside), _CHARS + 6),
        f"{label.text}, {label.beside}: {_said(box.number, box.findings)}",
    )


def _rest(box: Box) -> str:
    return f"and {len(box.held):,} more"


def _short_said(box: Box, beside: str) -> str:
    said = f"▲ {box.findings:,} of {box.number:,}" if box.findings else f"{box.number:,}"
    return f"{said} · {beside}" if beside else said


def _said(number: int, findings: int) -> str:
    accesses = "1 access" if number == 1 else f"{number:,} accesses"
    return f"{accesses}, {findings:,} of them anonymous or unexpected" if findings else accesses
