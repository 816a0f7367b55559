"""Brain anatomy: the MNI152 templates, deformed and folded differently for each patient.

The templates are the symmetric ICBM 2009a averages of 152 adults (Fonov et al. 2011, NeuroImage 54:313) that nilearn
bundles. An average has a blurred cortex, so each patient gets sulci of their own: sheets of CSF that run from the
surface inwards, lined by grey matter, weighed against the template's tissue probabilities.

Head coordinates are LPS, in mm; those of the templates are RAS, in mm.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from inference_core.phantom.fields import Field, Sheets

#: Where the radial direction of the sulci starts, and at which radius they have their nominal spacing (RAS, mm).
_FOLD_CENTRE = np.array([0.0, -18.0, 12.0])
_FOLD_RADIUS = 65.0
#: Subsampling of the templates' distance maps: they are smooth, and cost seconds at full resolution.
_COARSE = 2


@dataclass(frozen=True)
class Templates:
    """The templates, on one grid: `(x, y, z)` arrays, voxel `i` at `origin + i` mm (RAS).

    Attributes:
        origin: `(3,)`.
        brain, gm, wm: float32 fractions, 0..1.
        coarse_depth: mm from the brain's surface, every second voxel.
        coarse_ventricle: nearness of the ventricles, 0..1, every second voxel.
    """

    origin: np.ndarray
    brain: np.ndarray
    gm: np.ndarray
    wm: np.ndarray
    coarse_depth: np.ndarray
    coarse_ventricle: np.ndarray


@lru_cache(maxsize=1)
def templates() -> Templates:
    """The MNI152 templates at 1 mm, loaded once a process (about 3 s)."""
    from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template
    from scipy.ndimage import binary_fill_holes, binary_opening, distance_transform_edt, gaussian_filter

    t1_image = load_mni152_template(resolution=1)
    gm, wm = (
        np.asarray(load(resolution=1).dataobj, dtype=np.float32)
        for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    solid = binary_fill_holes(np.asarray(t1_image.dataobj) > 0)
    brain = gaussian_filter(solid.astype(np.float32), 0.8)
    step = (slice(None, None, _COARSE),) * 3
    depth = distance_transform_edt(solid[step]).astype(np.float32) * _COARSE
    csf = np.clip(1 - gm - wm, 0, 1)[step] * solid[step]
    # Opening keeps the ventricles and drops the sulci that reach as deep.
    ventricle = binary_opening((csf > 0.5) & (depth > 24))
    near = gaussian_filter(ventricle.astype(np.float32), 3.0 / _COARSE)
    return Templates(t1_image.affine[:3, 3].copy(), brain, gm, wm, depth, near)


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
    """

    brain: np.ndarray
    csf: np.ndarray
    gm: np.ndarray
    wm: np.ndarray
    white: np.ndarray
    depth: np.ndarray
    height: np.ndarray
    front: np.ndarray


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation by `angles` (radians) about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[second, first] = np.sin(angle)
        turn[first, second] = -np.sin(angle)
        matrix = turn @ matrix
    return matrix


@dataclass(frozen=True)
class Push:
    """Tissue displaced by a growing mass: outwards, by up to `amount` mm, over `reach` mm around `centre` (LPS)."""

    centre: np.ndarray
    reach: float
    amount: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Displacement in mm at `points`, `(point, 3)`."""
        away = points - self.centre
        distance = np.linalg.norm(away, axis=1, keepdims=True)
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
        crispness: how sharply tissues change into one another; 1 follows the log-odds.
        surface: brain fraction of the template at which the brain ends.
        pushes: mass effect of the tumours.
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
    crispness: float
    surface: float
    pushes: tuple[Push, ...] = ()

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Anatomy":
        """A random brain: size +-10 %, turned by up to 10 degrees, warped by a few mm."""

        def three(sigma: float) -> tuple[Field, Field, Field]:
            return Field.draw(rng, sigma), Field.draw(rng, sigma), Field.draw(rng, sigma)

        size = rng.uniform(0.93, 1.07) * rng.uniform(0.97, 1.03, 3)
        turn = _rotation(np.deg2rad(np.clip(rng.normal(0, 4, 3), -10, 10)))
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
            fold=rng.uniform(0.5, 1.5),
            sulcus=rng.uniform(0.4, 1.6),
            cortex=rng.uniform(2.4, 3.2),
            wobble=(rng.uniform(0.1, 0.55), three(rng.uniform(2.0, 4.0))),
            ventricle=float(np.clip(rng.normal(1.0, 2.5), -1.5, 7.0)),
            crispness=rng.uniform(1.1, 2.2),
            surface=rng.uniform(0.4, 0.75),
        )

    @property
    def length(self) -> float:
        """Front-to-back length of the brain, in mm."""
        return 178.0 * float(np.linalg.norm(np.linalg.inv(self.to_template)[:, 1]))

    def to_head(self, template_point: np.ndarray) -> np.ndarray:
        """Head coordinates (LPS mm) of a template point (RAS mm), but for the warps."""
        return np.linalg.solve(self.to_template, np.asarray(template_point, dtype=float)) + self.centre

    def maybe_brain(self, points: np.ndarray) -> np.ndarray:
        """Which `points` `(point, 3)` may lie in the brain: cheap, and never wrongly False."""
        depth = templates().coarse_depth
        index = (points - self.centre) @ self.to_template.T - templates().origin
        # The warps move the surface by less than this many mm.
        reach = 3.2 * sum(amplitude for amplitude, _ in self.warps) + sum(push.amount for push in self.pushes)
        index = np.rint(index / _COARSE).astype(np.int32)
        inside = np.all((index >= 0) & (index < depth.shape), axis=1)
        found = np.zeros(len(points), dtype=bool)
        found[inside] = _near_brain(round(reach))[tuple(index[inside].T)]
        return found

    def tissue(self, points: np.ndarray) -> Tissue:
        """Tissue at `points` `(point, 3)`, head coordinates in mm."""
        from scipy.ndimage import map_coordinates

        base = templates()
        for push in self.pushes:
            points = points - push(points)
        place = (points - self.centre) @ self.to_template.T
        for amplitude, fields in self.warps:
            place = place + amplitude * np.stack([field(points) for field in fields], axis=1)
        fine = np.ascontiguousarray((place - base.origin).T)
        coarse = fine / _COARSE

        def at(volume: np.ndarray, where: np.ndarray) -> np.ndarray:
            return map_coordinates(volume, where, order=1, mode="constant", output=np.float32)

        brain = np.clip((at(base.brain, fine) - self.surface) / 0.25 + 0.5, 0, 1)
        gm, wm = at(base.gm, fine), at(base.wm, fine)
        depth, near_ventricle = at(base.coarse_depth, coarse), at(base.coarse_ventricle, coarse)

        # Sulci run inwards: along a radius, the sheets' texture is stretched.
        radial = place - _FOLD_CENTRE
        radius = np.linalg.norm(radial, axis=1, keepdims=True) + 1e-3
        sheet = self.sulci(radial * ((0.7 * _FOLD_RADIUS + 0.3 * radius) / radius))
        # The brain's surface is CSF's border too.
        sheet = np.minimum(sheet, depth + self.sulcus)
        amplitude, (first, second, third) = self.wobble
        # Folds belong to the cortex; what is deeper follows the template.
        fold = self.fold * np.clip((27 - depth) / 12, 0, 1)
        # The smallest probability that a class keeps: folds show where the average is undecided.
        floor = 0.008
        # The average blurs sulci away more than anything else, which weights and a higher floor make up for.
        odds_csf = np.log(1.6 * np.clip(1 - gm - wm, 0, 1) + floor * (1 + 4 * (fold > 0)))
        odds_csf += fold * np.clip(self.sulcus - sheet, -3, 1.5) + amplitude * first(points)
        odds_csf += self.ventricle * near_ventricle
        odds_gm = np.log(gm + floor) + amplitude * second(points)
        odds_wm = np.log(wm + floor) + amplitude * third(points)
        odds_wm += fold * np.clip(sheet - self.sulcus - self.cortex, -3, 3)
        odds = np.float32(self.crispness) * np.stack([odds_csf, odds_gm, odds_wm])
        odds -= odds.max(axis=0)
        np.exp(odds, out=odds)
        odds /= odds.sum(axis=0)
        return Tissue(brain, *odds, white=wm, depth=depth, height=place[:, 2], front=place[:, 1])


@lru_cache(maxsize=8)
def _near_brain(reach: int) -> np.ndarray:
    """Coarse mask of what lies within `reach` mm of the template's brain."""
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(templates().coarse_depth == 0) * _COARSE <= reach + 2 * _COARSE
