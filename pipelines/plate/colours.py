"""The sitter's colours and the room's: each carried on under the other, told apart, unmixed.

Pictures are float32 (H, W, 3) sRGB 0..1, masks and alphas float32 (H, W) 0..1. Lengths are in pupil
distances d unless they end in `_px`.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Array, Mask, Pixels
from pipelines.mesh import NOSE_TIP
from pipelines.plate.masks import Site, blur, linear_step, resize, signed_distance

# A plain room's colour, chosen on curls rendered for `evaluation.scenes` (seeds 2, 7; not 11) and on plates:
# counted as hair from .15 of the way on, a room left a haze above a hat.
SURE_ROOM, SURE_SITTER = 0.3, 0.12  # so far outside and inside the contour
ROOM_SIGMA, WINDOW = 0.1, 0.5  # blur of the room's colour, and the window in which it must be plain
PLAIN = (0.10, 0.05)  # spread of the room's colours: not plain, plain
HAIR_ZONE = (0.42, 0.30)  # outside and inside the contour
NEAR_OTHERS = 0.4  # so far about other people a colour tells nothing
OTHER_COLOUR = (0.3, 0.75)  # of the way from the room's colour to the sitter's: room, hair
LEAST_SPREAD, MANY_SPREADS = 0.013, 9  # a camera's noise; a way shorter than so many spreads tells nothing

# Light of the room in hair and on outlines; by eye on 48 portraits, ten of them before a blue wall.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
COLOURFUL = (0.12, 0.28)  # chroma of a room: leaves no spill that is seen, leaves some
OWN_COLOUR, SPARED = 0.2, 0.02  # from so far inside the sitter's own colour counts, and what more may be
SPILL_ZONE = (0.4, 0.2)  # inside the contour: from where, to where it sets in


def push_pull(colours: Array, weight: Array) -> Array:
    """Fill where weight is 0 from where it is 1, smoothly (push-pull, Gortler 1996)."""
    levels = [(colours * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 1:
        total, share = levels[-1]
        half = tuple((n + 1) // 2 for n in share.shape)
        levels.append((resize(total, half), resize(share, half)))
    filled = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for total, share in reversed(levels[:-1]):
        filled = cv2.resize(filled, share.shape[::-1], interpolation=cv2.INTER_LINEAR)
        own = np.minimum(share * 4, 1)[..., None]  # a quarter of a cell is enough to speak for it
        filled = own * total / np.maximum(share, 1e-6)[..., None] + (1 - own) * filled
    return np.asarray(filled, np.float32)


def sitter_and_room_colours(picture: Array, alpha: Array) -> tuple[Array, Array]:
    """The sitter's and the room's colours, each carried on under the other: smooth, so at half the size."""
    half = tuple((n + 1) // 2 for n in alpha.shape)
    small, kernel = resize(picture, half), np.ones((5, 5), np.uint8)
    sure = (cv2.erode(part.astype(np.uint8), kernel) for part in (alpha > 0.97, alpha < 0.03))
    # a small pixel counts only when all of its own pixels are sure
    sitter, room = (
        push_pull(small, linear_step(resize(part.astype(np.float32), half), 0.9, 1)) for part in sure
    )
    return resize(sitter, alpha.shape), resize(room, alpha.shape)


class Key(NamedTuple):
    """What colour alone says about hair before a plain room."""

    share: Array  # (H, W) 0..1, of hair
    trust: Array  # (H, W) 0..1, nothing where the room is not plain, or where the mask says more

    def sees_more(self, inside: Mask) -> Mask:
        """Where it contradicts a contour: a strand far outside."""
        more = (self.trust > 0.3) & (self.share - inside > 0.3)
        return np.asarray(cv2.dilate(more.astype(np.uint8), np.ones((3, 3), np.uint8)), bool)


def key_hair(picture: Array, mask: Array, theirs: Array, site: Site) -> Key:
    """Hair by difference from a plain room, above the nose: strands that masks miss.

    How far a colour lies from the room's is compared with how far the sitter's nearby does. Nothing is told
    near `theirs`, the share of other people: their colours are not the room's either. Nor is anything taken
    away: gaps in curls would gain, but a bald crown and a striped hat have colours of the room too.
    """
    half = tuple((n + 1) // 2 for n in mask.shape)
    small, distance, near = resize(picture, half), signed_distance(mask > 0.5), site.at(0.5)
    parts = (distance < -SURE_ROOM * site.d) & (mask < 0.1), (distance > SURE_SITTER * site.d) & (mask > 0.9)
    room, own = (linear_step(resize(part.astype(np.float32), half), 0.9, 1) for part in parts)
    sigma, window = max(0.6, ROOM_SIGMA * near.d), (2 * round(WINDOW * near.d) + 1,) * 2
    behind = push_pull(_mean(blur, small, room, sigma), room)
    share = cv2.blur(room, window)
    level = _mean(cv2.blur, small, room, window)
    square = push_pull(_mean(cv2.blur, (small - level) ** 2, room, window), linear_step(share, 0.1, 0.11))
    spread = np.sqrt(square.clip(0).sum(axis=2))
    behind, spread, hair = (resize(layer, mask.shape) for layer in (behind, spread, push_pull(small, own)))
    way = np.linalg.norm(hair - behind, axis=2)
    told = np.maximum(way, MANY_SPREADS * np.maximum(spread, LEAST_SPREAD))
    found = linear_step(np.linalg.norm(picture - behind, axis=2) / told, *OTHER_COLOUR)
    zone = (distance > -HAIR_ZONE[0] * site.d) & (distance < HAIR_ZONE[1] * site.d) & ~site.oval(mask.shape)
    reach = np.ones((2 * max(1, round(NEAR_OTHERS * site.d)) + 1,) * 2, np.uint8)
    zone &= cv2.dilate((theirs > 0.1).astype(np.uint8), reach) == 0
    trust = linear_step(spread, *PLAIN) * zone * (1 - site.below(NOSE_TIP, 0.25, mask.shape))
    return Key(found.astype(np.float32), np.where(found < mask, 0, trust).astype(np.float32))


def _mean(average: Any, picture: Array, weight: Array, size: Any) -> Array:
    """The weighted local mean of a picture, `average` being a filter of OpenCV's."""
    total = average(picture * weight[..., None], size)
    return np.asarray(total / np.maximum(average(weight, size), 1e-4)[..., None], np.float32)


def unmix_colours(pixels: Pixels, alpha: Array, sitter: Array, room: Array) -> Pixels:
    """The sitter's own colours, uint8 (H, W, 3) sRGB: F0 + alpha^2 (I - alpha F0 - (1 - alpha) B0)."""
    colours: Pixels = cv2.convertScaleAbs(sitter, alpha=255)
    cv2.copyTo(pixels, (alpha >= 1).astype(np.uint8), colours)
    mixed = (alpha > 0) & (alpha < 1)
    share = alpha[mixed][:, None]
    own = sitter[mixed]
    rest = pixels[mixed].astype(np.float32) / 255 - share * own - (1 - share) * room[mixed]
    colours[mixed] = np.round((own + share**2 * rest).clip(0, 1) * 255).astype(np.uint8)
    return colours


class Spill(NamedTuple):
    """Which light of the room hair and outline have caught, as smooth layers of any size."""

    hue: Array  # (H, W, 3) of length 1: chroma of the room
    most: Array  # (H, W) of that, the sitter's own colours have
    share: Array  # (H, W) 0..1, how much of what is more goes

    def take(self, colours: Pixels, alpha: Array) -> Pixels:
        """The colours, uint8 (H, W, 3), without it; their luma stays."""
        hue, most, share = (resize(layer, alpha.shape) for layer in self)
        touched = (share > 0.01) & (alpha > 0)
        found, hue = colours[touched].astype(np.float32) / 255, hue[touched]
        more = (hue * _chroma(found)).sum(axis=1) - most[touched]
        found -= (share[touched] * more.clip(0))[:, None] * hue
        clean = colours.copy()
        clean[touched] = np.round(found.clip(0, 1) * 255)
        return clean


def find_spill(picture: Array, alpha: Array, room: Array, site: Site) -> Spill:
    """The spill of a colourful room, told by its hue: more of it than further inside, and than in grey.

    Grey is spared, so that white hair beside skin stays white.
    """
    half = tuple((n + 1) // 2 for n in alpha.shape)  # all of it is smooth
    small, behind = resize(picture, half), _chroma(resize(room, half))
    distance = signed_distance(resize(alpha, half) > 0.5) / site.at(0.5).d
    own = push_pull(small, (distance > OWN_COLOUR).astype(np.float32))
    strength = np.linalg.norm(behind, axis=2)
    hue = behind / np.maximum(strength, 1e-3)[..., None]
    most = (hue * _chroma(own)).sum(axis=2).clip(0) + SPARED
    share = linear_step(strength, *COLOURFUL) * linear_step(distance, *SPILL_ZONE)
    return Spill(hue, most, share.astype(np.float32))


def _chroma(colours: Array) -> Array:
    """Colours less their luma."""
    return colours - (colours @ LUMA)[..., None]
