"""One sentence for whatever went wrong. The only place of this process that catches every exception."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from errors import NotDownloaded, OperatorError, PhotoError, VisitorError
from words import Words

LOG = logging.getLogger("face_value")


@dataclass
class Told:
    """What to show after the block: nothing, or a sentence and whether it is about the photos."""

    sentence: str = ""
    about_photo: bool = False


class Teller:
    """Turns failures into sentences for visitors, and into one entry of the log."""

    def __init__(self, words: Words) -> None:
        self._words = words

    @contextmanager
    def telling(self) -> Iterator[Told]:
        """Run a block; when it fails, the `Told` it was given holds the sentence.

        Our own errors say what happened. Any other one gets an id, which visitor and log share.
        """
        told = Told()
        try:
            yield told
        except VisitorError as error:
            told.sentence = self._words.sentence(error)
            told.about_photo = isinstance(error, PhotoError)
        except NotDownloaded as error:
            LOG.warning("%s", error)
            told.sentence = self._words.say("making.missing")
        except Exception as error:  # noqa: BLE001 - the one broad clause: logged here, told as one sentence
            told.sentence = self._any(error)

    def _any(self, error: Exception) -> str:
        name = secrets.token_hex(3)
        if isinstance(error, OperatorError):
            LOG.error("error %s: %s", name, error)
        else:
            LOG.error("error %s", name, exc_info=error)
        return self._words.say("error.any", id=name)
