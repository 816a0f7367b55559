"""The public face: a low-resolution map, T1 and FLAIR in, the super-resolved map out, as SimpleITK images.

    resolver = SuperResolver.load()
    super_resolved = resolver(low_resolution, t1, flair, metabolite="tCho", sharpness=0.02)

A call has two steps that an interactive program takes apart: `prepare`, which is about the patient, and
`super_resolve`, which is about metabolite and sharpness and may be asked for single slices.

Data consistency is enforced within the network, and the result then masked to the brain: k-space of the unmasked
result holds the measured coefficients exactly (before the magnitude is taken), that of the masked one nearly.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn

from inference_core.engine.any_network import AnyNetwork
from inference_core.engine.devices import choose_device
from inference_core.engine.engine import Engine
from inference_core.engine.heads import can_be_folded
from inference_core.engine.precision import choose_precision
from inference_core.engine.runtimes import check_runtime
from inference_core.errors import InputError, InputWarning
from inference_core.imaging.brain_mask import measured_brain
from inference_core.imaging.failed_fits import fill_failed_fits
from inference_core.imaging.geometry import (
    SuperResolvedGrid,
    padded_array,
    super_resolved_grid,
    super_resolved_image,
)
from inference_core.imaging.measured_support import as_measured
from inference_core.imaging.place import check_places
from inference_core.imaging.reading import check_map, check_overlap
from inference_core.imaging.roles import check_contents
from inference_core.inference.kept_mri import KeptMri
from inference_core.inference.kept_slices import KeptSlicesStore
from inference_core.networks.scaling import slice_scale
from inference_core.networks.weights_io import WeightsInfo, load_weights
from inference_core.terms.conditions import (
    SUPER_RESOLVED_MATRIX,
    check_resolution,
    check_sharpness,
    metabolite_index,
    resolve_metabolite,
)

#: Slices that go through the network together, at most: one at a time stays in a CPU's caches, a GPU takes them all.
_BATCHES = {"cpu": 1, "cuda": 64, "mps": 8}
#: Bytes of slices kept for another lambda. On a CUDA GPU a whole volume: 7 MB a slice in single precision.
_KEPT_BYTES = {"cpu": 256 * 2**20, "cuda": 2**30}

#: Called with the number of slices done and of all slices.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PreparedInput:
    """A patient's images on the network's grids, and what undoes the way there.

    Attributes:
        low_resolution: the padded map without failed fits, `(slice, row, column)` float32 in the input's units.
        t1: `(slice, 192, 192, 3)` float32, 0 to 1.
        flair: like `t1`.
        brain: where the result may hold values, `(slice, 64, 64)` bool.
        scales: what each slice is divided by for the network, `(slice,)` float32 in the input's units.
        n: input resolution that the network is told.
        grid: where the result lies in the patient.
        interpolation: how the map was interpolated before it was loaded, as `MeasuredSupport` names it, or None. The
            other attributes are those of the map as it was measured.
    """

    low_resolution: np.ndarray
    t1: np.ndarray
    flair: np.ndarray
    brain: np.ndarray
    scales: np.ndarray
    n: int
    grid: SuperResolvedGrid
    interpolation: str | None = None


class SuperResolver:
    """Super-resolves metabolite maps with one network on one device.

    Args:
        network: called as `network(low_resolution, t1, flair, n, metabolite, sharpness)`, see
            `inference_core.networks`. The paper's networks are computed by `inference_core.engine.engine`, which gives
            the same output faster.
        device: "cuda", "mps", "cpu", or None for the fastest.
        weights: where the network's weights came from, if from a file.
        runtime: what runs the network, one of `inference_core.engine.runtimes.RUNTIMES`, or None for the best that
            is installed.
        precision: of the convolutions, "float32", or on a GPU "float16" or "bfloat16"; None for "float16" on a CUDA GPU
            where it changes maps by less than a thousandth of their range, else "float32".

    Attributes:
        device: where it computes, as torch names it.
        device_reason: why there, for the user.
        precision: of the convolutions.
        weights: as given.

    Raises:
        InputError: for a device, runtime or precision that is unknown or can't be used.
    """

    def __init__(
        self,
        network: nn.Module,
        device: str | None = None,
        weights: WeightsInfo | None = None,
        runtime: str | None = None,
        precision: str | None = None,
    ):
        self.device, self.device_reason = choose_device(device)
        self.weights = weights
        if can_be_folded(network):
            make_engine = partial(Engine, network, self.device, runtime)
            self.precision = precision or choose_precision(make_engine, self.device)
            self._engine = make_engine(self.precision)
        else:
            self.precision = precision or "float32"
            check_runtime(runtime, self.precision, self.device)
            self._engine = AnyNetwork(network, self.device)
        self._store = KeptSlicesStore(_KEPT_BYTES.get(self.device.partition(":")[0], _KEPT_BYTES["cpu"]))
        self._mri = KeptMri()

    @property
    def runtime(self) -> str:
        """What runs the network."""
        return self._engine.runtime

    def apart(self) -> "SuperResolver":
        """One that computes with the same network, and leaves alone what this one keeps for the next lambda."""
        other = copy.copy(self)
        other._store = KeptSlicesStore()
        return other

    def forget(self) -> None:
        """Drop what is kept of the last patient."""
        self._store.clear()
        self._mri.clear()

    @property
    def batch(self) -> int:
        """How many slices go through the network together, at most."""
        return _BATCHES[self.device.partition(":")[0]]

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        device: str | None = None,
        runtime: str | None = None,
        precision: str | None = None,
    ) -> "SuperResolver":
        """A resolver with weights from a safetensors file.

        Args:
            weights: the file; None for the weights that come with the package.
            device: "cuda", "mps", "cpu", or None for the fastest.
            runtime: what runs the network; None for the best that is installed.
            precision: "float32", or on a GPU "float16" or "bfloat16"; None for the fastest that is near enough.

        Raises:
            InputError: for weights that are missing, corrupt or foreign, or a device, runtime or precision that can't
                be used.
        """
        # Before the weights, which take a while.
        check_runtime(runtime, precision or "float32", choose_device(device)[0])
        network, info = load_weights(weights)
        return cls(network, device, info, runtime, precision)

    def __call__(
        self,
        low_resolution: sitk.Image,
        t1: sitk.Image,
        flair: sitk.Image,
        metabolite: str = "tCho",
        sharpness: float = 0.0,
        progress: Progress | None = None,
    ) -> sitk.Image:
        """Super-resolve a map.

        Args:
            low_resolution: the map, 3-D; slices along the third axis.
            t1: 3-D, on a grid of its own, registered with the map; skull-stripped if the result shall end where the
                brain does.
            flair: like `t1`, on a grid of its own.
            metabolite: one of `inference_core.METABOLITES`, or an alias of one.
            sharpness: lambda, 0 to 0.1.
            progress: called after each batch of slices.

        Returns:
            float32, 64 x 64 voxels a slice, in the units of `low_resolution`, 0 outside the brain.

        Warns:
            InputWarning: see `prepare`.

        Raises:
            InputError: for an unknown metabolite, sharpness outside its range, and see `prepare`.
        """
        # Before the geometry, which takes a while.
        metabolite, sharpness = resolve_metabolite(metabolite), check_sharpness(sharpness)
        prepared = self.prepare(low_resolution, t1, flair)
        array = self.super_resolve(prepared, metabolite, sharpness, progress=progress)
        image = super_resolved_image(array, prepared.grid)
        image.SetMetaData("mrsi_superres_metabolite", metabolite)
        image.SetMetaData("mrsi_superres_sharpness", f"{sharpness:g}")
        image.SetMetaData("mrsi_superres_n", str(prepared.n))
        return image

    def prepare(
        self, low_resolution: sitk.Image, t1: sitk.Image, flair: sitk.Image, like: PreparedInput | None = None
    ) -> PreparedInput:
        """Check the images and bring them onto the network's grids.

        A map that was zero-filled or interpolated is taken back to the matrix that it was measured on.

        Args:
            low_resolution, t1, flair: as the call's.
            like: another map's, prepared with the same T1 and FLAIR: what was brought onto the grid then is used again
                if both maps lie on one. What was prepared last is found by itself.

        Warns:
            InputWarning: for a map that was zero-filled or interpolated, n outside the trained range, failed fits that
                were filled, T1 or FLAIR that covers less than half of the map, a map whose slices do not lie along the
                third axis, images that tell no place but agree, one image in two roles, and masks.

        Raises:
            InputError: for images that are not 3-D or not scalar, a map that is all zeros, too fine or too small, or
                of which half of the brain is missing, T1 or FLAIR that is empty or does not overlap the map, and files
                that tell no place.
        """
        check_places({"map": low_resolution, "T1": t1, "FLAIR": flair})
        loaded = check_map(low_resolution)
        mri = self._mri.get(t1, flair)
        check_contents({"map": low_resolution, "T1": mri.t1, "FLAIR": mri.flair})
        low_resolution, support = as_measured(loaded)
        if support.interpolation is not None:
            warnings.warn(support.notice(loaded), InputWarning, stacklevel=2)
        grid = super_resolved_grid(low_resolution)
        n = check_resolution(grid.rows, grid.columns)
        values = padded_array(low_resolution, grid)
        for image, role in ((mri.t1, "T1"), (mri.flair, "FLAIR")):
            check_overlap(image, values, grid, role)
        values = fill_failed_fits(values, grid, mri.brain)
        on_grid = mri.on(grid)
        brain = measured_brain(values, on_grid.brain)
        if not brain.any():
            raise InputError(
                "The T1's brain and the map's non-zero voxels have nothing in common: check that both belong to the "
                "same patient and are registered."
            )
        alike = like is not None and like.grid == grid
        return PreparedInput(
            low_resolution=values,
            t1=like.t1 if alike else on_grid.t1,
            flair=like.flair if alike else on_grid.flair,
            brain=brain,
            scales=slice_scale(torch.from_numpy(values)).flatten().numpy(),
            n=n,
            grid=grid,
            interpolation=support.interpolation,
        )

    def super_resolve(
        self,
        prepared: PreparedInput,
        metabolite: str = "tCho",
        sharpness: float = 0.0,
        slices: Sequence[int] | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Super-resolve some or all slices of a prepared patient.

        Args:
            prepared: from `prepare`.
            metabolite: one of `inference_core.METABOLITES`, or an alias of one.
            sharpness: lambda, 0 to 0.1.
            slices: their indices, in the order wanted; None for all.
            progress: called after each batch of slices.

        Returns:
            float32 `(slice, 64, 64)` in the units of the map, 0 outside the brain; one for each of `slices`. A slice
            of which the map is entirely 0 is 0.

        Warns:
            InputWarning: if the GPU has too little memory for one slice, and the CPU takes over for good.

        Raises:
            InputError: for an unknown metabolite, sharpness outside its range, a slice that does not exist, or too
                little memory.
        """
        metabolite, sharpness = metabolite_index(metabolite), check_sharpness(sharpness)
        count = prepared.grid.slices
        wanted = list(range(count)) if slices is None else list(slices)
        for index in wanted:
            if not 0 <= index < count:
                raise InputError(f"There is no slice {index}: the map has slices 0 to {count - 1}.")
        result = np.zeros((len(wanted), SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX), dtype=np.float32)
        todo = [place for place, index in enumerate(wanted) if prepared.low_resolution[index].any()]
        done = len(wanted) - len(todo)
        batch = self.batch
        while todo:
            places = todo[:batch]
            try:
                values = self._run(prepared, tuple(wanted[place] for place in places), metabolite, sharpness)
            except torch.cuda.OutOfMemoryError as error:
                self._store.clear()
                if len(places) > 1:
                    batch = len(places) // 2
                    torch.cuda.empty_cache()
                else:
                    self._move_to_cpu(error)
                continue
            result[places] = values
            todo = todo[len(places) :]
            done += len(places)
            if progress is not None:
                progress(done, len(wanted))
        return result * prepared.brain[wanted]

    def _run(self, prepared: PreparedInput, slices: tuple[int, ...], metabolite: int, sharpness: float) -> np.ndarray:
        """The network's output for one batch, `(slice, 64, 64)`, in the units of the map, not masked yet."""
        scales = prepared.scales[list(slices), None, None]

        def keep() -> Any:
            low_resolution, t1, flair = (
                array[list(slices)] for array in (prepared.low_resolution, prepared.t1, prepared.flair)
            )
            arrays = (low_resolution / scales, t1, flair)
            tensors = [self._to_device(torch.from_numpy(array)[:, None]) for array in arrays]
            return self._engine.keep(*tensors, prepared.n, metabolite)

        # The same slice must look the same each time the slider returns to it; and float32 is not TF32.
        reproducible = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), reproducible:
            output = self._engine.finish(self._store.get(prepared, metabolite, slices, keep), sharpness)
        return output[:, 0].float().cpu().numpy() * scales

    def _to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.device)

    def _move_to_cpu(self, error: Exception) -> None:
        """Go on without the GPU.

        Raises:
            InputError: if there is no GPU to do without.
        """
        if self.device == "cpu":
            raise InputError(
                "There is too little memory for even one slice: close other programs, and try again."
            ) from error
        message = (
            f"There is too little memory on {self.device} for even one slice: the CPU takes over, which is slower."
        )
        warnings.warn(message, InputWarning, stacklevel=3)
        network = copy.deepcopy(self._engine.network).cpu()
        self.device, self.device_reason = "cpu", f"CPU: {self.device} has too little memory"
        self.precision = "float32"
        self._engine = Engine(network) if can_be_folded(network) else AnyNetwork(network, "cpu")
