"""Make one network of `warp` of several that were taught one from the other: the mean of their numbers.

    python tools/mean_network.py OUT.onnx A.onnx B.onnx ...

The mean errs less than each where they err differently, and is as fast as one. Source: Wortsman et al., "Model soups:
averaging weights of multiple fine-tuned models improves accuracy without increasing inference time", ICML 2022.
The card beside it, OUT.json, names them and lists everybody whom one of them learned from.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from gioconda.learning.export import all_of, onnx_bytes, read_retoucher, trained_on_of
from gioconda.learning.retoucher import Retoucher
from gioconda.media.files import sha256_of


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("networks", type=Path, nargs="+")
    options = parser.parse_args()
    learned = [trained_on_of(network) for network in options.networks]
    if None in learned:
        parser.error(f"{options.networks[learned.index(None)]}: no card beside it that says whom it learned from")
    each = [read_retoucher(network).state_dict() for network in options.networks]
    mean = Retoucher()
    mean.load_state_dict({name: torch.stack([state[name] for state in each]).mean(dim=0) for name in each[0]})
    options.out.write_bytes(onnx_bytes(mean.eval()))
    card = {
        "name": "warp",
        "mean_of": [sha256_of(network) for network in options.networks],
        "sha256": sha256_of(options.out),
        "trained_on": all_of(learned),
    }
    options.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
