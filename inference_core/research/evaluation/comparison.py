"""Figures of several methods over slices, metabolites and input resolutions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference_core.research.data.slice_set import SliceSet
from inference_core.research.evaluation.map_batches import map_batches
from inference_core.research.evaluation.methods import Method
from inference_core.research.evaluation.metrics import high_frequency_energy, psnr, ssim
from inference_core.terms.conditions import METABOLITES


@dataclass(frozen=True)
class Score:
    """One method's figures for one map.

    Attributes:
        method: its name.
        n: input resolution.
        metabolite: its name.
        slice: index into the slices compared on.
        psnr: in dB.
        ssim: structural similarity.
        sharpness: energy of fine detail relative to the ground truth's.
    """

    method: str
    n: int
    metabolite: str
    slice: int
    psnr: float
    ssim: float
    sharpness: float


def compare(
    methods: Mapping[str, Method],
    slices: SliceSet,
    resolutions: Sequence[int],
    batch_size: int = 8,
    progress: Callable[[Iterable], Iterable] = iter,
) -> list[Score]:
    """Every method's figures for every usable map at every resolution, all masked to valid ground truth.

    Args:
        methods: by name.
        slices: maps and ground truth.
        resolutions: input resolutions n.
        batch_size: maps that a method is given at once.
        progress: wraps the batches, such as `tqdm.tqdm`.
    """
    scores = []
    for part in progress(map_batches(slices, resolutions, batch_size)):
        batch, valid = part.of(slices), slices.valid[part.metabolite, part.indices]
        truths, metabolite = batch.target.numpy()[:, 0], METABOLITES[part.metabolite]
        for name, method in methods.items():
            outputs = (method(batch).cpu() * batch.mask).numpy()[:, 0]
            scores += [
                Score(name, part.n, metabolite, int(i), psnr(o, t), ssim(o, t), high_frequency_energy(o, t, v))
                for i, o, t, v in zip(part.indices, outputs, truths, valid, strict=True)
            ]
    return scores


def mean_by(scores: Iterable[Score], *keys: str) -> dict[tuple, tuple[float, float, float]]:
    """Mean PSNR, SSIM and sharpness of scores that share the attributes `keys`, such as "method" and "n"."""
    groups: dict[tuple, list[Score]] = {}
    for score in scores:
        groups.setdefault(tuple(getattr(score, k) for k in keys), []).append(score)
    return {
        key: tuple(float(np.mean([getattr(s, f) for s in group])) for f in ("psnr", "ssim", "sharpness"))
        for key, group in groups.items()
    }
