"""Pictures and sentences as HTML: what a screen reader finds, and that no text becomes markup."""

import base64
import html
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pages import markup
from pages.components.peek import peek
from words import read_words

HOSTILE = '"><script>alert(1)</script>'
STEPS = ("Consent", "Camera", "Look", "Portraits", "Result", "Guess")
ROWS = (
    markup.Row("photograph", "Photograph", "62 % of 143", 0.62, 0.54, 0.7),
    markup.Row("generated", "AI", "38 % of 143", 0.38, 0.3, 0.46),
)


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside of them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def names(self) -> set[str]:
        return {tag for tag, _ in self.found}

    def the(self, tag: str, **wanted: str) -> dict[str, str | None]:
        (only,) = [
            attrs
            for name, attrs in self.found
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]
        return only


def everything(text: str) -> dict[str, str]:
    """Each part with `text` wherever it takes any."""
    return {
        "picture": markup.picture("pictures/a", text, text, "photograph"),
        "bar": markup.bar(text, [text, text], 2),
        "timeline": markup.timeline([(text, text)]),
        "frame": markup.frame(text, text, text, text, text, text),
        "heading": markup.heading(text, text),
        "notice": markup.notice(text),
        "note": markup.note(text),
        "status": markup.status(text),
        "steps": markup.steps(text, [0.5]),
        "exhibit": markup.exhibit("pictures/a", text),
        "truth": markup.truth("generated", text, text),
        "bars": markup.bars(text, [markup.Row("photograph", text, text, 0.5, 0.4, 0.6)], text),
    }


@pytest.mark.parametrize("part", everything("x"))
def test_no_text_becomes_markup(part: str) -> None:
    shown, plain = Tags(everything(HOSTILE)[part]), Tags(everything("x")[part])
    assert "script" not in shown.names()
    assert [tag for tag, _ in shown.found] == [tag for tag, _ in plain.found]


@given(st.text(min_size=1))
def test_a_sentence_is_shown_as_it_was_written(sentence: str) -> None:
    inside = markup.note(sentence).removeprefix('<p class="note">').removesuffix("</p>")
    assert html.unescape(inside) == sentence
    assert "<" not in inside


def test_the_peek_button_holds_the_marks_that_its_script_fills_in() -> None:
    words = read_words()
    told, label = words.template("host.split_told"), "Hold {it} for `${5}` \\ " + HOSTILE
    template = str(peek(label, told, HOSTILE).html_template)
    assert not set(template) & set("{}$`\\")  # Gradio reads it as Handlebars and as JavaScript first
    page = Tags(template)
    button = page.the("button")
    assert button["data-split"] == told and "{photograph}" in told and "{generated}" in told
    assert button["data-label"] == label and page.text == label + HOSTILE
    assert page.names() == {"div", "button", "p"}


def test_the_wedge_names_every_step_and_marks_the_one_that_is_on() -> None:
    shown = Tags(markup.bar("Step 2 of 6: Camera", STEPS, 2))
    items = [attrs for tag, attrs in shown.found if tag == "li"]
    assert shown.the("ol")["aria-label"] == "Step 2 of 6: Camera"
    assert [item.get("aria-current") for item in items] == [None, "step", None, None, None, None]
    assert all(name in shown.text for name in STEPS)


def test_the_wedge_runs_from_black_to_white_in_even_greys() -> None:
    greys = [int(grey) for grey in re.findall(r"--g:(\d+)", markup.bar("x", STEPS, 1))]
    assert greys == [0, 51, 102, 153, 204, 255]


def test_a_screen_outside_the_steps_has_no_wedge() -> None:
    assert "ol" not in Tags(markup.bar("", STEPS, None)).names()


def test_a_heading_can_take_the_focus_but_is_no_stop_of_the_tab_key() -> None:
    assert Tags(markup.heading("Choose a look")).the("h1")["tabindex"] == "-1"
    assert Tags(markup.truth("photograph", "Photograph", "It was.")).the("h1")["tabindex"] == "-1"


def test_the_truth_is_said_once_and_its_shape_is_decoration() -> None:
    shown = Tags(markup.truth("generated", "AI", "You said photograph. It was AI."))
    assert shown.the("p")["class"] == "truth generated"
    assert shown.the("p")["aria-hidden"] == "true"
    assert shown.the("div")["role"] == "status"


def test_nothing_went_wrong_is_nothing() -> None:
    assert markup.notice("") == ""


def test_a_notice_is_read_out_at_once() -> None:
    assert Tags(markup.notice("Please tick the sentence first.")).the("p")["role"] == "alert"


def test_both_truths_are_asked_about_in_the_same_markup() -> None:
    alt = "Portrait of a person. We do not say yet how it was made."
    one, other = (markup.exhibit(f"pictures/{name}", alt) for name in ("aaaa", "bbbb"))
    assert one.replace("aaaa", "bbbb") == other


def test_the_chart_is_one_picture_that_says_itself_in_words() -> None:
    sentence = "62 % said photograph and 38 % said AI, of 143 answers."
    shown = Tags(markup.bars("How everyone answered", ROWS, sentence))
    assert shown.the("div", role="img")["aria-label"] == sentence


def test_bars_and_their_intervals_are_drawn_in_percent_of_the_axis() -> None:
    chart = markup.bars("How everyone answered", ROWS, "…")
    assert re.findall(r"--v:([\d.]+)", chart) == ["62.0", "38.0"]
    assert re.findall(r"--lo:([\d.]+);--hi:([\d.]+)", chart) == [("54.0", "70.0"), ("30.0", "46.0")]
    assert chart.count('class="chance"') == 2
    assert re.findall(r"<b>(.*?)</b>", chart) == ["62 % of 143", "38 % of 143"]


def test_the_progress_bar_is_filled_by_the_share_of_executed_steps() -> None:
    shown = Tags(markup.steps("Portrait 2 of 4, step 3 of 6", [1.0, 0.5, 0.0, 0.0]))
    bar = shown.the("div")
    assert (bar["role"], bar["aria-valuenow"]) == ("progressbar", "38")
    assert [attrs["style"] for tag, attrs in shown.found if tag == "i"] == [
        "--done:100%",
        "--done:50%",
        "--done:0%",
        "--done:0%",
    ]


def test_an_empty_frame_asks_for_no_picture() -> None:
    assert "img" not in Tags(markup.picture("", "", "AI portrait, in the making", "generated")).names()


def test_a_picture_in_a_page_carries_no_metadata_and_keeps_its_colours() -> None:
    pixels = np.full((40, 30, 3), (200, 120, 90), dtype=np.uint8)
    url = markup.data_url(pixels)
    jpeg = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == (30, 40)
        assert not image.getexif()
        assert np.abs(np.asarray(image).astype(int) - pixels).max() <= 2


def test_a_picture_is_scaled_down_to_a_width_and_never_up() -> None:
    pixels = np.zeros((40, 30, 3), dtype=np.uint8)
    for wanted, got in ((15, (15, 20)), (300, (30, 40))):
        jpeg = base64.b64decode(markup.data_url(pixels, wanted).removeprefix("data:image/jpeg;base64,"))
        with Image.open(io.BytesIO(jpeg)) as image:
            assert image.size == got
