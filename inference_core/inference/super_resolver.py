"""The public class: a low-resolution map, T1 and FLAIR in, the super-resolved map out, as SimpleITK images.

    resolver = SuperResolver.load()
    super_resolved = resolver(low_resolution, t1, flair, metabolite="tCho", sharpness=0.02)

A call has two steps that an interactive program takes apart: `prepare`, which is about the patient, and
`super_resolve`, which is about metabolite and sharpness and may be asked for single slices.

Data consistency is enforced within the network, and the result then masked to the brain: k-space of the unmasked
result holds the measured coefficients exactly (before the magnitude is taken), that of the masked one nearly.
"""

import copy
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
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
    padded_array,
    super_resolved_grid,
    super_resolved_image,
)
from inference_core.imaging.measured_support import as_measured
from inference_core.imaging.place import check_places
from inference_core.imaging.reading import check_map, check_overlap
from inference_core.imaging.roles import check_contents
from inference_core.inference.detail_match import UNMATCHED, ZERO_FILLED, DetailMatch, match_detail
from inference_core.inference.held_back import LEAST_MATCHED, held_back_problem, hold_back, telling_slices
from inference_core.inference.kept_mri import KeptMri, Mri
from inference_core.inference.kept_slices import KeptSlicesStore
from inference_core.inference.map_noise import MapNoise, noise_from_map
from inference_core.inference.noise_consistency import Movement, moved, movement, noise_weights
from inference_core.inference.prepared_input import PreparedInput
from inference_core.networks.scaling import slice_scale
from inference_core.networks.weights_io import WeightsInfo, load_weights
from inference_core.terms.conditions import (
    SUPER_RESOLVED_MATRIX,
    check_resolution,
    check_sharpness,
    metabolite_index,
    resolve_metabolite,
)
from inference_core.terms.detail import DEFAULT_CONSISTENCY, DEFAULT_DETAIL, check_consistency, check_detail

#: Slices that go through the network together, at most: one at a time stays in a CPU's caches, a GPU takes them all.
_BATCHES = {"cpu": 1, "cuda": 64, "mps": 8}
#: Bytes of slices kept for another lambda. On a CUDA GPU a whole volume: 7 MB a slice in single precision.
_KEPT_BYTES = {"cpu": 256 * 2**20, "cuda": 2**30}

#: Slices that tell how the detail matches the data, at most: more would tell little more and take longer.
_MATCHED_SLICES = 8

#: Called with the number of slices done and of all slices.
Progress = Callable[[int, int], None]


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
        detail: how the detail that the network adds to the measurement is treated, one of
            `inference_core.terms.detail.DETAILS`. Networks that are not the paper's give theirs as it is.
        consistency: how the measured k-space is kept, one of `inference_core.terms.detail.CONSISTENCIES`. "noise" takes
            two passes of the network for each slice, works from n = 12 up, and keeps coarser maps as "hard" does.

    Attributes:
        device: where it computes, as torch names it.
        device_reason: why there, for the user.
        precision: of the convolutions.
        weights: as given.
        detail, consistency: as given.

    Raises:
        InputError: for a device, runtime, precision, detail or consistency that is unknown or can't be used.
    """

    def __init__(
        self,
        network: nn.Module,
        device: str | None = None,
        weights: WeightsInfo | None = None,
        runtime: str | None = None,
        precision: str | None = None,
        detail: str = DEFAULT_DETAIL,
        consistency: str = DEFAULT_CONSISTENCY,
    ):
        self.detail, self.consistency = check_detail(detail), check_consistency(consistency)
        self.device, self.device_reason = choose_device(device)
        self.weights = weights
        if can_be_folded(network):
            # Those that the choice was made with are not made again.
            make_engine = cache(partial(Engine, network, self.device, runtime))
            self.precision = precision or choose_precision(make_engine, self.device)
            self._engine = make_engine(self.precision)
        else:
            self.precision = precision or "float32"
            check_runtime(runtime, self.precision, self.device)
            self._engine = AnyNetwork(network, self.device)
        self._store = KeptSlicesStore(_KEPT_BYTES.get(self.device.partition(":")[0], _KEPT_BYTES["cpu"]))
        self._mri = KeptMri()
        self._matches: dict[tuple[int, str], tuple[weakref.ref, DetailMatch]] = {}

    @property
    def runtime(self) -> str:
        """What runs the network."""
        return self._engine.runtime

    @property
    def proposes(self) -> bool:
        """Whether `propose` gives what comes before data consistency, so that detail can be matched."""
        return self._engine.proposes

    def apart(self) -> "SuperResolver":
        """One that computes with the same network, and leaves alone what this one keeps for the next lambda."""
        other = copy.copy(self)
        other._store = KeptSlicesStore()
        return other

    def forget(self) -> None:
        """Drop what is kept of the last patient."""
        self._store.clear()
        self._mri.clear()

    def with_detail(self, detail: str) -> "SuperResolver":
        """One that computes with the same network, and treats the detail that it adds in another way.

        What is kept of slices for the next lambda does not depend on that, so both keep it together.

        Raises:
            InputError: for an unknown way.
        """
        other = copy.copy(self)
        other.detail, other._matches = check_detail(detail), {}
        return other

    def with_consistency(self, consistency: str) -> "SuperResolver":
        """One that computes with the same network, and keeps the measured k-space in another way; see `with_detail`.

        Raises:
            InputError: for an unknown way.
        """
        other = copy.copy(self)
        other.consistency, other._matches = check_consistency(consistency), {}
        return other

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
        detail: str = DEFAULT_DETAIL,
        consistency: str = DEFAULT_CONSISTENCY,
    ) -> "SuperResolver":
        """A resolver with weights from a safetensors file.

        Args:
            weights: the file; None for the weights that come with the package.
            device: "cuda", "mps", "cpu", or None for the fastest.
            runtime: what runs the network; None for the best that is installed.
            precision: "float32", or on a GPU "float16" or "bfloat16"; None for the fastest that is near enough.
            detail: how the detail that the network adds is treated, one of `DETAILS`.
            consistency: how the measured k-space is kept, one of `CONSISTENCIES`.

        Raises:
            InputError: for weights that are missing, corrupt or foreign, or a device, runtime, precision, detail or
                consistency that can't be used.
        """
        # Before the weights, which take a while.
        check_detail(detail)
        check_consistency(consistency)
        check_runtime(runtime, precision or "float32", choose_device(device)[0])
        network, info = load_weights(weights)
        return cls(network, device, info, runtime, precision, detail, consistency)

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

    def prepare(self, low_resolution: sitk.Image, t1: sitk.Image, flair: sitk.Image) -> PreparedInput:
        """Check the images and bring them onto the network's grids.

        A map that was zero-filled or interpolated is taken back to the matrix that it was measured on. T1 and FLAIR are
        kept as they are on the last map's grid: those of another map there are the same arrays.

        Args:
            low_resolution, t1, flair: as the call's.

        Warns:
            InputWarning: for a map that was zero-filled or interpolated, n outside the trained range, failed fits that
                were filled, T1 or FLAIR that covers less than half of the map, a map whose slices do not lie along the
                third axis, images that give no position but agree, one image in two roles, and masks.

        Raises:
            InputError: for images that are not 3-D or not scalar, a map that is all zeros, too fine or too small, or
                of which half of the brain is missing, T1 or FLAIR that is empty or does not overlap the map, and files
                that give no position.
        """
        check_places({"map": low_resolution, "T1": t1, "FLAIR": flair})
        loaded = check_map(low_resolution)
        mri = self._mri.get(t1, flair)
        try:
            check_contents({"map": low_resolution, "T1": mri.t1, "FLAIR": mri.flair})
            return self._prepared(loaded, mri)
        finally:
            mri.wait()

    def _prepared(self, loaded: sitk.Image, mri: Mri) -> PreparedInput:
        """`prepare`, of images that were checked one by one."""
        low_resolution, support = as_measured(loaded)
        if support.interpolation is not None:
            warnings.warn(support.notice(loaded), InputWarning, stacklevel=3)
        grid = super_resolved_grid(low_resolution)
        n = check_resolution(grid.rows, grid.columns)
        values = padded_array(low_resolution, grid)
        for image, role in ((mri.t1, "T1"), (mri.flair, "FLAIR")):
            check_overlap(image, values, grid, role)
        on_grid = mri.on(grid)
        values = fill_failed_fits(values, grid, on_grid.brain and on_grid.brain.low_resolution)
        brain = measured_brain(values, on_grid.brain)
        if not brain.any():
            raise InputError(
                "The T1's brain and the map's non-zero voxels have nothing in common: check that both belong to the "
                "same patient and are registered."
            )
        return PreparedInput(
            low_resolution=values,
            t1=on_grid.t1,
            flair=on_grid.flair,
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
        match: DetailMatch | None = None,
    ) -> np.ndarray:
        """Super-resolve some or all slices of a prepared patient.

        Args:
            prepared: from `prepare`.
            metabolite: one of `inference_core.METABOLITES`, or an alias of one.
            sharpness: lambda, 0 to 0.1.
            slices: their indices, in the order wanted; None for all.
            progress: called after each batch of slices.
            match: how the detail that the network adds is scaled; None for `match` of this map. For maps that are
                another one's slices, mirrored or fewer, which tell less of it.

        Returns:
            float32 `(slice, 64, 64)` in the units of the map, 0 outside the brain; one for each of `slices`. A slice
            of which the map is entirely 0 is 0.

        Warns:
            InputWarning: if the GPU has too little memory for one slice, and the CPU takes over for good.

        Raises:
            InputError: for an unknown metabolite, sharpness outside its range, a slice that does not exist, or too
                little memory.
        """
        match = match or self.match(prepared, metabolite)
        gain = None if match is None or (match.amplitude, match.fall_off) == (1, 0) else match.gain()
        result = self._in_batches(prepared, metabolite, sharpness, slices, progress, partial(self._finish, gain=gain))
        chosen = self._chosen(prepared, slices)
        if match is not None and match.noise is not None:
            held_back = hold_back(prepared)
            proposed = self.apart().propose(held_back.prepared, metabolite, sharpness, chosen, progress)
            result = moved(result, proposed, match.gain(), held_back, chosen, match.noise)
        return result * prepared.brain[chosen]

    def propose(
        self,
        prepared: PreparedInput,
        metabolite: str,
        sharpness: float = 0.0,
        slices: Sequence[int] | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """What the network proposes before data consistency; arguments and errors as `super_resolve`.

        Its k-space means something only outside of the measured one, and its image only inside the brain: its training
        left it free elsewhere. Of a network that is not one of the paper's, this is its output.

        Returns:
            float32 `(slice, 64, 64)` in the units of the map.
        """
        return self._in_batches(prepared, metabolite, sharpness, slices, progress, self._engine.propose)

    def movement(
        self,
        prepared: PreparedInput,
        metabolite: str,
        sharpness: float,
        values: np.ndarray,
        slices: Sequence[int],
        progress: Progress | None = None,
    ) -> Movement:
        """How far the measured k-space of a map was moved; takes a pass of the network where it was.

        Args:
            prepared, metabolite, sharpness, slices, progress: as `super_resolve`.
            values: what that gave for the slices.

        Raises:
            InputError: as `super_resolve`.
        """
        match = self.match(prepared, metabolite)
        if match is None or match.noise is None:
            asked_for = self.consistency == "noise" and self.proposes
            return Movement(reason=(held_back_problem(prepared) or "") if asked_for else "")
        chosen = self._chosen(prepared, slices)
        kept = self.super_resolve(prepared, metabolite, sharpness, chosen, progress, replace(match, noise=None))
        return movement(values - kept, hold_back(prepared), chosen, match.noise)

    def match(
        self,
        prepared: PreparedInput,
        metabolite: str,
        noise: MapNoise | None = None,
        progress: Progress | None = None,
    ) -> DetailMatch | None:
        """How the detail that the network adds to a map is scaled, the same at each lambda.

        It is told from the map's measured k-space and the network's proposal at lambda = 0 for less of it, in up to 8
        slices, at the first call for a map: sharpness above that is what lambda asks for.

        Args:
            prepared: from `prepare`, with all slices.
            metabolite: one of `inference_core.METABOLITES`, or an alias of one.
            noise: of the map, for a consistency that asks for it, at the first call for a map; None to tell it from
                the map.
            progress: called before the first and after each batch of slices that it takes; may raise to end it. Not
                called where the match is known or needs no slices.

        Returns:
            None where `detail` is not "matched" or the network's proposal can't be had; `UNMATCHED` for maps that are
            too coarse to hold back a part of them.
        """
        plain = {"network": None, "zero-filled": ZERO_FILLED}
        if not self.proposes or (self.detail in plain and self.consistency == "hard"):
            return plain.get(self.detail) if self.proposes else None
        key = id(prepared), resolve_metabolite(metabolite)
        known, match = self._matches.get(key, (lambda: None, None))
        if known() is not prepared:
            match = self._matched(prepared, metabolite, noise, progress)
            for other in [other for other, kept in self._matches.items() if kept[0]() is None]:
                del self._matches[other]
            self._matches[key] = weakref.ref(prepared), match
        return match

    def _matched(
        self, prepared: PreparedInput, metabolite: str, noise: MapNoise | None, progress: Progress | None
    ) -> DetailMatch:
        plain = {"network": UNMATCHED, "zero-filled": ZERO_FILLED}
        if held_back_problem(prepared, LEAST_MATCHED) is not None:
            return plain.get(self.detail, UNMATCHED)
        held_back, slices = hold_back(prepared), telling_slices(prepared, _MATCHED_SLICES)
        if progress is not None:
            progress(0, len(slices))
        proposed = self.apart().propose(held_back.prepared, metabolite, 0.0, slices, progress)
        match = plain.get(self.detail) or match_detail(proposed, held_back, slices)
        if self.consistency == "hard" or held_back_problem(prepared) is not None:
            return match
        noise = noise or noise_from_map(prepared, slices, proposed)
        return replace(match, noise=noise_weights(proposed, match.gain(), held_back, slices, noise))

    @staticmethod
    def _chosen(prepared: PreparedInput, slices: Sequence[int] | None) -> list[int]:
        """The wanted slices' indices.

        Raises:
            InputError: if one does not exist.
        """
        count = prepared.grid.slices
        chosen = list(range(count)) if slices is None else list(slices)
        for index in chosen:
            if not 0 <= index < count:
                raise InputError(f"There is no slice {index}: the map has slices 0 to {count - 1}.")
        return chosen

    def _in_batches(
        self,
        prepared: PreparedInput,
        metabolite: str,
        sharpness: float,
        slices: Sequence[int] | None,
        progress: Progress | None,
        finish: Callable[[Any, float], torch.Tensor],
    ) -> np.ndarray:
        """What `finish` makes of each slice that is not all 0, `(slice, 64, 64)` in the units of the map.

        Args:
            finish: from what the engine kept of a batch and lambda to `(batch, 1, 64, 64)`.
        """
        metabolite, sharpness = metabolite_index(metabolite), check_sharpness(sharpness)
        wanted = self._chosen(prepared, slices)
        result = np.zeros((len(wanted), SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX), dtype=np.float32)
        todo = [place for place, index in enumerate(wanted) if prepared.low_resolution[index].any()]
        done = len(wanted) - len(todo)
        batch = self.batch
        while todo:
            places = todo[:batch]
            try:
                values = self._run(prepared, tuple(wanted[place] for place in places), metabolite, sharpness, finish)
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
        return result

    def _run(
        self,
        prepared: PreparedInput,
        slices: tuple[int, ...],
        metabolite: int,
        sharpness: float,
        finish: Callable[[Any, float], torch.Tensor],
    ) -> np.ndarray:
        """What `finish` makes of one batch, `(slice, 64, 64)`, in the units of the map."""
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
            output = finish(self._store.get(prepared, metabolite, slices, keep), sharpness)
        return output[:, 0].float().cpu().numpy() * scales

    def _finish(self, kept: Any, sharpness: float, gain: np.ndarray | None) -> torch.Tensor:
        """The super-resolved maps, with the detail outside of the measured k-space multiplied by `gain`."""
        if gain is None:
            return self._engine.finish(kept, sharpness)
        return self._engine.finish(kept, sharpness, self._to_device(torch.from_numpy(gain)))

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
        # Another one may still share the slices that are kept on the GPU.
        self._store = KeptSlicesStore()
        self._engine = Engine(network) if can_be_folded(network) else AnyNetwork(network, "cpu")
