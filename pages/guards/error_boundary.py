"""One sentence for whatever went wrong. The only place of this process that catches every exception."""

import logging
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from errors import NotDownloaded, OperatorError, PhotoError, VisitorError
from words import Words

LOG = logging.getLogger("face_value")
DEPTH = 8
RETRY_S = 2  # what failed for the moment is worth another try after that


@dataclass
class Failure:
    """What to show after the block: nothing, or a sentence and whether it is about the photos."""

    sentence: str = ""
    about_photo: bool = False


def refusal(sentence: str, status: int) -> JSONResponse:
    """An answer of one sentence and an id; the log gets the id only. Never kept by a browser.

    A 503 passes by itself, and says when to ask again.
    """
    name = secrets.token_hex(3)
    LOG.info("refused %s with %d", name, status)
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(RETRY_S)} if status == 503 else {})
    return JSONResponse({"error": sentence, "id": name}, status, headers=headers)


class ErrorBoundary:
    """Turns failures into sentences for visitors, and into one entry of the log."""

    def __init__(self, words: Words) -> None:
        self._words = words

    @contextmanager
    def catch(self, language: str | None = None) -> Iterator[Failure]:
        """Run a block; when it fails, the `Failure` it was given holds the sentence, in that language.

        Our own errors say what happened. Any other one gets an id, which visitor and log share.
        """
        failure = Failure()
        try:
            yield failure
        except VisitorError as error:
            failure.sentence = self._words.sentence(error, language)
            failure.about_photo = isinstance(error, PhotoError)
        except NotDownloaded as error:
            LOG.warning("%s", error)
            failure.sentence = self._words.say("making.missing", language)
        except SQLAlchemyError as error:
            LOG.error("the database does not answer: %s", type(error).__name__)
            failure.sentence = self._words.say("error.database", language)
        except Exception as error:  # noqa: BLE001 - the one broad clause: logged here, told as one sentence
            failure.sentence = self._report_unexpected(error, language)

    def _report_unexpected(self, error: Exception, language: str | None) -> str:
        name = secrets.token_hex(3)
        if isinstance(error, OperatorError):
            LOG.error("error %s: %s", name, error)
        else:
            LOG.error("error %s: %s", name, _trace(error))
        return self._words.say("error.any", language, id=name)


def _trace(error: BaseException) -> str:
    """What kind of failure, and where, innermost first; its text and its paths could be a visitor's."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-DEPTH:]))
    here = f"{type(error).__name__} at {places}"
    return f"{here}, from {_trace(error.__cause__)}" if error.__cause__ else here
