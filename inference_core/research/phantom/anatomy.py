"""Brain anatomy: the MNI152 templates or a subject's tissue maps, deformed differently for each patient.

An average has a blurred cortex, so each patient made from the templates gets sulci of their own: sheets of CSF that run
from the surface inwards, lined by grey matter, weighed against the template's tissue probabilities. A subject's cortex
is sharp as it is.

Head coordinates are LPS, in mm; those of the templates are RAS, in mm.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from inference_core.research.phantom.fields import Field, Sheets, chosen, interpolate, lengths, moved, rotation
from inference_core.research.phantom.templates import COARSE, Templates, mni152

#: Where the radial direction of the sulci starts, and at which radius they have their nominal spacing (RAS, mm).
_FOLD_CENTRE = np.array([0.0, -18.0, 12.0])
_FOLD_RADIUS = 65.0
#: Spacing of the lattice that tells where it is worth looking for the brain, mm.
_EXTENT_STEP = 7.0


@dataclass(frozen=True)
class Tissue:
    """What the brain is made of at some points; all `(point,)` float32.

    Attributes:
        brain: 1 inside the brain, 0 outside, in between at its surface.
        csf, gm, wm: fractions, adding up to 1 where `brain` is above 0.
        white: the template's white-matter probability, smoother than `wm`.
        depth: mm from the brain's surface.
        height: head-foot template coordinate in mm.
        front: back-to-front template coordinate in mm.
        details: for T1 and for FLAIR, the logarithm of what the subject's image shows beyond its tissues; None where
            there is no subject.
    """

    brain: np.ndarray
    csf: np.ndarray
    gm: np.ndarray
    wm: np.ndarray
    white: np.ndarray
    depth: np.ndarray
    height: np.ndarray
    front: np.ndarray
    details: tuple[np.ndarray, np.ndarray] | None = None


def _at(index: np.ndarray, *volumes: np.ndarray) -> list[np.ndarray]:
    """Linear interpolation of each of `volumes` at fractional indices `(point, 3)`; their borders, 0, go on outside."""
    highest = np.array(volumes[0].shape, np.float32) - np.float32(1.001)
    return interpolate(volumes, np.clip(index, np.float32(0), highest))


@dataclass(frozen=True)
class Push:
    """Tissue displaced by a growing mass: outwards, by up to `amount` mm, over `reach` mm around `centre` (LPS)."""

    centre: np.ndarray
    reach: float
    amount: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Displacement in mm at `points`, `(point, 3)`."""
        away = points - self.centre.astype(np.float32)
        distance = lengths(away)[:, None]
        # Rises linearly inside, so that the centre stays put, and decays outside.
        return away * (self.amount / self.reach * np.exp(0.5 - 0.5 * (distance / self.reach) ** 2))


@dataclass(frozen=True)
class Anatomy:
    """One patient's brain, as a function of head coordinates.

    Attributes:
        to_template: `(3, 3)`, LPS mm relative to `centre` to RAS mm.
        centre: `(3,)`, the template's origin in head coordinates (LPS mm).
        warps: pairs of amplitude (mm) and three fields.
        sulci: where the sulci run.
        fold: weight of the patient's own folds against the template.
        sulcus, cortex: half width of a sulcus, and thickness of the cortex, mm.
        wobble: amplitude and three fields added to the classes' log-odds.
        ventricle: log-odds added to CSF next to the ventricles.
        boundary_sharpness: how sharply tissues change into one another; 1 follows the log-odds.
        surface: brain fraction of the template at which the brain ends.
        rim: thickness of the CSF around the brain that its mask includes, mm.
        pushes: mass effect of the tumours.
        base: what is deformed.
    """

    to_template: np.ndarray
    centre: np.ndarray
    warps: tuple[tuple[float, tuple[Field, Field, Field]], ...]
    sulci: Sheets
    fold: float
    sulcus: float
    cortex: float
    wobble: tuple[float, tuple[Field, Field, Field]]
    ventricle: float
    boundary_sharpness: float
    surface: float
    rim: float
    pushes: tuple[Push, ...] = ()
    base: Templates = field(default_factory=mni152, repr=False)

    @classmethod
    def draw(cls, rng: np.random.Generator, base: Templates | None = None) -> "Anatomy":
        """A random brain: size +-10 %, turned by up to 10 degrees, warped by a few mm; from the templates if None."""
        base = base or mni152()

        def three(sigma: float) -> tuple[Field, Field, Field]:
            return Field.draw(rng, sigma), Field.draw(rng, sigma), Field.draw(rng, sigma)

        size = rng.uniform(0.93, 1.07) * rng.uniform(0.97, 1.03, 3)
        turn = rotation(np.deg2rad(np.clip(rng.normal(0, 4, 3), -10, 10)))
        flip = np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0, 1.0])
        to_template = flip @ np.diag(1 / size) @ turn @ np.diag([-1.0, -1.0, 1.0])
        return cls(
            to_template=to_template,
            centre=rng.uniform(-12, 12, 3),
            warps=(
                (rng.uniform(2.0, 5.0), three(rng.uniform(28, 45))),
                (rng.uniform(0.8, 2.0), three(rng.uniform(11, 18))),
                (rng.uniform(0.2, 0.8), three(rng.uniform(4.5, 7))),
            ),
            sulci=Sheets.draw(rng, rng.uniform(10.5, 14.5)),
            fold=rng.uniform(0.5, 1.5) * base.blurred,
            sulcus=rng.uniform(0.4, 1.6),
            cortex=rng.uniform(2.4, 3.2),
            wobble=(rng.uniform(0.1, 0.55), three(rng.uniform(2.0, 4.0))),
            ventricle=float(np.clip(rng.normal(1.0, 2.5), -1.5, 7.0)),
            boundary_sharpness=rng.uniform(1.1, 2.2),
            surface=rng.uniform(0.4, 0.75),
            # Skull-stripping leaves more or less of it, atrophy widens it. Spawned, so that what is drawn after stays.
            rim=float(np.clip(rng.spawn(1)[0].uniform(-1.5, 3.5), 0, None)),
            base=base,
        )

    def to_head(self, template_point: np.ndarray) -> np.ndarray:
        """Head coordinates (LPS mm) of a template point (RAS mm), but for the warps."""
        return np.linalg.solve(self.to_template, np.asarray(template_point, dtype=float)) + self.centre

    @cached_property
    def _lattice(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A coarse lattice, regular before the warps, and where the brain lies on it.

        Returns:
            Its first position (RAS mm), its positions `(x, y, z, 3)` in head coordinates, and a mask `(x, y, z)`.
        """
        low = self.base.origin - _EXTENT_STEP * 4
        size = np.ceil((np.array(self.base.brain.shape) + 8 * _EXTENT_STEP) / _EXTENT_STEP).astype(int)
        index = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).reshape(-1, 3)
        points = np.linalg.solve(self.to_template, (low + index * _EXTENT_STEP).T).T + self.centre
        brain = _at(self._place(points) - self.base.origin, self.base.brain)[0] > 0
        return low, points.reshape(*size, 3), brain.reshape(size)

    @cached_property
    def _surroundings(self) -> np.ndarray:
        """The lattice's brain and what lies within a step of it: the lattice may step over what is thinner."""
        from scipy.ndimage import binary_dilation

        return binary_dilation(self._lattice[2], structure=np.ones((3, 3, 3)))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest head coordinates of the brain, `(3,)` each, to a few mm."""
        _, points, brain = self._lattice
        return points[brain].min(axis=0), points[brain].max(axis=0)

    def maybe_brain(self, points: np.ndarray) -> np.ndarray:
        """Which `points` `(point, 3)` may lie in the brain: cheap, and generous at its surface."""
        low, mask = self._lattice[0], self._surroundings
        index = moved(points, self.to_template / _EXTENT_STEP, -(self.to_template @ self.centre + low) / _EXTENT_STEP)
        index = np.rint(index).astype(np.int32)
        # Beyond the lattice there is none of the brain; its border is False.
        index = np.clip(index, 0, np.array(mask.shape) - 1)
        return mask.reshape(-1)[(index[:, 0] * mask.shape[1] + index[:, 1]) * mask.shape[2] + index[:, 2]]

    def _place(self, points: np.ndarray) -> np.ndarray:
        """Template coordinates (RAS mm) of `points` `(point, 3)`, warps and mass effect included."""
        points = points.astype(np.float32, copy=False)
        for push in self.pushes:
            points = points - push(points)
        place = moved(points, self.to_template, -(self.to_template @ self.centre))
        for amplitude, along in self.warps:
            for axis, displacement in enumerate(along):
                place[:, axis] += np.float32(amplitude) * displacement(points)
        return place

    def brain_points(self, points: np.ndarray, also: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Which of many points hold some of the brain, and where they lie in the template.

        Args:
            points: `(point, 3)`, head coordinates in mm.
            also: bool `(point,)`, points that are wanted as well if they are near the brain.

        Returns:
            Their indices, `(chosen,)`, and template coordinates, `(chosen, 3)`.
        """
        near = np.flatnonzero(self.maybe_brain(points))
        place = self._place(chosen(points, near))
        wanted = self._brain_share(_at(place - self.base.origin.astype(np.float32), self.base.brain)[0]) > 0
        if also is not None:
            wanted |= also[near]
        wanted = np.flatnonzero(wanted)
        return near[wanted], chosen(place, wanted)

    def _brain_share(self, of_template: np.ndarray) -> np.ndarray:
        """`Tissue.brain` from the template's brain fraction."""
        return np.clip((of_template - self.surface) / 0.25 + 0.5, 0, 1)

    def tissue(self, points: np.ndarray, place: np.ndarray | None = None) -> Tissue:
        """Tissue at some points.

        Args:
            points: `(point, 3)`, head coordinates in mm.
            place: their template coordinates, if they are known from `brain_points`.
        """
        base = self.base
        place = self._place(points) if place is None else place
        index = place - base.origin.astype(np.float32)
        brain, gm, wm, white, *details = _at(index, base.brain, base.gm, base.wm, base.white, *base.details)
        brain = self._brain_share(brain)
        depth, near_ventricle = _at(index / COARSE, base.coarse_depth, base.coarse_ventricle)

        # Sulci run inwards: along a radius, the sheets' texture is stretched.
        radial = place - _FOLD_CENTRE.astype(np.float32)
        radius = lengths(radial)[:, None] + np.float32(1e-3)
        sheet = self.sulci(radial * ((0.7 * _FOLD_RADIUS + 0.3 * radius) / radius))
        # The brain's surface is CSF's border too.
        sheet = np.minimum(sheet, depth + self.sulcus - self.rim)
        amplitude, (first, second, third) = self.wobble
        # Folds belong to the cortex; what is deeper follows the template.
        fold = self.fold * np.clip((27 - depth) / 12, 0, 1)
        # The smallest probability that a class keeps: folds show where the average is undecided.
        floor = 0.008
        # The average blurs sulci away more than anything else, which weights and a higher floor make up for.
        weight = 1.6 if base.blurred else 1.0
        odds_csf = np.log(weight * np.clip(1 - gm - wm, 0, 1) + floor * (1 + 4 * (fold > 0)))
        odds_csf += fold * np.clip(self.sulcus - sheet, -3, 1.5) + amplitude * first(points)
        odds_csf += self.ventricle * near_ventricle + 3 * np.clip(self.rim - depth, 0, 2)
        odds_gm = np.log(gm + floor) + amplitude * second(points)
        odds_wm = np.log(wm + floor) + amplitude * third(points)
        odds_wm += fold * np.clip(sheet - self.sulcus - self.cortex, -3, 3)
        odds = np.float32(self.boundary_sharpness) * np.stack([odds_csf, odds_gm, odds_wm])
        odds -= odds.max(axis=0)
        np.exp(odds, out=odds)
        odds /= odds.sum(axis=0)
        return Tissue(
            brain,
            *odds,
            white=white,
            depth=depth,
            height=place[:, 2],
            front=place[:, 1],
            details=tuple(details) or None,
        )
