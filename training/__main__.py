"""The whole training by one command, from portraits to weights.

    FACE_VALUE_PORTRAITS=... python -m training            # hours on a processor, minutes on a GPU
    FACE_VALUE_PORTRAITS=... python -m training            # again, after an interruption: it goes on

Every stage resumes from its checkpoint in `runs/mini` and is done at once when it was done before.
"""

import argparse
import os
from pathlib import Path

import torch

from pipelines.look import read_looks
from training import autoencoder, data, denoiser, export, polish, redrawn

PLATES = Path("runs/mini/plates")


def main() -> None:
    """Data, autoencoder, U-Net and text, pose map, the decoder's polish, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--autoencoder", type=int, default=4000, help="steps")
    parser.add_argument("--denoiser", type=int, default=6000, help="steps of U-Net and text encoders")
    parser.add_argument("--pose", type=int, default=1500, help="more steps, with the ControlNet")
    parser.add_argument("--polish", type=int, default=4600, help="steps of the decoder alone")
    parser.add_argument("--out", type=Path, default=Path("weights/mini"))
    wanted = parser.parse_args()

    if not (PLATES / "captions.json").exists():
        portraits = Path(os.environ["FACE_VALUE_PORTRAITS"])
        dropped: dict[str, str] = {}
        made = data.examples(portraits, data.split(portraits)[0], read_looks(), dropped)
        data.write(PLATES, portraits, made, dropped)
    autoencoder.train(wanted.autoencoder, wanted.device, PLATES / "pictures.npy")
    denoiser.train(PLATES, wanted.denoiser, False, wanted.device)
    denoiser.train(PLATES, wanted.denoiser + wanted.pose, True, wanted.device)
    redrawn.write(PLATES, wanted.device)
    polish.train(wanted.polish, wanted.device, PLATES)
    export.export(wanted.out)


if __name__ == "__main__":
    main()
