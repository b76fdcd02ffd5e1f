"""Write the trained networks as a diffusers folder in fp16: what `presets/model_sets/mini.toml` names.

    python -m training.export            # runs/mini -> weights/mini

The autoencoder's latents are standardised by folding mean and spread of each channel into its two 1 x 1
convolutions: exact, and the pipelines' own `latents_mean` reads four channels only.
"""

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from training.data import all_captions
from training.networks import (
    CHANNELS,
    MiniNetworks,
    kept_tokenizers,
    new_autoencoder,
    new_networks,
    new_scheduler,
)
from training.polish import polished

RUNS = Path("runs/mini")


@torch.no_grad()
def standardised(model: AutoencoderKL, centre: torch.Tensor, spread: torch.Tensor) -> AutoencoderKL:
    """The same autoencoder with latents of mean 0 and spread 1 a channel. `centre`, `spread`: (8,)."""
    encode, decode = model.quant_conv, model.post_quant_conv
    encode.weight[:CHANNELS] /= spread.view(-1, 1, 1, 1)
    encode.bias[:CHANNELS] = (encode.bias[:CHANNELS] - centre) / spread
    encode.bias[CHANNELS:] -= 2 * spread.log()  # the other half is the log variance
    decode.bias += (decode.weight[:, :, 0, 0] * centre).sum(dim=1)
    decode.weight *= spread.view(1, -1, 1, 1)
    return model


def trained_autoencoder() -> AutoencoderKL:
    """From its checkpoint, with the polished decoder where there is one, standardised."""
    model = new_autoencoder()
    model.load_state_dict(torch.load(RUNS / "autoencoder.pt", map_location="cpu", weights_only=True)["model"])
    centre, spread = torch.load(RUNS / "latent_scale.pt", weights_only=True)
    return standardised(polished(model), centre.flatten(), spread.flatten())


def trained_networks() -> MiniNetworks:
    """The moving average of U-Net, ControlNet and text encoders."""
    networks = new_networks(*kept_tokenizers(all_captions(), RUNS))
    average = torch.load(RUNS / "denoiser.pt", map_location="cpu", weights_only=True)["average"]
    for name, part in networks.modules().items():
        own = {key[len(name) + 1 :]: value for key, value in average.items() if key.startswith(f"{name}.")}
        part.load_state_dict(own)
    return networks


def export(out: Path) -> None:
    """Write all parts; an older export of the same name is written over."""
    trained_autoencoder().half().save_pretrained(out / "vae")
    networks = trained_networks()
    for name, part in networks.modules().items():
        part.half()
        getattr(networks, name).save_pretrained(out / name)
    networks.tokenizer.save_pretrained(out / "tokenizer")
    networks.tokenizer_2.save_pretrained(out / "tokenizer_2")
    new_scheduler().save_pretrained(out / "scheduler")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("weights/mini"))
    export(parser.parse_args().out)
