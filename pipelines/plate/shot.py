"""How each portrait of a sitting is lit and cropped: frames of one session, not one frame several times.

A photographer moves the lamp, softens it, steps closer. The first portrait has the look's own light and crop;
the next ones go to and fro between the ends of the look's ranges, so that neighbours on a contact sheet
differ, each with a little chance of its own seed. The same look, place and seed give the same shot.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.look import Framing, Light, Look

HEADS = (0.3, 0.75)  # lowest and highest share of the height, as `Framing` allows
# Where in the ranges (0 lowest, 1 highest) the portraits after the first stand: the lamp crosses to the other
# side and back; a close crop follows a wide one; hard light follows soft.
KEYS, FILLS, CROPS = (0.05, 0.95, 0.3, 0.7), (0.75, 0.1, 0.95, 0.4), (0.9, 0.05, 0.6, 0.25)
JITTER = 0.05  # of a range, to each side


@dataclass(frozen=True)
class Shot:
    """Light and crop of one portrait."""

    light: Light
    framing: Framing

    def of(self, look: Look) -> Look:
        """The look under this light, in this crop."""
        return look.model_copy(update={"light": self.light, "framing": self.framing})


def shot(look: Look, framing: Framing, place: int, seed: int) -> Shot:
    """The shot at `place` (from 0) of a sitting; `framing` is the look's or the model set's."""
    if place == 0 or look.variation is None:
        return Shot(look.light, framing)
    chance = np.random.default_rng(seed).uniform(-JITTER, JITTER, 3)
    ranges = (look.variation.key, look.variation.fill, look.variation.crop)
    key, fill, crop = (
        low + (high - low) * float(np.clip(where[(place - 1) % len(where)] + off, 0, 1))
        for (low, high), where, off in zip(ranges, (KEYS, FILLS, CROPS), chance, strict=True)
    )
    light = look.light.model_copy(update={"key": round(key, 1), "fill": round(fill, 3)})
    tall = round(float(np.clip(framing.head_height * crop, *HEADS)), 4)
    return Shot(light, framing.model_copy(update={"head_height": tall}))
