"""A run's diary: curves as JSON lines and in TensorBoard, and sheets of pictures to look at."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from gioconda.media.pictures import write_png


def gpu_use(device: str, pace: float) -> dict[str, float]:
    """How well a GPU is used; nothing of a processor.

    Samples a second, the most gibibytes held, and the share of time it was busy, where pynvml is there to tell.
    """
    if device != "cuda":
        return {}
    values = {"samples per second": pace, "gpu memory": torch.cuda.max_memory_allocated() / 2**30}
    with suppress(ImportError, RuntimeError):
        values["gpu busy"] = torch.cuda.utilization() / 100
    return values


class Journal:
    """Writes `log.jsonl`, `sheets/STEP.png` and `tensorboard/` in a run's folder; use it in a `with` block."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._board = SummaryWriter(str(run / "tensorboard"))

    def losses(self, step: int, values: dict[str, float]) -> None:
        """One line, and a point of each curve."""
        with (self._run / "log.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def sheet(self, step: int, rows: Tensor) -> None:
        """Pictures, (rows, columns, 3, s, s), 0 to 1, as one sheet."""
        whole = (rows.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
        lines = torch.cat([torch.cat(list(row), dim=2) for row in whole], dim=1)
        (self._run / "sheets").mkdir(exist_ok=True)
        write_png(self._run / "sheets" / f"{step:07d}.png", lines.permute(1, 2, 0).contiguous().numpy())
        self._board.add_image("sheet", lines, step)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._board.close()
