"""Gradio's theme in our tokens, and the style sheets that the page links.

Raw values stand in `style/tokens.css` only; the theme names its variables, so every part of Gradio
obeys the same greys.
"""

from pathlib import Path

import gradio as gr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from pages.markup import render
from settings import Settings
from words import Words

STYLE = Path(__file__).parent / "static"


GREYS = gr.themes.Color(
    *("#fafafa", "#f4f4f4", "#ececec", "#cfcfcf", "#bcbcbc", "#8a8a8a", "#757575"),
    *("#6b6b6b", "#3d3d3d", "#242424", "#181818"),
    name="greys",
)


def booth_head(words: Words, settings: Settings | None = None) -> str:
    """What Gradio puts into the head of the booth's page."""
    settings = settings or Settings()
    named = {"schemes": "light dark", "root": "", "script": "page", "needs": "popover"}
    return _head(words, "screens result camera report", settings, kiosk=settings.is_kiosk, **named)


def host_head(words: Words) -> str:
    """The same for the host's page, which lies a folder deeper."""
    named = {"schemes": "light", "root": "../", "script": "host", "needs": "replaceChildren"}
    return _head(words, "host", Settings(), kiosk=False, **named)


def _head(words: Words, sheets: str, settings: Settings, **named: object) -> str:
    """`needs` is of all that the page takes for granted what browsers learned last."""
    every = ("tokens", "marks", "booth", *sheets.split())
    return str(render("head.html", sheets=every, say=words.say, words=words, settings=settings, **named))


# Ink for the pencil: important, as the dark screens and the grey card have marks of their own.
WITHOUT_ACCENT = """
:root, body {
  --fv-mark: var(--fv-ink) !important;
  --fv-mark-on-card: #fff !important;
}
"""


def style_routes(has_accent: bool = True) -> list[BaseRoute]:
    """`/style/`: linked instead of given to `launch(css=...)`, which rewrites the rules."""

    def tokens(_: Request) -> Response:
        return Response((STYLE / "tokens.css").read_text("utf-8") + WITHOUT_ACCENT, media_type="text/css")

    without = [] if has_accent else [Route("/style/tokens.css", tokens)]
    return [*without, Mount("/style", StaticFiles(directory=STYLE))]


def theme() -> gr.themes.Base:
    """Our greys, sizes in rem, no font from anywhere else."""
    base = gr.themes.Base(
        primary_hue=GREYS,
        secondary_hue=GREYS,
        neutral_hue=GREYS,
        text_size=_sizes("text", ".75rem .8125rem .875rem 1rem 1.25rem 1.5rem 1.75rem"),
        spacing_size=_sizes("spacing", ".0625rem .125rem .25rem .5rem .75rem 1rem 1.5rem"),
        radius_size=_sizes("radius", ".125rem .25rem .375rem .5rem .5rem .75rem .75rem"),
        font=[
            "Archivo FV",
            "Archivo",
            "system-ui",
            "Segoe UI",
            "Roboto",
            "Helvetica Neue",
            "Arial",
            "sans-serif",
        ],
        font_mono=["ui-monospace", "monospace"],
    )
    values = {f"{name}{mode}": value for name, value in VALUES.items() for mode in ("", "_dark")}
    return base.set(**values, **SIZES)


def _sizes(name: str, values: str) -> gr.themes.Size:
    steps = dict(zip(("xxs", "xs", "sm", "md", "lg", "xl", "xxl"), values.split(), strict=True))
    return gr.themes.Size(**steps, name=name)


SIZES = {  # the same in both modes
    "block_padding": "0",
    "form_gap_width": "0px",
    "checkbox_border_radius": ".25rem",
    "input_border_width": "var(--fv-line-w)",
    "input_radius": "var(--fv-r-control)",
    "input_text_size": "var(--fv-lead)",
    "button_large_padding": ".6rem 1.5rem",
    "button_large_radius": "var(--fv-r-control)",
    "button_large_text_size": "var(--fv-body)",
    "button_large_text_weight": "600",
}
VALUES = {  # dark and light alike: the tokens differ
    "button_border_width": "var(--fv-line-w)",
    "body_background_fill": "var(--fv-ground)",
    "body_text_color": "var(--fv-ink)",
    "body_text_color_subdued": "var(--fv-ink-2)",
    "background_fill_primary": "var(--fv-ground)",
    "background_fill_secondary": "var(--fv-raised)",
    "block_background_fill": "transparent",
    "block_border_width": "0",
    "block_shadow": "none",
    "block_label_text_color": "var(--fv-ink)",
    "block_title_text_color": "var(--fv-ink)",
    "block_info_text_color": "var(--fv-ink-2)",
    "border_color_primary": "var(--fv-ground)",
    "border_color_accent": "var(--fv-edge)",
    "color_accent_soft": "var(--fv-raised)",
    "button_primary_background_fill": "var(--fv-action)",
    "button_primary_background_fill_hover": "var(--fv-action)",
    "button_primary_border_color": "var(--fv-action)",
    "button_primary_text_color": "var(--fv-on-action)",
    "button_secondary_background_fill": "transparent",
    "button_secondary_background_fill_hover": "var(--fv-raised)",
    "button_secondary_border_color": "var(--fv-edge)",
    "button_secondary_text_color": "var(--fv-ink)",
    "input_border_color": "var(--fv-edge)",
    "input_border_color_focus": "var(--fv-ink)",
    "input_background_fill": "var(--fv-raised)",
    "input_background_fill_focus": "var(--fv-raised)",
    "slider_color": "var(--fv-ink)",
    "checkbox_border_color": "var(--fv-edge)",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_hover": "var(--fv-raised)",
    "checkbox_label_background_fill_selected": "var(--fv-action)",
    "checkbox_label_text_color": "var(--fv-ink)",
    "checkbox_label_text_color_selected": "var(--fv-on-action)",
    "checkbox_label_border_color": "var(--fv-edge)",
    "error_background_fill": "var(--fv-raised)",
    "error_border_color": "var(--fv-ink)",
    "error_text_color": "var(--fv-ink)",
    "error_icon_color": "var(--fv-ink)",
}
