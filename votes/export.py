"""The guesses as files: a table for spreadsheets, the same as JSON, and how to read it.

A voter is a number here, in the order of first answers; no cookie, picture or name leaves the database.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC

from votes.findings import RESAMPLES, Finding, finding, group_by, is_right
from votes.schema import Guess, Knows, Source, Trial
from votes.tally import FEWEST_ANSWERS

ExportRow = dict[str, object]

COLUMNS = (
    *("event", "round", "item", "look", "expression", "model_set", "start", "truth", "answer", "right"),
    *("them", "knows", "exposed", "informed", "rehearsal", "source", "voter", "seconds", "at"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # how a cell starts that a spreadsheet would execute
QUESTION = "Photograph or AI?"
IDENTITY_QUESTION = "Is it really them?"
FAMILIARITY_QUESTION = "I am this person / I know them / I don't know them"
SOURCE_NAMES = {
    Source.BOOTH: "the booth",
    Source.PHONE: "phones",
    Source.HANDS: "raised hands",
    Source.SYNTHETIC: "a rehearsal",
    Source.SUSPECT: "phones that joined faster than a room does",
}
FAMILIARITY_NAMES = {Knows.ME: "the sitter", Knows.KNOWN: "knows the sitter", Knows.STRANGER: "a stranger"}


def rows(trials: Sequence[Trial], event: str = "") -> list[ExportRow]:
    """One row a guess, in the order given, by the names of `COLUMNS`; None where a question was not asked."""
    numbers: dict[str, int] = {}
    return [
        {
            "event": round_.event or event,
            "round": round_.id,
            "item": round_.item.id,
            "look": round_.item.look,
            "expression": round_.item.expression,
            "model_set": round_.item.model_set,
            "start": round_.item.start,
            "truth": round_.item.truth.value,
            "answer": guess.answer.value,
            "right": is_right(Trial(round_, guess)),
            "them": guess.them,
            "knows": guess.knows.value if guess.knows else None,
            "exposed": guess.exposed,
            "informed": round_.informed,
            "rehearsal": round_.item.rehearsal,
            "source": guess.source.value,
            "voter": _voter_number(guess, numbers),
            "seconds": round(guess.seconds, 3),
            "at": guess.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        }
        for round_, guess in trials
    ]


def as_csv(table: Sequence[ExportRow]) -> str:
    """RFC 4180 with a header; empty for None, true and false in small letters. No cell starts a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in table)
    return text.getvalue()


def as_json(table: Sequence[ExportRow]) -> str:
    """A list of objects, one a guess."""
    return json.dumps(list(table), ensure_ascii=False, indent=1) + "\n"


def method(trials: Sequence[Trial], version: str, event: str = "") -> str:
    """What was asked, of whom, who is left out and why, what came out, and by which formulas. Markdown."""
    real = [trial for trial in trials if trial.guess.source != Source.SYNTHETIC]
    counted = [trial for trial in real if not trial.guess.exposed]
    times = sorted(guess.at.astimezone(UTC) for _, guess in real)
    when = f"{times[0]:%Y-%m-%d %H:%M} to {times[-1]:%Y-%m-%d %H:%M} UTC" if times else "no answer yet"
    parts = [
        f"# How the guesses{f' of {event}' if event else ''} were counted",
        f"- Question: “{QUESTION}” Two answers, always in this order: photograph, AI.",
        f"- Where the sitter stood beside the picture (`informed`), phones asked after that: "
        f"“{IDENTITY_QUESTION}” Where the host wished it: “{FAMILIARITY_QUESTION}”",
        f"- When: {when}. Face Value {version}.",
        f"- Answers: {len(real)}, of {len({guess.voter for _, guess in real})} voters. Raised hands among "
        f"them: {sum(guess.source == Source.HANDS for _, guess in real)}.",
        f"- Left out below: {len(real) - len(counted)} answers of voters who had seen the picture being "
        "made, who are the person in it, or who were asked again after the truth was shown. In the table "
        "they are `exposed`. Somebody who met a picture at the booth and votes on their own phone cannot be "
        "known again, and is counted.",
        f"- Left out below: {len(trials) - len(real)} answers that nobody gave, of a rehearsal. In the "
        "table they are `synthetic`.",
        f"- Counted apart below: {sum(guess.source == Source.SUSPECT for _, guess in real)} answers of "
        "phones that joined faster from one network than a room does: a program may have made them. In the "
        "table they are `suspect`. Who opens several private windows, slowly, is counted as several people.",
        "- Answers about different model sets are never put together, nor are those of the booth, of phones "
        "and of raised hands, nor of rounds with and without the sitter in view. A set for rehearsal says "
        "so: its figures say nothing about larger models.",
        "- A raised hand is one answer of somebody unknown: intervals take every hand for another person.",
    ]
    for name, group in group_by(counted, _condition).items():
        parts += [
            "",
            f"## {name}",
            "",
            *_table({"all": group} | group_by(group, lambda trial: trial.round.item.look or "unnamed")),
            "",
            *_table(_breakdowns(group), "who and how"),
        ]
    return "\n".join([*parts, "", *FORMULAS, ""])


FORMULAS = (
    "## Formulas",
    f"- Under {FEWEST_ANSWERS} answers no percentage is given, only how many were right.",
    "- Right: share of right answers. Interval: 95 %, bootstrap over voters, as one voter's answers are "
    f"not independent ({RESAMPLES:,} draws, percentiles); never narrower than Wilson's interval (1927).",
    "- d′ = z(H) − z(F), c = −(z(H) + z(F)) / 2, with H the share of AI pictures and F the share of "
    "photographs that were called AI, each with half an answer added to the count and one to the number "
    "(Hautus 1995). d′ = 0 is chance; c below 0: people said AI too readily.",
    "- Photographs and portraits went through the same crop, size and encoder before anybody saw them.",
)


def _condition(trial: Trial) -> str:
    """What has to be the same where answers are put together."""
    round_, guess = trial
    rehearsal = " (rehearsal)" if round_.item.rehearsal else ""
    model_set = round_.item.model_set or "not named"
    start = f", from {round_.item.start}" if round_.item.start else ""
    view = (
        ""
        if guess.source == Source.BOOTH
        else ", sitter in view"
        if round_.informed
        else ", sitter not in view"
    )
    return f"Model set {model_set}{rehearsal}{start}: {SOURCE_NAMES[guess.source]}{view}"


def _breakdowns(group: list[Trial]) -> dict[str, list[Trial]]:
    """The same answers by expression, by how well the voter knew the sitter, and by picture."""
    familiar = [trial for trial in group if trial.guess.knows]
    return {
        **group_by(group, lambda trial: f"expression {trial.round.item.expression or 'as they are'}"),
        **group_by(familiar, lambda trial: FAMILIARITY_NAMES[Knows(str(trial.guess.knows))]),
        **group_by(group, lambda trial: f"picture {trial.round.item.id} ({trial.round.item.truth.value})"),
    }


def _table(groups: dict[str, list[Trial]], of: str = "look") -> list[str]:
    return [
        f"| {of} | answers | voters | right | 95 % interval | d′ | c |",
        "|---|---|---|---|---|---|---|",
        *(_table_row(name, finding(group)) for name, group in groups.items()),
    ]


def _table_row(name: str, found: Finding) -> str:
    share, detection = found.right, found.detection
    if share is None:
        return f"| {name} | {found.answers} | {found.voters} | {found.correct} of {found.answers} | | | |"
    figures = f"{detection.d_prime:.2f} | {detection.criterion:.2f}" if detection else "| "
    return (
        f"| {name} | {found.answers} | {found.voters} | {share.value:.0%} of {found.answers} "
        f"| {share.low:.0%} to {share.high:.0%} | {figures} |"
    )


def _voter_number(guess: Guess, numbers: dict[str, int]) -> int | None:
    """Of a voter, in the order of first answers; a raised hand has none."""
    return None if guess.source == Source.HANDS else numbers.setdefault(guess.voter, len(numbers) + 1)


def cell(value: object) -> object:
    """A value as a table's cell: empty for None, small letters for truth, and no formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
