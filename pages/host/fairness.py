"""The event's fairness as a chart: what portraits changed, by the skin tone that sitters chose to tell."""

from collections.abc import Callable, Sequence
from html import escape

from pages import markup
from pipelines.measure.likeness import thresholds
from votes.fairness import MEASURES, Middle, middles, model_sets
from votes.schema import Drift

Say = Callable[..., str]


def fairness_chart(say: Say, drifts: Sequence[Drift], titles: dict[str, str]) -> str:
    """One table a model set; `titles` names the sets for people."""
    if not drifts:
        return markup.note(say("fair.none"))
    return "".join(_set(say, drifts, name, titles) for name in model_sets(drifts)) + markup.note(
        say("fair.care")
    )


def _set(say: Say, drifts: Sequence[Drift], name: str, titles: dict[str, str]) -> str:
    n = sum(one.model_set == name for one in drifts)
    caption = escape(say("fair.set", model=titles.get(name, name), n=n))
    rows = "".join(_measure(say, measure, middles(drifts, name, measure)) for measure in MEASURES)
    return f"<table class=fair><caption>{caption}</caption><tbody>{rows}</tbody></table>"


def _measure(say: Say, measure: str, groups: dict[str, Middle]) -> str:
    """A row a group of tones; the measure's name stands before the first."""
    unit = thresholds()[measure].unit
    named = escape(say(f"likeness.{measure}"))
    first = f"<th scope=rowgroup rowspan={len(groups)}>{named}<small>{escape(unit)}</small></th>"
    rows = [
        f"<th scope=row>{escape(say(f'fair.group_{group}'))}</th>"
        f"<td>{_line(measure, found)}</td><td>{escape(_told(say, found))}</td>"
        for group, found in groups.items()
    ]
    return f"<tr>{first}{rows[0]}</tr>" + "".join(f"<tr>{row}</tr>" for row in rows[1:])


def _told(say: Say, found: Middle) -> str:
    if found.too_few:
        return say("fair.few", n=found.sitters)
    value, low, high = (f"{one:+.2f}".replace("-", "\u2212") for one in found[1:])
    return say("fair.middle", value=value, low=low, high=high, n=found.sitters)


def _line(measure: str, found: Middle) -> str:
    """Interval and median on a scale that ends where changes are clear; the middle grey is unchanged."""
    limits = thresholds()[measure]
    unchanged = 50 * limits.flag / limits.clearly

    def at(value: float) -> float:
        return 50 + 50 * max(-1.0, min(1.0, value / limits.clearly))

    marks = ""
    if not found.too_few:
        low, middle, high = at(found.low), at(found.value), at(found.high)
        marks = f'<path d="M{low:.1f} 6H{high:.1f}"/><path class="dot" d="M{middle:.1f} 6h.01"/>'
    return (
        '<svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="{50 - unchanged:.1f}" width="{2 * unchanged:.1f}" height="12"/>{marks}</svg>'
    )
