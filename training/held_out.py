"""How much noise exported weights leave on sitters they have never seen: whether a training was worth it.

    FACE_VALUE_PORTRAITS=... python -m training.held_out --sitters 48 weights/mini OTHER

Mean squared error of the predicted noise by level, on the same plates with the same noise for every folder,
and for each further folder its change against the first with a 95 % interval over plates. Pictures are
judged by `evaluation.mini`; this sees differences that are too small to show there.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from diffusers import AutoencoderKL
from torch import Tensor

from pipelines.arrays import Floats
from pipelines.look import read_looks
from training.data import Example, examples, split
from training.denoiser import ALPHAS
from training.networks import MiniNetworks
from training.restart import shipped_networks

LEVELS = (25, 50, 100, 150, 250, 400, 600, 800)
BATCH = 16


@torch.no_grad()
def encoded(plates: list[Example], weights: Path) -> Tensor:
    """Latents by the autoencoder of `weights`: float32 (n, 8, 40, 32)."""
    model = AutoencoderKL.from_pretrained(weights / "vae").float().eval()
    pixels = torch.from_numpy(np.stack([plate.picture for plate in plates])).permute(0, 3, 1, 2)
    return torch.cat([model.encode(pixel[None].float() / 127.5 - 1).latent_dist.mean for pixel in pixels])


@torch.no_grad()
def left(networks: MiniNetworks, plates: list[Example], latents: Tensor, level: int) -> Floats:
    """Mean squared error of the noise that each plate got at a level, (n,)."""
    states, pooled = networks.encode([plate.caption for plate in plates])
    errors = []
    for first in range(0, len(plates), BATCH):
        part = slice(first, first + BATCH)
        noise = torch.randn(latents[part].shape, generator=torch.Generator().manual_seed(level + first))
        noisy = ALPHAS[level].sqrt() * latents[part] + (1 - ALPHAS[level]).sqrt() * noise
        maps = (
            torch.from_numpy(np.stack([plate.pose for plate in plates[part]])).permute(0, 3, 1, 2).float()
            / 255
        )
        at = torch.full((len(noisy),), level)
        drawn = networks.guess(noisy, at, states[part], pooled[part], maps)
        errors.append(F.mse_loss(drawn, noise, reduction="none").mean((1, 2, 3)))
    return torch.cat(errors).double().numpy()


def main() -> None:
    """Print a line a level and folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--sitters", type=int, default=60)
    wanted = parser.parse_args()
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    dropped: dict[str, str] = {}
    plates = list(examples(folder, split(folder)[1][: wanted.sitters], read_looks(), dropped))
    latents = encoded(plates, wanted.weights[0])
    print(f"{len(plates)} plates, two a picture; unfit: {len(dropped)}")
    before: dict[int, Floats] = {}
    for weights in wanted.weights:
        networks = shipped_networks(weights)
        for level in LEVELS:
            error = left(networks, plates, latents, level)
            change = error / before.setdefault(level, error) - 1
            spread = 1.96 * change.std() / len(change) ** 0.5
            print(f"{weights} level {level}: {error.mean():.4f}, {change.mean():+.2%} +- {spread:.2%}")


if __name__ == "__main__":
    main()
