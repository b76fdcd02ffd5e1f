"""Every sentence a person reads, by key and language.

`presets/words/<language>.toml` holds one table of sentences a language; `{}` marks a value.
English is complete; another language falls back to it key by key. The English titles of looks, expressions
and model sets stand in their own files: `presets/looks/grey.toml` has that of `looks.grey`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from errors import OperatorError, PresetError, VisitorError
from presets import PRESETS, read_table

WORDS = PRESETS / "words"
FALLBACK = "en"
TITLED = ("looks", "expressions", "model_sets")  # folders of presets, and groups of their titles
NAMED = (*TITLED, "licences", "studies")  # groups that a language may leave to the presets

Say = Callable[..., str]  # a key and its values -> a sentence


def write_number(say: Say, number: str) -> str:
    """A number that is written as in English, as the language of `say` writes it."""
    example = say("language.number")  # 1,234.5
    return number.translate({ord(","): example[1], ord("."): example[5]})


@dataclass(frozen=True)
class Words:
    """The sentences of all languages, `tables[language][key]`, and which of these languages are spoken."""

    tables: dict[str, dict[str, str]]
    language: str = FALLBACK  # what is spoken where nobody chose a language: stage, host, the booth's first
    offered: tuple[str, ...] = ()  # what a visitor of the booth may choose

    def say(self, key: str, language: str | None = None, /, **values: object) -> str:
        """The sentence for `key`; raises `KeyError` for a key that English lacks."""
        return self.template(key, language).format(**values)

    def template(self, key: str, language: str | None = None) -> str:
        """The sentence with its marks, for a script that fills them in."""
        return self.tables.get(language or self.language, {}).get(key) or self.tables[FALLBACK][key]

    def study(self, name: str) -> str:
        """What a published study judged, which its preset says in English."""
        return self.tables[self.language].get(f"studies.{name.lower().replace(' ', '_')}", name)

    def licence(self, model_set: str, sentence: str) -> str:
        """What the licences of a model set ask, which its preset says in English."""
        return self.tables[self.language].get(f"licences.{model_set}", sentence)

    def sentence(self, error: VisitorError | OperatorError, language: str | None = None) -> str:
        """What to tell a person about an error of ours."""
        if isinstance(error, VisitorError):
            return self.say(error.key, language, **error.values)
        return str(error)

    def speaking(self, language: str, offered: Sequence[str] | None = None) -> "Words":
        """The same, with that language spoken first; `offered` names others; None: all complete ones."""
        chosen = {language, *(self.complete if offered is None else offered)}
        return replace(self, language=language, offered=tuple(name for name in self.tables if name in chosen))

    @cached_property
    def complete(self) -> tuple[str, ...]:
        """The languages that have every sentence of English; a title may stand in English."""
        wanted = {key for key in self.tables[FALLBACK] if key.split(".")[0] not in NAMED}
        return tuple(name for name, table in self.tables.items() if wanted <= table.keys())

    def preferred(self, accepted: str) -> str:
        """The first language of a browser's list that we speak; browsers put the dearest first."""
        for entry in accepted[:200].split(","):
            tag = entry.split(";")[0].split("-")[0].strip().lower()
            if tag in self.tables:
                return tag
        return self.language


def read_words(folder: Path = WORDS) -> Words:
    """Read all languages. Raises `PresetError` naming the file and key that is not a sentence."""
    tables = {path.stem: _read_language(path) for path in sorted(folder.glob("*.toml"))}
    if FALLBACK not in tables:
        raise PresetError(f"{FALLBACK}.toml is missing from {folder.name}. English is the fallback.")
    tables[FALLBACK] |= _read_titles()
    return Words(tables)


def _read_titles() -> dict[str, str]:
    """What English calls the presets that have a title; whether they are right their own readers say."""
    files = [(group, path) for group in TITLED for path in sorted((PRESETS / group).glob("*.toml"))]
    return {f"{group}.{path.stem}": str(read_table(path).get("title", path.stem)) for group, path in files}


def _read_language(path: Path) -> dict[str, str]:
    """`[camera] hint = "..."` becomes `camera.hint`."""
    sentences: dict[str, str] = {}
    for group, entries in read_table(path).items():
        if not isinstance(entries, dict):
            raise PresetError(f"{path.name}: {group} = {entries!r}. Sentences stand in a table.")
        for key, sentence in entries.items():
            if not isinstance(sentence, str) or not sentence.strip():
                raise PresetError(f"{path.name}: {group}.{key} = {sentence!r}. A sentence is text.")
            sentences[f"{group}.{key}"] = sentence
    return sentences
