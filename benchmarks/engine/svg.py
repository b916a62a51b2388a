"""Charts as SVG text: lines, steps and bars, readable on a light and on a dark page, without a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 40, 52

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-size: 14px; font-weight: 600 }
.grid { stroke: #ddd } .axis { stroke: #888 } .must { stroke: #c0392b; stroke-dasharray: 5 4 }
.c0 { stroke: #1f6feb; fill: #1f6feb } .c1 { stroke: #d9730d; fill: #d9730d }
.c2 { stroke: #2e8540; fill: #2e8540 } .c3 { stroke: #8250df; fill: #8250df }
.line { fill: none; stroke-width: 2 } .bar { stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #ccc } .grid { stroke: #3a3a3a } .must { stroke: #ff7b72 }
  .c0 { stroke: #58a6ff; fill: #58a6ff } .c1 { stroke: #f0a050; fill: #f0a050 }
  .c2 { stroke: #56d364; fill: #56d364 } .c3 { stroke: #bc8cff; fill: #bc8cff }
}
"""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its words with the unit, from where to where, and whether each step doubles."""

    label: str
    low: float
    high: float
    doubling: bool = False

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1."""
        if self.doubling:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round numbers to write beside it."""
        if self.doubling:
            steps = round(math.log2(self.high / self.low))
            return [self.low * 2**step for step in range(steps + 1)]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 2))
        while (self.high - self.low) / step > 6:
            step *= 2 if (self.high - self.low) / step <= 12 else 2.5
        first = math.ceil(self.low / step)
        return [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass
class Chart:
    """A chart that is being drawn.

    Attributes:
        title: What it shows.
        x: The axis below; None where it has named bars instead.
        y: The axis at the left.
    """

    title: str
    x: Axis | None
    y: Axis
    _body: list[str] = field(default_factory=list)
    _legend: list[str] = field(default_factory=list)

    def line(self, points: Sequence[tuple[float, float]], name: str, *, dots: bool = True) -> None:
        """A line through points."""
        colour = f"c{len(self._legend) % 4}"
        path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
        self._body.append(f'<polyline class="line {colour}" style="fill:none" points="{path}"/>')
        if dots:
            self._body += [
                f'<circle class="{colour}" cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="3"/>' for x, y in points
            ]
        self._legend.append(name)

    def must(self, *, x: float | None = None, y: float | None = None) -> None:
        """A bar to be reached: a dashed line across, or up."""
        if y is not None:
            self._segment("must", LEFT, self._y(y), WIDTH - RIGHT, self._y(y))
        if x is not None:
            self._segment("must", self._x(x), TOP, self._x(x), HEIGHT - BOTTOM)

    def bars(self, groups: Sequence[str], series: dict[str, Sequence[float]]) -> None:
        """Bars side by side for each group; a group's name may have lines, separated by a newline."""
        slot = (WIDTH - LEFT - RIGHT) / len(groups)
        width = slot * 0.76 / len(series)
        for index, (name, values) in enumerate(series.items()):
            for place, value in enumerate(values):
                left = LEFT + place * slot + slot * 0.12 + index * width
                top = self._y(value)
                self._body.append(
                    f'<rect class="bar c{index % 4}" style="stroke:none" x="{left:.1f}" y="{top:.1f}" '
                    f'width="{width * 0.92:.1f}" height="{HEIGHT - BOTTOM - top:.1f}">'
                    f"<title>{escape(name)}: {value:.4g}</title></rect>"
                )
            self._legend.append(name)
        for place, name in enumerate(groups):
            for number, words in enumerate(name.split("\n")):
                middle = LEFT + (place + 0.5) * slot
                self._body.append(_text(words, middle, HEIGHT - BOTTOM + 16 + 14 * number, "middle"))

    def render(self) -> str:
        """The whole picture."""
        ground: list[str] = []
        for tick in self.y.ticks():
            at = self._y(tick)
            ground.append(f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
            ground.append(_text(f"{tick:,.6g}", LEFT - 6, at + 4, "end"))
        if self.x:
            ground += [_text(f"{t:,.6g}", self._x(t), HEIGHT - BOTTOM + 16, "middle") for t in self.x.ticks()]
            ground.append(_text(self.x.label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "middle"))
        middle = (TOP + HEIGHT - BOTTOM) / 2
        turned = f'<text transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        ground.append(f"{turned}{escape(self.y.label)}</text>")
        frame = f'<path class="axis" style="fill:none" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>'
        names = "".join(self._named(index, name) for index, name in enumerate(self._legend))
        title = f'<text class="title" x="{LEFT}" y="18">{escape(self.title)}</text>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style>\n"
            + "\n".join([title, *ground, frame, *self._body, names])
            + "\n</svg>\n"
        )

    def _named(self, index: int, name: str) -> str:
        """One entry of the legend, at the right above the chart; the title is left of it."""
        at = WIDTH - RIGHT - 110 * (len(self._legend) - index)
        square = f'<rect class="bar c{index % 4}" style="stroke:none" x="{at}" y="25" width="10" height="10"/>'
        return square + _text(name, at + 14, 34, "start")

    def _segment(self, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
        self._body.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def _x(self, value: float) -> float:
        assert self.x
        return LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.y.share(value) * (HEIGHT - TOP - BOTTOM)


def _text(words: str, x: float, y: float, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
