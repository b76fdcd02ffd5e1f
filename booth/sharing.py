"""What a sitter lets others have: a portrait for the stage, a misfire for the wall, a skin tone for fairness.

All of it is asked for, may be taken back, and goes with "Delete mine". One code takes back what is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from booth.album import Album
from booth.catalogue import Pair, keep_misfire, offer
from booth.records import PictureId, SittingId
from errors import VisitorError
from votes.schema import Kind


@dataclass(eq=False)
class Sharing:
    """The leaves that one visitor has given. A minor's pictures are never offered to anybody."""

    album: Album
    is_minor: bool = False
    stage_code: str = ""  # takes the portrait for the stage back; empty: it may not be shown
    with_ladder: bool = False  # whether that leave is for the ladder too
    copies: tuple[PictureId, ...] = ()  # what was put into the album for the room
    misfire: SittingId | None = None  # a portrait allowed for the wall of misfires
    misfire_code: str = ""
    skin_tone: int = 0  # Monk skin tone that the visitor told; 0: none

    @property
    def code(self) -> str:
        """What takes everything back that is shown; empty where nothing is."""
        return self.stage_code or self.misfire_code

    def limit_to(self, is_minor: bool, sitting: SittingId | None) -> None:
        """The consent said whether this is a minor: then what was allowed before is taken back."""
        self.is_minor = is_minor
        if is_minor:
            self.forbid_all(sitting)
            self.skin_tone = 0

    def tell_skin_tone(self, band: int) -> None:
        """The visitor's own word, 1 the lightest to 10 the darkest. Raises `VisitorError` for a minor."""
        if self.is_minor:
            raise VisitorError("fair.minor")
        self.skin_tone = band

    def allow_stage(
        self, sitting: SittingId, pair: Pair, own: Mapping[Kind, PictureId], with_ladder: bool = False
    ) -> None:
        """The sitter's leave to show the room a pair, `own` being its pictures as the sitter has them.

        Raises `VisitorError` for a minor, and when the visit is over.
        """
        self._require_adult()
        try:
            code, copies = offer(self.album, sitting, pair, own, self.misfire_code)
        except KeyError as error:
            raise VisitorError("visit.over") from error
        self._drop_copies()
        self.stage_code, self.copies, self.with_ladder = code, copies, with_ladder

    def forbid_stage(self, sitting: SittingId | None) -> None:
        """The leave to show is taken back, that for a ladder too."""
        if sitting:
            self.album.forbid_show(sitting)
        self._drop_copies()
        self.stage_code, self.with_ladder = "", False

    def allow_misfire(self, pictures: Mapping[Kind, bytes], pair: Pair, changed: Mapping[str, str]) -> None:
        """The sitter's leave to hang a portrait that went wrong on the wall.

        `pictures` are marked JPEGs of photograph and portrait, `changed` its measures and their levels.
        Raises `VisitorError` for a minor.
        """
        self._require_adult()
        self.forbid_misfire()
        self.misfire, self.misfire_code = keep_misfire(self.album, pictures, pair, changed, self.stage_code)

    def forbid_misfire(self) -> None:
        """The leave for the wall is taken back."""
        if self.misfire:
            self.album.delete(self.misfire)
        self.misfire, self.misfire_code = None, ""

    def forbid_all(self, sitting: SittingId | None) -> None:
        """Nothing of this visitor may be shown any more."""
        self.forbid_stage(sitting)
        self.forbid_misfire()

    def wipe(self) -> None:
        """Whatever was allowed is gone with its pictures; the sitting itself is deleted by its visit."""
        self.forbid_misfire()
        self.stage_code, self.with_ladder, self.copies = "", False, ()
        self.skin_tone, self.is_minor = 0, False

    def release_misfire(self) -> None:
        """The visitor leaves: what hangs on the wall, or waits to, stays until its own time is up."""
        self.misfire = None

    def _drop_copies(self) -> None:
        for picture in self.copies:
            self.album.drop(picture)
        self.copies = ()

    def _require_adult(self) -> None:
        if self.is_minor:
            raise VisitorError("show.minor")
