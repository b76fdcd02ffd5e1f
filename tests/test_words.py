"""Sentences in every language: nothing is missing, nothing has another meaning, and who hears which."""

import re
import string
from pathlib import Path

import pytest

from errors import OperatorError, PresetError
from settings import read_settings
from words import FALLBACK, NAMED, Words, read_words

WORDS = read_words()
OTHERS = [language for language in WORDS.tables if language != FALLBACK]
KEYS = [key for key in WORDS.tables[FALLBACK] if key.split(".")[0] not in NAMED]


def marks(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence_of_english_and_no_other(language: str) -> None:
    table = WORDS.tables[language]
    assert [key for key in KEYS if key not in table] == []
    assert [
        key
        for key in table
        if key not in WORDS.tables[FALLBACK] and not key.startswith(("licences.", "studies."))
    ] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_has_the_values_of_the_english_one(language: str) -> None:
    english = WORDS.tables[FALLBACK]
    assert [key for key in english if marks(WORDS.template(key, language)) != marks(english[key])] == []


@pytest.mark.parametrize("language", OTHERS)
def test_signs_are_those_of_the_language(language: str) -> None:
    """No quotation mark of a typewriter or of another language, no space where a line may not break."""
    wrong = {"fr": r"[ ][?!;:»%](?!\S)|«[ ]|„", "de": r"[«»”]", "es": r"[„”“]"}.get(language, r"(?!)")
    found = re.compile(rf"(?<!=)['\"]|\.\.\.|{wrong}")
    assert [sentence for sentence in WORDS.tables[language].values() if found.search(sentence)] == []


def test_a_language_without_a_file_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_VALUE_LANGUAGE", "xx")
    with pytest.raises(OperatorError, match=r"FACE_VALUE_LANGUAGE = 'xx'\. One of de, en"):
        read_settings()
    monkeypatch.setenv("FACE_VALUE_LANGUAGE", "de")
    assert read_settings().languages is None
    monkeypatch.setenv("FACE_VALUE_LANGUAGES", "fr, en")
    assert read_settings().languages == ("fr", "en")
    monkeypatch.setenv("FACE_VALUE_LANGUAGES", "fr,yy")
    with pytest.raises(OperatorError, match=r"FACE_VALUE_LANGUAGES = 'fr,yy'\. Each of de, en"):
        read_settings()


def test_what_is_spoken_first_is_always_offered_and_an_unfinished_language_only_where_it_is_named() -> None:
    words = Words({"de": {"a.b": "x"}, "en": {"a.b": "y", "a.c": "z"}, "fr": {"a.b": "v", "a.c": "w"}})
    assert words.speaking("en").offered == ("en", "fr")
    assert words.speaking("de").offered == ("de", "en", "fr")
    assert words.speaking("fr", ["de"]).offered == ("de", "fr")
    german = words.speaking("de")
    assert (german.say("a.b"), german.say("a.c"), german.say("a.b", "fr")) == ("x", "z", "v")


def test_a_browser_gets_the_first_of_its_languages_that_we_speak() -> None:
    words = WORDS.speaking("fr")
    for accepted, language in (("de-CH,en;q=0.5", "de"), ("nl, es;q=0.3", "es"), ("nl", "fr"), ("", "fr")):
        assert words.preferred(accepted) == language


def test_a_preset_has_its_own_title_until_a_language_has_another(tmp_path: Path) -> None:
    assert WORDS.say("looks.grey") == "Studio grey"
    (tmp_path / "en.toml").write_text('[a]\nb = "x"\n')
    (tmp_path / "de.toml").write_text('[looks]\ngrey = "Grau"\n')
    words = read_words(tmp_path)
    assert words.say("looks.grey", "de") == "Grau"
    assert words.say("looks.black", "de") == "Studio black"
    (tmp_path / "en.toml").unlink()
    with pytest.raises(PresetError, match=r"en\.toml is missing"):
        read_words(tmp_path)
