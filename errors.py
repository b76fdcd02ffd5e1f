"""The two families of error.

    FaceValueError
    ├── VisitorError        what a visitor can cause; `words` turns its key into a sentence
    │   ├── PhotoError      a file we cannot read, or a face we cannot use
    │   ├── OutOfMemory     the machine ran out of memory, even one portrait at a time
    │   ├── StorageAway     the store of pictures does not answer
    │   └── NoGpu           no GPU is lent now
    │       ├── QuotaSpent  the visitor's share of a lent GPU is spent
    │       └── NoFleet     no machine of a fleet can be reached
    └── OperatorError       what an operator can cause; its text is the sentence
        ├── PresetError     a preset file is wrong: names file, key, value, rule
        ├── ChoiceError     an unknown look, set or option, or one that the set cannot honour
        └── NotDownloaded   a model set's files are not on this machine
            └── Damaged     one of them is cut off, or a pointer

A visitor's error says what happened and what to do next. An operator's error names the file, the
key, the value and what is allowed. Neither ever carries a path of the machine or foreign text.
"""

from typing import Any


class FaceValueError(Exception):
    """Any failure that a person can cause and mend."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Whole to another process and back: Python would call the class with the key as its argument."""
        return _restore, (type(self), self.args, vars(self))


class VisitorError(FaceValueError):
    """What a visitor can cause: a key of `presets/words` and the values its sentence needs."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


class PhotoError(VisitorError):
    """A file that we cannot read, or a face that we cannot use."""


class OutOfMemory(VisitorError):
    """Out of memory even with one portrait at a time."""

    def __init__(self) -> None:
        super().__init__("making.memory")


class StorageAway(VisitorError):
    """The store of pictures does not answer, or refuses what it is asked."""

    def __init__(self) -> None:
        super().__init__("visit.storage")


class NoGpu(VisitorError):
    """No GPU is lent now; a model that needs none can still draw."""

    def __init__(self, key: str = "making.card") -> None:
        super().__init__(key)


class QuotaSpent(NoGpu):
    """The visitor's share of a lent GPU is spent."""

    def __init__(self) -> None:
        super().__init__("making.quota")


class NoFleet(NoGpu):
    """None of the machines that draw for this booth can be reached."""

    def __init__(self) -> None:
        super().__init__("making.fleet")


class OperatorError(FaceValueError):
    """What an operator can cause. The text is the sentence, and one line whatever it quotes."""

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())


class PresetError(OperatorError):
    """A preset file is wrong."""


class ChoiceError(OperatorError):
    """An unknown look, set or option, or a combination that a model set cannot honour."""


class NotDownloaded(OperatorError):
    """A model set's files are not on this machine."""

    def __init__(self, repo: str, model_set: str) -> None:
        super().__init__(f"not downloaded: {repo}. Fetch it with: python -m pipelines fetch {model_set}")
        self.repo = repo
        self.model_set = model_set


class Damaged(NotDownloaded):
    """A file of a model set is cut off, or a pointer that Git LFS left in its place."""

    def __init__(self, repo: str, file: str, model_set: str, is_local: bool) -> None:
        super().__init__(repo, model_set)
        mend = "git lfs pull" if is_local else f"python -m pipelines fetch {model_set}"
        self.args = (f"damaged: {file} of {repo}. Bring it again with: {mend}",)


def _restore(kind: type[FaceValueError], args: tuple[Any, ...], values: dict[str, Any]) -> FaceValueError:
    error = kind.__new__(kind, *args)
    vars(error).update(values)
    return error
