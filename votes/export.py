"""The guesses as files: a table for spreadsheets, the same as JSON, and how to read it.

A voter is a number here, in the order of first answers; no cookie, picture or name leaves the database.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC

from votes.findings import RESAMPLES, Answered, Finding, finding, grouped, is_right
from votes.schema import Guess, Knows, Source
from votes.tally import FEWEST_ANSWERS

Row = dict[str, object]

COLUMNS = (
    *("event", "round", "item", "look", "expression", "model_set", "start", "truth", "answer", "right"),
    *("them", "knows", "exposed", "informed", "rehearsal", "source", "voter", "seconds", "at"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell starts that a spreadsheet would execute
QUESTION = "Photograph or AI?"
THEM = "Is it really them?"
KNOWS = "I am this person / I know them / I don't know them"
SOURCES = {
    Source.BOOTH: "the booth",
    Source.PHONE: "phones",
    Source.HANDS: "raised hands",
    Source.SYNTHETIC: "a rehearsal",
}
FAMILIAR = {Knows.ME: "the sitter", Knows.KNOWN: "knows the sitter", Knows.STRANGER: "a stranger"}


def rows(answered: Sequence[Answered], event: str = "") -> list[Row]:
    """One a guess, in the order given, with every name of `COLUMNS`; None where a question was not asked."""
    numbers: dict[str, int] = {}
    return [
        {
            "event": asked.event or event,
            "round": asked.id,
            "item": asked.item.id,
            "look": asked.item.look,
            "expression": asked.item.expression,
            "model_set": asked.item.model_set,
            "start": asked.item.start,
            "truth": asked.item.truth.value,
            "answer": guess.answer.value,
            "right": is_right((asked, guess)),
            "them": guess.them,
            "knows": guess.knows.value if guess.knows else None,
            "exposed": guess.exposed,
            "informed": asked.informed,
            "rehearsal": asked.item.rehearsal,
            "source": guess.source.value,
            "voter": _number(guess, numbers),
            "seconds": round(guess.seconds, 3),
            "at": guess.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        }
        for asked, guess in answered
    ]


def as_csv(table: Sequence[Row]) -> str:
    """RFC 4180 with a header; empty for None, true and false in small letters. No cell starts a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in table)
    return text.getvalue()


def as_json(table: Sequence[Row]) -> str:
    """A list of objects, one a guess."""
    return json.dumps(list(table), ensure_ascii=False, indent=1) + "\n"


def method(answered: Sequence[Answered], version: str, event: str = "") -> str:
    """What was asked, of whom, who is left out and why, what came out, and by which formulas. Markdown."""
    real = [one for one in answered if one[1].source != Source.SYNTHETIC]
    counted = [one for one in real if not one[1].exposed]
    times = sorted(guess.at.astimezone(UTC) for _, guess in real)
    when = f"{times[0]:%Y-%m-%d %H:%M} to {times[-1]:%Y-%m-%d %H:%M} UTC" if times else "no answer yet"
    parts = [
        f"# How the guesses{f' of {event}' if event else ''} were counted",
        f"- Question: “{QUESTION}” Two answers, always in this order: photograph, AI.",
        f"- Where the sitter stood beside the picture (`informed`), phones asked after that: “{THEM}” Where "
        f"the host wished it: “{KNOWS}”",
        f"- When: {when}. Face Value {version}.",
        f"- Answers: {len(real)}, of {len({guess.voter for _, guess in real})} voters. Raised hands among "
        f"them: {sum(guess.source == Source.HANDS for _, guess in real)}.",
        f"- Left out below: {len(real) - len(counted)} answers of voters who had seen the picture being "
        "made, who are the person in it, or who were asked again after the truth was shown. In the table "
        "they are `exposed`. Somebody who met a picture at the booth and votes on their own phone cannot be "
        "known again, and is counted.",
        f"- Left out below: {len(answered) - len(real)} answers that nobody gave, of a rehearsal. In the "
        "table they are `synthetic`.",
        "- Answers about different model sets are never put together, nor are those of the booth, of phones "
        "and of raised hands, nor of rounds with and without the sitter in view. A set for rehearsal says "
        "so: its figures say nothing about larger models.",
        "- A raised hand is one answer of somebody unknown: intervals take every hand for another person.",
    ]
    for name, group in grouped(counted, _set_of).items():
        parts += [
            "",
            f"## {name}",
            "",
            *_table({"all": group} | grouped(group, lambda one: one[0].item.look or "unnamed")),
            *_table(_asides(group), "who and how", empty=True),
        ]
    return "\n".join([*parts, "", *FORMULAS, ""])


FORMULAS = (
    "## Formulas",
    f"- Under {FEWEST_ANSWERS} answers no percentage is given.",
    "- Right: share of right answers. Interval: 95 %, bootstrap over voters, as one voter's answers are "
    f"not independent ({RESAMPLES:,} draws, percentiles); never narrower than Wilson's interval (1927).",
    "- d′ = z(H) − z(F), c = −(z(H) + z(F)) / 2, with H the share of AI pictures and F the share of "
    "photographs that were called AI, each with half an answer added to the count and one to the number "
    "(Hautus 1995). d′ = 0 is chance; c below 0: people said AI too readily.",
    "- Photographs and portraits went through the same crop, size and encoder before anybody saw them.",
)


def _set_of(answered: Answered) -> str:
    asked, guess = answered
    told = " (rehearsal)" if asked.item.rehearsal else ""
    named = asked.item.model_set or "not named"
    start = f", from {asked.item.start}" if asked.item.start else ""
    view = (
        ""
        if guess.source == Source.BOOTH
        else ", sitter in view"
        if asked.informed
        else ", sitter not in view"
    )
    return f"Model set {named}{told}{start}: {SOURCES[guess.source]}{view}"


def _asides(group: list[Answered]) -> dict[str, list[Answered]]:
    """The same answers by expression, by how well the voter knew the sitter, and by picture."""
    by_mood = grouped(group, lambda one: f"expression {one[0].item.expression or 'as they are'}")
    known = [one for one in group if one[1].knows]
    by_knows = grouped(known, lambda one: FAMILIAR[Knows(str(one[1].knows))])
    by_item = grouped(group, lambda one: f"picture {one[0].item.id} ({one[0].item.truth.value})")
    return by_mood | by_knows | by_item


def _table(groups: dict[str, list[Answered]], of: str = "look", empty: bool = False) -> list[str]:
    lines = [f"| {of} | answers | voters | right | 95 % interval | d′ | c |", "|---|---|---|---|---|---|---|"]
    rows_ = [_line(name, finding(group)) for name, group in groups.items()]
    return ([""] if empty else []) + lines + rows_


def _line(name: str, found: Finding) -> str:
    if found.right is None:
        return f"| {name} | {found.answers} | {found.voters} | too few to tell | | | |"
    share = found.right
    told = found.detection
    apart = f"{told.d_prime:.2f} | {told.criterion:.2f}" if told else "| "
    return (
        f"| {name} | {found.answers} | {found.voters} | {share.value:.0%} of {found.answers} "
        f"| {share.low:.0%} to {share.high:.0%} | {apart} |"
    )


def _number(guess: Guess, numbers: dict[str, int]) -> int | None:
    """Of a voter, in the order of first answers; a raised hand has none."""
    return None if guess.source == Source.HANDS else numbers.setdefault(guess.voter, len(numbers) + 1)


def cell(value: object) -> object:
    """A value as a table's cell: empty for None, small letters for truth, and no formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
