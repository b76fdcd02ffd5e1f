"""Scripts that old tablets run use nothing that their browsers do not know: Chrome 61 and Safari 12, of 2018.

Words are looked for, so a name of ours that is one of them is refused too: it would mislead a reader as well.
"""

import re
from pathlib import Path

import pytest

from pages.theme import booth_head, host_head
from words import read_words

PAGES = Path(__file__).parent.parent / "pages"
EVERYWHERE = ("within.js", "in_order.js", "too_old.js", "countdown.js")  # on several pages
# What a visitor's own tablet or a projector's old computer opens; booth and host's page are Gradio's.
OPEN_TO_ALL = [
    PAGES / "phone" / "phone.js",
    *(PAGES / "static" / name for name in (*EVERYWHERE, "stage.js", "verify.js")),
]
ALL = sorted([*PAGES.rglob("*.js")])
# By what it is: the first Chrome and Safari that know it, by MDN's browser-compat-data of August 2026.
TOO_NEW = {
    r"catch\s*{": "66, 11.1: a catch without a name",
    r"\?\.(?!\d)": "80, 13.1: optional chaining",
    r"\?\?": "80, 13.1: nullish coalescing",
    r"(?:\|\||&&)=": "85, 14: logical assignment",
    r"\b\d+_\d": "75, 13: figures with a line below",
    r"\bawait using\b|\bstatic\s*{": "94, 16.4",
    r"^\s*#\w+\s*[=(;]|\bthis\.#": "74, 14.1: private fields",
    r"\.replaceChildren\b": "86, 14",
    r"\.(?:at|findLast|findLastIndex)\(": "92, 15.4",
    r"\.(?:toSorted|toReversed|toSpliced|with)\(": "110, 16",
    r"\.(?:flat|flatMap)\(": "69, 12",
    r"\.replaceAll\(": "85, 13.1",
    r"\.matchAll\(": "73, 13",
    r"\.finally\(": "63, 11.1",
    r"\bPromise\.(?:any|allSettled|withResolvers|try)\b": "85, 14; 76, 13",
    r"\bObject\.(?:fromEntries|groupBy|hasOwn)\b": "73, 12.1",
    r"\bAbortSignal\b": "66, 11.1; its timeout 124, 16",
    r"\bstructuredClone\b": "98, 15.4",
    r"\brandomUUID\b": "92, 15.4",
    r"\bglobalThis\b": "71, 12.1",
    r"\bqueueMicrotask\b": "71, 12.1",
    r"\bResizeObserver\b": "64, 13.1",
    r"\bBroadcastChannel\b": "54, 15.4",
    r"\b(?:show|hide|toggle)Popover\b|\.popover\b": "114, 17",
    r"\.showModal\(": "37, 15.4",
    r":has\(|:is\(|:where\(": "105, 15.4; 88, 14",
    r"\brequestIdleCallback\b": "47, never",
    r"\bclipboard\b": "66, 13.1",
}
# Known to be missing somewhere, and what the script does then.
FALLBACKS = {
    ("within.js", "AbortController"): "XMLHttpRequest",
    ("in_order.js", "AbortController"): "without an end",
    ("stage.js", "decode"): "the picture comes with the words",
}
GUARDED = {r"\bAbortController\b": "AbortController", r"\.decode\(": "decode"}  # 66, 12.1; 64, 11.1


def script(path: Path) -> str:
    """The file without its comments."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"(?m)(?:^|\s)//.*$", "", re.sub(r"/\*.*?\*/", "", text, flags=re.S))


def too_new(text: str, known: dict[str, str]) -> list[str]:
    return [since for pattern, since in known.items() if re.search(pattern, text, re.MULTILINE)]


@pytest.mark.parametrize("path", OPEN_TO_ALL, ids=lambda path: path.name)
def test_what_everybody_opens_runs_on_old_tablets(path: Path) -> None:
    assert too_new(script(path), TOO_NEW) == []
    for name in too_new(script(path), GUARDED):
        assert (path.name, name) in FALLBACKS


@pytest.mark.parametrize(
    "planted",
    [
        "main.replaceChildren(a);",
        "const s = AbortSignal.timeout(5);",
        "try { a(); } catch { b(); }",
        "const b = a?.b;",
        "const b = a ?? 1;",
        "const last = list.at(-1);",
        "const n = 70_000;",
        "Promise.any(list);",
        "a.replaceAll('x', 'y');",
    ],
)
def test_what_is_too_new_is_found(planted: str) -> None:
    assert too_new(script(OPEN_TO_ALL[0]) + planted, TOO_NEW)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_no_request_of_ours_waits_for_ever(path: Path) -> None:
    """`within.js` ends them; `in_order.js` stands around those of Gradio."""
    asks = re.findall(r"(?<![.\w])fetch\(|new XMLHttpRequest", script(path))
    assert not asks or path.name == "within.js"


def test_booth_and_host_say_where_the_browser_is_too_old() -> None:
    for head, needed in ((booth_head(read_words()), "popover"), (host_head(read_words()), "replaceChildren")):
        assert f'too_old.js" data-needs="{needed}" data-said="This browser is too old' in head
