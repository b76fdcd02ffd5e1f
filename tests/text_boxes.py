"""Where each text of a screen stands in a real browser: cut by what is around it, or on another text."""

from itertools import combinations
from typing import NamedTuple

from playwright.sync_api import Page

# Every text that is seen of the screen or of the sheet over it: its box, and what cuts it, if anything does.
TEXTS = """() => {
  const root = document.querySelector(".pane:popover-open") ?? document.querySelector(".fv .screen");
  const inside = (box, frame, slack) => box.left >= frame.left - 1 && box.right <= frame.right + 1 &&
    box.top >= frame.top - slack && box.bottom <= frame.bottom + slack;
  const found = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest("template, style, .hidden-text, .strip")) continue;
    if (root.matches(".screen") && parent.closest(".pane")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true }) || parent.offsetWidth <= 1) continue;
    const control = parent.closest("button, label, .btn, .tag");
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width <= 1 || box.height <= 1) continue;
      const whole = box.left >= -1 && box.right <= innerWidth + 1 &&
        (!control || inside(box, control.getBoundingClientRect(), 2));
      found.push([node.data.trim(), box.left, box.right, box.top, box.bottom, whole]);
    }
  }
  return found;
}"""


class Box(NamedTuple):
    """A line of a text; px."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    is_whole: bool


def misplaced(page: Page) -> list[str]:
    """The texts that are cut, and the pairs that stand on each other by more than a pixel both ways."""
    boxes = [Box(*found) for found in page.evaluate(TEXTS)]
    assert boxes, "the screen has no text"
    return [box.text for box in boxes if not box.is_whole] + [
        f"{one.text} / {other.text}" for one, other in combinations(boxes, 2) if _overlap(one, other)
    ]


def _overlap(one: Box, other: Box) -> bool:
    across = min(one.right, other.right) - max(one.left, other.left)
    return across > 1 and min(one.bottom, other.bottom) - max(one.top, other.top) > 1.5
