"""Learning on several machines, or in several processes of one, with Ray.

Every worker reads the dataset and the run's folder under the same paths: they lie where all can see
them. Only the first writes. When a worker dies, Ray starts all anew, and they go on from the last
checkpoint.
"""

from __future__ import annotations

import time
from pathlib import Path

from gioconda.cluster import cluster
from gioconda.errors import GiocondaError, UsageError
from gioconda.learning.checkpoint import NAME, checkpoint_header
from gioconda.learning.dataset import trained_on
from gioconda.learning.meta import ContentWeights, SketchTraining, check_run, train_sketch
from gioconda.learning.team import Team

DEATHS = 10
"""How often workers may die before the run is given up."""


def train_sketch_together(
    data: Path,
    run: Path,
    settings: SketchTraining,
    minutes: float,
    *,
    workers: int,
    steps: int | None = None,
    address: str | None = None,
    content: ContentWeights | None = None,
    log_every: int = 100,
) -> int:
    """As `train_sketch`, with each step shared by some workers.

    Args:
        data, run, settings, minutes, steps, content, log_every: as there; each worker learns of `settings.people` a
            step.
        workers: how many; each takes a GPU where the cluster has any.
        address: of a Ray cluster; None starts one on this machine, for as long as it takes.

    Returns:
        How many steps the run has behind it.

    Raises:
        UsageError: as `train_sketch`; no worker, no such cluster, or workers that died too often.
        OutputError: as `train_sketch`.
        MissingExtraError: Ray is not installed.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers: learning needs at least one")
    # What no worker could mend is said before any is started.
    trained_on(data)
    check_run(run, settings, minutes, steps)
    with cluster(address):
        _fit(data.absolute(), run.absolute(), settings, minutes, steps, workers, content, log_every)
    return checkpoint_header(run / NAME)[0]


def _fit(
    data: Path,
    run: Path,
    settings: SketchTraining,
    minutes: float,
    steps: int | None,
    workers: int,
    content: ContentWeights | None,
    log_every: int,
) -> None:
    import ray
    from ray import train
    from ray.train.torch import TorchTrainer

    # The clock goes on while workers are started anew.
    ends = time.time() + 60 * minutes

    def learn() -> None:
        context = train.get_context()
        team = Team(context.get_world_rank(), context.get_world_size())
        left = max(0.0, ends - time.time()) / 60
        train_sketch(data, run, settings, left, steps=steps, content=content, team=team, log_every=log_every)

    gpus = "GPU" in ray.cluster_resources()  # type: ignore[no-untyped-call]
    trainer = TorchTrainer(
        learn,
        scaling_config=train.ScalingConfig(num_workers=workers, use_gpu=gpus),
        run_config=train.RunConfig(
            name="ray", storage_path=str(run), failure_config=train.FailureConfig(max_failures=DEATHS)
        ),
    )
    try:
        trainer.fit()
    except Exception as error:  # Ray wraps what workers raise in classes of its own
        for cause in _causes(error):
            if isinstance(cause, GiocondaError):
                raise cause from error
        raise UsageError(f"the workers gave up: {str(error).splitlines()[0]}") from error


def _causes(error: BaseException) -> list[BaseException]:
    """It and all it came of."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        if (each := todo.pop()) is not None and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__, getattr(each, "cause", None)]
            todo += list(getattr(each, "worker_failures", {}).values())
    return found
