"""The style sheets: one place for raw values, contrast that is read, nothing from anywhere else."""

import re

import pytest

from pages.theme import STYLE, VALUES, booth_head
from words import read_words

SHEETS = {path.name: path.read_text(encoding="utf-8") for path in STYLE.glob("*.css")}
TOKENS = SHEETS["tokens.css"]
THEMES = {"light": ":root", "dark": ".dark"}
BODY_TEXT, LARGE_OR_GRAPHIC = 4.5, 3.0  # WCAG 2.1, 1.4.3 and 1.4.11


def block(selector: str, sheet: str = TOKENS) -> str:
    """What stands in the first rule of a selector."""
    found = re.search(rf"(?<![\w-]){re.escape(selector)}\s*\{{([^{{}}]*)\}}", sheet)
    assert found, selector
    return found[1]


def values(rules: str) -> dict[str, str]:
    """The tokens that rules set, however they are laid out."""
    named = re.findall(r"--fv-([\w-]+)\s*:\s*([^;}]+)", rules)
    return {name: " ".join(value.split()) for name, value in named}


def tokens(theme: str) -> dict[str, str]:
    """The values of a theme; the light ones hold where the dark say nothing."""
    return values(block(THEMES["light"])) | values(block(THEMES[theme]))


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * one for one in digits)
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("above", "below", "least"),
    [
        ("ink", "ground", BODY_TEXT),
        ("ink", "raised", BODY_TEXT),
        ("ink-2", "ground", BODY_TEXT),
        ("ink-2", "raised", BODY_TEXT),
        ("on-action", "action", BODY_TEXT),
        ("edge", "ground", LARGE_OR_GRAPHIC),
        ("edge", "raised", LARGE_OR_GRAPHIC),
        ("mark", "ground", LARGE_OR_GRAPHIC),
        ("mark", "raised", LARGE_OR_GRAPHIC),
        ("on-card", "card", BODY_TEXT),
        ("on-photo", "photo", BODY_TEXT),
        ("on-ai", "ai", BODY_TEXT),
    ],
)
def test_words_and_outlines_are_seen_in_both_themes(theme: str, above: str, below: str, least: float) -> None:
    named = tokens(theme)
    assert contrast(named[above], named[below]) >= least


def test_the_card_leans_to_neither_answer() -> None:
    named = tokens("light")
    photo, ai = contrast(named["photo"], named["card"]), contrast(named["ai"], named["card"])
    assert photo == pytest.approx(4.61, abs=0.01)
    assert ai == pytest.approx(4.56, abs=0.01)


def test_ground_ink_and_lines_have_no_hue() -> None:
    for theme in THEMES:
        named = tokens(theme)
        for name in ("ground", "raised", "line", "edge", "ink", "ink-2", "action", "on-action", "card"):
            digits = named[name].removeprefix("#")
            channels = {digits[at : at + len(digits) // 3] for at in range(0, len(digits), len(digits) // 3)}
            assert len(channels) == 1, f"{theme}: {name} is {named[name]}"


def test_a_kiosk_has_every_value_of_the_dark_theme() -> None:
    found = values(re.split(r"orientation\s*:\s*portrait", TOKENS)[1])
    dark = values(block(".dark"))
    assert {name: found.get(name) for name in dark} == dark


def test_every_token_that_is_used_is_defined() -> None:
    defined = set(re.findall(r"(--fv-[\w-]+)\s*:", "".join(SHEETS.values())))
    used = set(re.findall(r"var\(\s*(--fv-[\w-]+)", "".join([*SHEETS.values(), *VALUES.values()])))
    assert used <= defined


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_sheet_forces_nothing_and_leans_on_no_class_of_gradio(sheet: str) -> None:
    rules = re.sub(r"/\*.*?\*/", "", SHEETS[sheet], flags=re.S)
    assert not re.search(r"!important|\.svelte|#component|\.gradio|\.gr-|\.block\b", rules)


def test_the_page_asks_nobody_else_for_anything() -> None:
    from_elsewhere = re.compile(r"""(?:src|href)="(?:https?:)?//|url\(["']?(?:https?:)?//|@import""")
    assert not [name for name, sheet in SHEETS.items() if from_elsewhere.search(sheet)]
    assert not from_elsewhere.search(booth_head(read_words()))


def test_every_file_that_the_page_links_is_there() -> None:
    linked = [
        *re.findall(r'(?:src|href)="style/([^"]+)"', booth_head(read_words())),
        *re.findall(r"""url\(\s*["']?(fonts/[^"')]+)""", TOKENS),
    ]
    assert len(linked) >= 5
    assert not [name for name in linked if not (STYLE / name).is_file()]
