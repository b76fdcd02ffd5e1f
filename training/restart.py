"""Make the first checkpoint of a training from shipped weights, where the run that made them is gone.

    python -m training.restart            # weights/mini -> runs/mini; refuses to write over a checkpoint

The weights are the moving average, rounded to fp16; the optimiser begins anew. The shipped autoencoder's
latents have mean 0 and spread 1 already, so there is no scale left to fold in.
"""

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from training.data import all_captions
from training.networks import CHANNELS, MiniNetworks, kept_tokenizers, new_networks

RUNS = Path("runs/mini")
FILES = {
    "text_encoder": "model.safetensors",
    "text_encoder_2": "model.safetensors",
    "unet": "diffusion_pytorch_model.safetensors",
    "controlnet": "diffusion_pytorch_model.safetensors",
}


def shipped_networks(weights: Path) -> MiniNetworks:
    """The exported networks in float32. Raises `ValueError` where a caption of today has unknown words."""
    networks = new_networks(*kept_tokenizers([], weights))
    known = networks.tokenizer.get_vocab()
    words = {word for caption in all_captions() for word in caption.replace(",", " ,").split()}
    if unknown := sorted(word for word in words if f"{word}</w>" not in known):
        raise ValueError(f"The weights do not know {', '.join(unknown)}. Train from the beginning.")
    for name, part in networks.modules().items():
        stored = load_file(weights / name / FILES[name])
        part.load_state_dict({key: value.float() for key, value in stored.items()})
    return networks


def restart(weights: Path, runs: Path, step: int) -> None:
    """Write `denoiser.pt`, `autoencoder.pt` and `latent_scale.pt`; `step` says how far the weights are."""
    runs.mkdir(parents=True, exist_ok=True)
    for name in ("denoiser.pt", "polish.pt", "plates/latents.pt", "plates/redrawn.pt"):
        if (runs / name).exists():
            raise FileExistsError(f"{runs / name} is of another training. Move it away first.")
    networks = shipped_networks(weights)
    networks.tokenizer.save_pretrained(runs / "tokenizer")
    networks.tokenizer_2.save_pretrained(runs / "tokenizer_2")
    parts = networks.modules()
    state = {
        f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()
    }
    average = {key: value.clone() for key, value in state.items()}
    autoencoder = AutoencoderKL.from_pretrained(weights / "vae").float().state_dict()
    torch.save({"model": autoencoder, "step": 0}, runs / "autoencoder.pt")
    flat = torch.zeros(1, CHANNELS, 1, 1)
    torch.save((flat, flat + 1), runs / "latent_scale.pt")
    torch.save({"step": step, "pose": True, "weights": state, "average": average}, runs / "denoiser.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("weights/mini"))
    parser.add_argument("--step", type=int, default=3800, help="how far the weights were trained")
    wanted = parser.parse_args()
    restart(wanted.weights, RUNS, wanted.step)
