"""Training batches, made from nothing but a seed and the step's number, on the device that trains.

What makes a batch is tensor code with shapes that depend on nothing drawn, and nothing in it waits for the device: a
CUDA graph records it, and the CPU runs the same.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inference_core.errors import InputError
from inference_core.networks.conditioning import Condition
from inference_core.research.data import (
    acquired_masks,
    augmentation,
    baseline,
    domain_randomisation,
    mri_appearance,
    point_spread,
)
from inference_core.research.data.acquisition import Acquisition
from inference_core.research.data.batch_options import BatchOptions
from inference_core.research.data.batches import Batch
from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.slice_set import Slices
from inference_core.terms.conditions import SHARPNESS_RANGE, TRAINED_RESOLUTIONS

#: Share of batches whose lambda is exactly 0, so that the network is at its best without sharpening too.
_SHARE_WITHOUT_SHARPNESS = 0.1
#: Streams of random numbers that no example has: of what a batch shares, and of which slices it takes.
_WHOLE, _SLICES = 0xFFFFFFFF, 0xFFFFFFFE
#: Words that a batch shares.
_SHARED = 4


class Choice(NamedTuple):
    """What a batch shows; tensors of one element but for the slices.

    Attributes:
        metabolite: index into `inference_core.METABOLITES`, int64.
        resolution: index of n among the resolutions, int64.
        sharpness: lambda, float32.
        slices: which slices, `(example,)` int64.
    """

    metabolite: Tensor
    resolution: Tensor
    sharpness: Tensor
    slices: Tensor


class Examples(NamedTuple):
    """Slices as they are kept.

    Attributes:
        maps: acquired, target and where that is valid, `(example, 3, 64, 64)` float32.
        mri: T1 and FLAIR, `(example, 2, 192, 192, 3)` float16.
    """

    maps: Tensor
    mri: Tensor


class DeviceBatch(NamedTuple):
    """A batch whose shapes are the same for every n; see `inference_core.research.data.batches.Batch`.

    Attributes:
        low_resolution: `(example, 1, largest n, largest n)`, 0 beyond the batch's n.
        zero_filled: complex, `(example, 1, 64, 64)`.
        t1, flair: `(example, 1, 192, 192, 3)`.
        target, mask: `(example, 1, 64, 64)`.
        central: as `Acquisition.central`.
        condition: what the network is given.
        sharpness: lambda, `()`.
    """

    low_resolution: Tensor
    zero_filled: Tensor
    t1: Tensor
    flair: Tensor
    target: Tensor
    mask: Tensor
    central: Tensor
    condition: Condition
    sharpness: Tensor


class TrainingBatches:
    """Random, augmented batches of a set of slices.

    The batch of a step depends on the seed and the step alone, which is what lets training resume exactly, and each
    example has random numbers of its own, so that several processes can make a part of the batch each.

    Args:
        slices: what to draw from.
        batch_size: slices a batch.
        seed: any integer of at least 0.
        options: what is done to examples.
        resolutions: the input resolutions n to draw from.
        device: where batches are made.

    Attributes:
        maps: how many maps one epoch has.

    Raises:
        InputError: if no metabolite has a usable map.
    """

    def __init__(
        self,
        slices: Slices,
        batch_size: int,
        seed: int,
        options: BatchOptions | None = None,
        resolutions: Sequence[int] = TRAINED_RESOLUTIONS,
        device: torch.device | str = "cpu",
    ):
        self.slices, self.batch_size, self.seed = slices, batch_size, seed
        self.options, self.resolutions = options or BatchOptions(), tuple(resolutions)
        usable = slices.usable()
        if not usable.any():
            raise InputError("The training data hold no metabolite map with enough valid voxels.")
        self.maps = int(usable.sum())
        self.device = torch.device(device)
        self._usable = torch.tensor(usable, device=device)
        self._counts = self._usable.sum(dim=1)
        self._metabolites = torch.tensor(np.flatnonzero(usable.any(axis=1)), device=device)
        self._told = torch.stack([Condition.of(n, 0, 0).resolution for n in self.resolutions]).to(device)
        self._augment = augmentation.Augmentation(device)
        asked = self.options
        self._domain_randomisation = domain_randomisation.DomainRandomisation(device) if asked.redrawn else None
        self._appear = mri_appearance.MriAppearance(asked.mri, device) if asked.mri.changed else None
        self._pedestal = baseline.Baseline(asked.baseline, device) if asked.baseline[1] else None
        self._point_spread = point_spread.PointSpreads(asked.point_spread, device) if asked.point_spread.share else None
        self._acquire = Acquisition(self.resolutions, device)
        self._mask = acquired_masks.AcquiredMasks(self.options.varied_masks, self._acquire, device)
        self._whole, self._of_slices = (torch.tensor([stream], device=device) for stream in (_WHOLE, _SLICES))
        self._places = torch.arange(max(len(self.slices), self._words()), device=device)
        self._order = torch.arange(self.batch_size, device=device)

    def on(self, device: torch.device | str) -> "TrainingBatches":
        """The same batches, made on another device."""
        return TrainingBatches(self.slices, self.batch_size, self.seed, self.options, self.resolutions, device)

    def choose(self, step: Tensor) -> Choice:
        """What the batch of a step, `(1,)` int64, shows."""
        shared = RandomWords(self.seed, step, self._whole, _SHARED, self._places)
        metabolite = self._metabolites.index_select(0, shared.below(len(self._metabolites)))
        resolution = shared.below(len(self.resolutions))
        without = shared.uniform(1)[:, 0] < _SHARE_WITHOUT_SHARPNESS
        sharpness = shared.between(*SHARPNESS_RANGE).masked_fill(without, 0.0)
        # The slices with the smallest numbers: no slice twice as long as there are enough, and all alike often.
        count = len(self.slices)
        numbers = RandomWords(self.seed, step, self._of_slices, count, self._places).words(count)[0]
        # The index makes numbers unique, so that every device puts them in the same order.
        ranked = numbers.masked_fill(~self._usable.index_select(0, metabolite)[0], 1 << 32) * count
        first = (ranked + self._places[:count]).topk(min(count, self.batch_size), largest=False).indices
        enough = self._counts.index_select(0, metabolite).clamp(max=self.batch_size)
        return Choice(metabolite, resolution, sharpness, first.index_select(0, self._order % enough))

    def read(self, choice: Choice, part: slice = slice(None)) -> Examples:
        """The slices of a choice, or those of its examples that `part` cuts out, on the CPU; waits for the device."""
        metabolite = int(choice.metabolite)
        examples = [self.slices.example(metabolite, index) for index in choice.slices[part].tolist()]
        maps = np.stack([np.stack(own, dtype=np.float32, casting="unsafe") for own, _ in examples])
        return Examples(torch.from_numpy(maps), torch.from_numpy(np.stack([np.stack(mri) for _, mri in examples])))

    def make(self, step: Tensor, choice: Choice, examples: Examples, part: slice = slice(None)) -> DeviceBatch:
        """The batch of a step, `(1,)` int64, or those of its examples that `part` cuts out.

        Args:
            step: as `choose` was given it.
            choice: from `choose`.
            examples: the slices that were chosen, of `part`, on this device.
            part: which.
        """
        options = self.options
        random = RandomWords(self.seed, step, self._order[part], self._words(), self._places)
        maps, mri = self._augment(random, *examples)
        share = random.uniform(1)
        acquired, target, mask = maps.split(1, dim=1)
        brain = domain_randomisation.block_means((mri[:, 0] > 0).float().flatten(1)).view_as(mask)
        shown = self._mask(random, mask, brain, choice.resolution)
        if self._domain_randomisation is not None:
            drawn = self._domain_randomisation(random, mri)
            redrawn = ((share[:, 0] < options.redrawn) & drawn[2])[:, None, None, None]
            acquired, target = (
                torch.where(redrawn, new[:, None], old) for new, old in zip(drawn, (acquired, target), strict=False)
            )
        if self._appear is not None:
            mri = self._appear(random, mri)
        if self._pedestal is not None:
            pedestal = self._pedestal(random, target, mask, brain)
            acquired, target = acquired + pedestal, target + pedestal
        if self._point_spread is not None:
            seen = self._point_spread(torch.cat((acquired, target), dim=1), self._point_spread.draw(random))
            # What is measured is a magnitude, ringing included.
            acquired, target = seen[:, :1], seen[:, 1:].abs()
        noise = self._noise(random, acquired, mask) * shown.noise if options.noise[1] else None
        measured = self._acquire(acquired * shown.fine, choice.resolution, noise, shown.signal)
        mask = mask * shown.valid
        return DeviceBatch(
            low_resolution=measured.low_resolution / measured.scale,
            zero_filled=measured.zero_filled / measured.scale,
            t1=mri[:, :1],
            flair=mri[:, 1:],
            target=target / measured.scale * mask,
            mask=mask,
            central=self._acquire.central(choice.resolution),
            condition=Condition(
                self._told.index_select(0, choice.resolution)[0],
                choice.metabolite[0],
                choice.sharpness[0] / SHARPNESS_RANGE[1],
            ),
            sharpness=choice.sharpness[0],
        )

    def _words(self) -> int:
        """Words that an example takes at most."""
        words = augmentation.WORDS + 1
        words += acquired_masks.VARIED_WORDS if self.options.varied_masks else acquired_masks.WORDS
        words += domain_randomisation.WORDS if self._domain_randomisation is not None else 0
        words += mri_appearance.WORDS if self._appear is not None else 0
        words += baseline.WORDS if self._pedestal is not None else 0
        words += point_spread.WORDS if self._point_spread is not None else 0
        return words + (1 + 2 * max(self.resolutions) ** 2 if self.options.noise[1] else 0)

    def _noise(self, random: RandomWords, acquired: Tensor, mask: Tensor) -> Tensor:
        """Complex noise in low-resolution voxels, of one standard deviation in its real and its imaginary part.

        Fits of spectra give amplitudes, which are real and positive; the magnitude of signal and complex noise is, too,
        and has the floor that such maps show where there is no signal.
        """
        low, high = (float(np.log(bound)) for bound in self.options.noise)
        typical = (acquired * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3)).clamp(min=1)
        deviation = (torch.exp(low + (high - low) * random.uniform(1)) * typical)[..., None, None]
        side = max(self.resolutions)
        parts = random.normal(2 * side**2).view(-1, 2, side, side)
        return deviation * torch.complex(parts[:, :1], parts[:, 1:])

    def batch(self, step: int, part: slice = slice(None)) -> Batch:
        """The batch of a step, or those of its examples that `part` cuts out, without making the others."""
        number = torch.tensor([step], device=self.device)
        choice = self.choose(number)
        examples = Examples(*(tensor.to(self.device) for tensor in self.read(choice, part)))
        made, n = self.make(number, choice, examples, part), self.resolutions[int(choice.resolution)]
        own = {name: getattr(made, name) for name in (field.name for field in fields(Batch)) if hasattr(made, name)}
        own["low_resolution"] = made.low_resolution[..., :n, :n].contiguous()
        return Batch(**own | {"n": n, "metabolite": int(choice.metabolite), "sharpness": float(choice.sharpness)})

    def mixing(self, step: int, part: slice = slice(None)) -> Tensor:
        """Where between target and output the critic's gradient is penalised, `(example, 1, 1, 1)`."""
        return self.mixed(torch.tensor([step], device=self.device))[part]

    def mixed(self, step: Tensor) -> Tensor:
        """As `mixing`, of a whole batch and a step `(1,)` int64."""
        return RandomWords(self.seed, step, self._order + self.batch_size, 4, self._places).uniform(1)[..., None, None]
