"""What the room said of one sitter's own pictures, in sentences: the same at the booth and on their phone."""

from sqlalchemy.exc import SQLAlchemyError

from booth.records import SittingId
from pages.charts import count_in_words
from services import Services
from votes.answers import room_answers


def said_by_room(services: Services, sitting: SittingId, language: str) -> tuple[str, ...]:
    """Of the portrait, then of the photograph; none of one that the room has not answered and been told of.

    None while the votes cannot be reached: whoever reads the room logs it, and the pictures matter more.
    """
    try:
        answers = room_answers(services.store, services.board.catalogue.items_of(sitting))
    except SQLAlchemyError:
        return ()

    def say(key: str, **values: object) -> str:
        return services.words.say(key, language, **values)

    told = {"home.room_generated": answers.generated, "home.room_photograph": answers.photograph}
    return tuple(say(key, count=count_in_words(say, count)) for key, count in told.items() if count)
