"""A patch discriminator: it tells drawn crops from photographed ones, and so teaches the decoder texture.

Losses are the hinge of Lim and Ye 2017 and feature matching (Wang et al. 2018), which keeps so small a
game steady. Patches are about 34 px wide: pores and hair, not faces.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor, nn

WIDTHS = (24, 48, 96)
RATE = 4e-4
TEXTURE_WEIGHT, FEATURE_WEIGHT = 0.2, 0.4


class Discriminator(nn.Module):
    """(n, 3, h, w) in -1..1 to one score a patch, and the features on the way."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            layers.append(
                nn.Sequential(
                    nn.utils.parametrizations.spectral_norm(nn.Conv2d(before, width, 4, 2, 1)),
                    nn.LeakyReLU(0.2),
                )
            )
            before = width
        self.layers = nn.ModuleList(layers)
        self.score = nn.Conv2d(before, 1, 3, 1, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores above 0 say "photographed"."""
        features = []
        for layer in self.layers:
            pictures = layer(pictures)
            features.append(pictures)
        return self.score(pictures), features


class Texture:
    """The game's other player with its own optimiser."""

    def __init__(self, device: str) -> None:
        self.network = Discriminator().to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=RATE, betas=(0.5, 0.99))

    def loss(self, drawn: Tensor, wanted: Tensor) -> Tensor:
        """What the decoder pays: for being found out, and for features unlike the photograph's."""
        score, features = self.network(drawn)
        with torch.no_grad():
            _, aims = self.network(wanted)
        match = torch.stack([F.l1_loss(a, b) for a, b in zip(features, aims, strict=True)]).sum()
        paid: Tensor = -TEXTURE_WEIGHT * score.mean() + FEATURE_WEIGHT * match
        return paid

    def learn(self, drawn: Tensor, wanted: Tensor) -> None:
        """One step of telling them apart."""
        self.optimizer.zero_grad(set_to_none=True)
        found, _ = self.network(drawn.detach())
        true, _ = self.network(wanted)
        (F.relu(1 + found).mean() + F.relu(1 - true).mean()).backward()
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
