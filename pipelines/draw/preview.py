"""Pictures in the making: what a half-drawn portrait is heading for, cheaply.

Tensors are latents (n, C, h, w) or pictures (n, 3, H, W) in -1..1 unless said otherwise; pictures are
uint8 (H, W, 3) sRGB. Previews are half as wide as the canvas.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.arrays import Pixels
from pipelines.draw.drawer import Watch
from pipelines.draw.loading import Networks

if TYPE_CHECKING:
    from torch import Tensor

Sketch = Callable[["Tensor"], "Tensor"]  # latents to pictures


def heading(scheduler: Any, before: "Tensor", after: "Tensor") -> "Tensor":
    """The clean latents that the step from `before` to `after` heads for, as if it went on straight.

    In latents of picture plus sigma times noise, a step of Euler's is a line that meets sigma 0 there; so it
    is where the picture fades by 1 - sigma, as in flow matching.
    """
    start, end = (float(scheduler.sigmas[scheduler.step_index + offset]) for offset in (-1, 0))
    return after - (after - before) * (end / (end - start))


class Steps:
    """Called by diffusers after every step: tells the watch how far it is, and what would draw previews."""

    def __init__(self, sketch: Sketch | None, noisy: "Tensor", watch: Watch) -> None:
        """`noisy`: the latents that the first step starts from."""
        self.sketch, self.before, self.watch = sketch, noisy, watch

    def __call__(self, pipe: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """What the pipeline calls, steps counted from 0; nothing in its tensors is changed."""
        before, self.before = self.before, tensors["latents"]

        def previews() -> tuple[Pixels, ...]:
            sketch = self.sketch
            return tuple(to_pixels(sketch(heading(pipe.scheduler, before, self.before)))) if sketch else ()

        self.watch(index + 1, previews)
        return {}


def to_tensor(pixels: Pixels) -> "Tensor":
    """float32 (1, 3, H, W) in 0..1."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float() / 255


def to_pixels(images: "Tensor") -> list[Pixels]:
    """(n, 3, H, W) in -1..1 to pictures, rounded as diffusers does."""
    rounded = (images.float() / 2 + 0.5).clamp(0, 1).mul(255).round().byte()
    return list(rounded.permute(0, 2, 3, 1).cpu().numpy())


def decode_latents(vae: Any, latents: "Tensor", tiled: bool) -> list[Pixels]:
    """Pictures from the autoencoder's own latents; tiles are for this once, not for what is encoded next."""
    vae.use_tiling = tiled
    try:
        return to_pixels(vae.decode(latents).sample)
    finally:
        vae.use_tiling = False


def tiny_sketch(networks: Networks) -> Sketch:
    """Previews by the tiny autoencoder, at half the size: a sixtieth of the work of a step."""
    import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it

    return lambda latents: networks.preview.decode(F.avg_pool2d(latents.to(networks.dtype), 2)).sample


def fitted_sketch(latents: "Tensor", plate: Pixels) -> Sketch:
    """Previews by a linear map from 3 x 3 latents to 4 x 4 pixels, fitted to the plate.

    For a set without a tiny autoencoder: a millisecond, where the set's own takes more than a step. The
    plate is the picture that the portraits start from, so the map knows the colours at hand.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it

    def around(latents: "Tensor") -> "Tensor":
        patches = F.unfold(latents.float(), 3, padding=1)
        return torch.cat([patches, torch.ones_like(patches[:, :1])], dim=1)

    wide, high = latents.shape[-1], latents.shape[-2]
    small = F.interpolate(to_tensor(plate).to(latents.device) * 2 - 1, (4 * high, 4 * wide), mode="area")
    wanted, known = F.pixel_unshuffle(small, 4).flatten(2)[0], around(latents)[0]
    ridge = 1e-2 * known.shape[1] * torch.eye(len(known), device=known.device)
    weights = torch.linalg.solve(known @ known.T + ridge, known @ wanted.T).T

    def sketch(latents: "Tensor") -> "Tensor":
        return F.pixel_shuffle((weights @ around(latents)).unflatten(2, latents.shape[-2:]), 4)

    return sketch
