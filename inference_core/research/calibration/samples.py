"""Features and true errors in voxels of simulated patients, to calibrate with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import SimpleITK as sitk
import torch

from inference_core.imaging.geometry import super_resolved_grid
from inference_core.inference.super_resolver import PreparedInput, SuperResolver
from inference_core.inference.uncertainty.calibration import FEATURES
from inference_core.inference.uncertainty.features import gather_features, on_maps_grid
from inference_core.networks import kspace
from inference_core.networks.scaling import slice_scale
from inference_core.research.data.simulated import Lesions, SimulatedSlices
from inference_core.research.data.slice_set import SliceSet
from inference_core.terms.conditions import METABOLITES

#: Where a voxel lies: in ordinary tissue, the tumour, or an MRI-occult lesion.
REGIONS = ("ordinary", "tumour", "raised", "lowered")
#: Voxels drawn from each map's ordinary tissue, and from each of its other regions.
_ORDINARY, _SPECIAL = 120, 40


@dataclass(frozen=True)
class Samples:
    """Voxels, one a row; features and errors as shares of their slice's level.

    Attributes:
        features: those of `FEATURES`, `(voxel, feature)`.
        error: super-resolved less true value, `(voxel,)`.
        metabolite: index into `METABOLITES`, `(voxel,)`.
        n: `(voxel,)`.
        sharpness: lambda, `(voxel,)`.
        region: index into `REGIONS`, `(voxel,)`.
        weight: voxels of its region that each stands for, `(voxel,)`.
        patient: the patient's seed, `(voxel,)`.
    """

    features: np.ndarray
    error: np.ndarray
    metabolite: np.ndarray
    n: np.ndarray
    sharpness: np.ndarray
    region: np.ndarray
    weight: np.ndarray
    patient: np.ndarray

    @classmethod
    def concatenate(cls, parts: Iterable["Samples"]) -> "Samples":
        """All of them."""
        parts = list(parts)
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def where(self, chosen: np.ndarray) -> "Samples":
        """Those that are `chosen`, `(voxel,)` bool."""
        return Samples(*(getattr(self, f.name)[chosen] for f in fields(self)))


def prepare_slices(slices: SliceSet, metabolite: int, n: int) -> PreparedInput:
    """Simulated slices as `SuperResolver.prepare` would give them, at an input resolution."""
    low_resolution = kspace.low_resolution(torch.from_numpy(slices.acquired[metabolite]), (n, n))
    t1 = slices.t1.astype(np.float32)
    return PreparedInput(
        low_resolution=low_resolution.numpy(),
        t1=t1,
        flair=slices.flair.astype(np.float32),
        brain=on_maps_grid(t1 > 0) > 0.5,
        scales=slice_scale(low_resolution).flatten().numpy(),
        n=n,
        grid=super_resolved_grid(sitk.Image(n, n, len(t1), sitk.sitkFloat32)),
    )


def sample_patient(
    resolver: SuperResolver,
    patient: SimulatedSlices,
    resolutions: Sequence[int],
    sharpnesses: Sequence[float],
) -> Samples:
    """Voxels of a patient's maps, each metabolite at each n, at one lambda after the other in turn.

    Args:
        resolver: whose errors are looked at.
        patient: simulated; which voxels are drawn depends on its seed alone.
        resolutions: the n.
        sharpnesses: the lambdas.
    """
    slices, lesions, parts = patient.slices(), patient.lesions(), []
    rng = np.random.default_rng(patient.seed)
    usable, turn = slices.usable(), patient.seed
    for m, name in enumerate(METABOLITES):
        for n in resolutions:
            sharpness = sharpnesses[turn % len(sharpnesses)]
            turn += 1
            chosen = np.flatnonzero(usable[m]).tolist()
            if not chosen:
                continue
            prepared = prepare_slices(slices, m, n)
            maps, features = gather_features(resolver, prepared, name, sharpness, chosen)
            relative = features.relative(tuple(FEATURES))
            for place, index in enumerate(chosen):
                level = features.level[place]
                valid = slices.valid[m, index] & (level > 0)
                error = np.divide(maps[place] - slices.target[m, index], level, out=np.zeros_like(level), where=valid)
                region, condition = _regions(lesions, m, index), (m, n, sharpness)
                parts.append(_drawn(rng, relative[place], error, valid, region, condition, patient.seed))
    return Samples.concatenate(parts)


def _regions(lesions: Lesions, metabolite: int, index: int) -> np.ndarray:
    """Index into `REGIONS` of each voxel, `(64, 64)`."""
    occult = lesions.occult[metabolite, index]
    region = np.where(lesions.tumour[index], REGIONS.index("tumour"), REGIONS.index("ordinary"))
    return np.select([occult > 0, occult < 0], [REGIONS.index("raised"), REGIONS.index("lowered")], region)


def _drawn(
    rng: np.random.Generator,
    features: np.ndarray,
    error: np.ndarray,
    valid: np.ndarray,
    region: np.ndarray,
    condition: tuple[int, int, float],
    seed: int,
) -> Samples:
    """Some voxels of each region of one map."""
    places, weights = [], []
    for index, name in enumerate(REGIONS):
        own = np.flatnonzero(valid & (region == index))
        count = min(len(own), _ORDINARY if name == "ordinary" else _SPECIAL)
        places.append(rng.choice(own, count, replace=False))
        weights.append(np.full(count, len(own) / max(count, 1)))
    at = np.concatenate(places)
    told = [np.full(len(at), value) for value in condition]
    return Samples(
        features.reshape(-1, features.shape[-1])[at],
        error.flat[at],
        *told,
        region.flat[at],
        np.concatenate(weights),
        np.full(len(at), seed),
    )
