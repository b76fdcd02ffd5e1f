"""Every sentence a person reads, by key and language.

`presets/words/<language>.toml` holds one table of sentences a language; `{}` marks a value.
English is complete; another language falls back to it key by key.
"""

from dataclasses import dataclass
from pathlib import Path

from errors import OperatorError, PresetError, VisitorError
from presets import PRESETS, read_table

WORDS = PRESETS / "words"
FALLBACK = "en"


@dataclass(frozen=True)
class Words:
    """The sentences of all languages: `tables[language][key]`."""

    tables: dict[str, dict[str, str]]

    def say(self, key: str, language: str = FALLBACK, /, **values: object) -> str:
        """The sentence for `key`; raises `KeyError` for a key that English lacks."""
        return self.template(key, language).format(**values)

    def template(self, key: str, language: str = FALLBACK) -> str:
        """The sentence with its marks, for a script that fills them in."""
        return self.tables.get(language, {}).get(key) or self.tables[FALLBACK][key]

    def sentence(self, error: VisitorError | OperatorError, language: str = FALLBACK) -> str:
        """What to tell a person about an error of ours."""
        if isinstance(error, VisitorError):
            return self.say(error.key, language, **error.values)
        return str(error)


def read_words(folder: Path = WORDS) -> Words:
    """Read all languages. Raises `PresetError` naming the file and key that is not a sentence."""
    tables = {path.stem: _read_language(path) for path in sorted(folder.glob("*.toml"))}
    if FALLBACK not in tables:
        raise PresetError(f"{FALLBACK}.toml is missing from {folder.name}. English is the fallback.")
    return Words(tables)


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
