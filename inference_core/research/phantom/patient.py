"""A simulated patient: everything about one head, as a function of head coordinates, drawn from a seed."""

from dataclasses import dataclass, replace
from operator import index as as_integer

import numpy as np

from inference_core.errors import InputError
from inference_core.research.phantom.acquisition import Frame, Grid, Measurement, Scanner, draw_mrsi_grid
from inference_core.research.phantom.anatomy import Anatomy, Tissue
from inference_core.research.phantom.contrast import Contrast, Spot, reached
from inference_core.research.phantom.fields import chosen, rotation
from inference_core.research.phantom.metabolism import Metabolism, Mixture, draw_lesions, draw_occult_spots
from inference_core.research.phantom.subject import Subject
from inference_core.research.phantom.tumour import Tumour, Zones
from inference_core.terms.conditions import METABOLITES, MRI_MATRIX, MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

# Streams of random numbers that must not depend on one another.
_PATIENT, _T1_NOISE, _FLAIR_NOISE, _MAP_NOISE, _FIT_NOISE, _UNUSUAL = range(6)

#: Share of brain in a voxel above which it is measured, and above which it counts as brain.
_MEASURED, _BRAIN = 0.2, 0.5
#: Of varied patients, the share with MS or a stroke.
_ILL = 0.4


@dataclass(frozen=True)
class SliceStack:
    """MRSI slices of a patient with the T1 and FLAIR behind them, as training uses them.

    Attributes:
        t1: `(slice, 192, 192, 3)` float32, 0..1.
        flair: the same.
        truth: `(metabolite, slice, 64, 64)` float32, noise-free, institutional units, 0 outside the brain.
        acquired: the same, with noise.
        mask: `(metabolite, slice, 64, 64)` bool, where the quality filter lets the map count as ground truth.
        tumour: `(slice, 64, 64)` bool, necrosis and rim.
        occult: `(metabolite, slice, 64, 64)` int8: 1 in raised spots that MRI does not show, -1 in lowered, else 0.
    """

    t1: np.ndarray
    flair: np.ndarray
    truth: np.ndarray
    acquired: np.ndarray
    mask: np.ndarray
    tumour: np.ndarray
    occult: np.ndarray


@dataclass(frozen=True)
class SimulatedPatient:
    """One simulated patient; `simulate_patient` makes them.

    Attributes:
        seed: what everything was drawn from.
        anatomy, tumours, metabolism: the head, as functions of head coordinates.
        t1, flair: the sequences.
        measurement: the maps' noise and quality filter.
        mrsi: the grid of the 64 x 64 maps.
        t1_frame, flair_frame: orientation and voxels of the native MRI.
    """

    seed: int
    anatomy: Anatomy
    tumours: tuple[Tumour, ...]
    metabolism: Metabolism
    t1: Contrast
    flair: Contrast
    measurement: Measurement
    mrsi: Grid
    t1_frame: Frame
    flair_frame: Frame

    def on(self, scanner: Scanner) -> "SimulatedPatient":
        """The same patient, measured on another scanner."""
        return replace(self, measurement=self.measurement.on(scanner))

    def with_small_spots(self) -> "SimulatedPatient":
        """The same patient, whose MRI-occult spots are small; see `Metabolism.with_small_spots`."""
        return replace(self, metabolism=self.metabolism.with_small_spots())

    def grid(self, count: int | None = None) -> Grid:
        """Grid of the 64 x 64 maps (LPS, mm): of `count` neighbouring slices in the middle, or of all if None.

        Raises:
            InputError: if the patient does not have `count` slices.
        """
        first = (self.mrsi.size[2] - self._checked(count)) // 2
        origin = np.asarray(self.mrsi.origin) + first * self.mrsi.to_head[:, 2]
        return replace(self.mrsi, origin=tuple(map(float, origin)), size=(*self.mrsi.size[:2], self._checked(count)))

    def _checked(self, count: int | None) -> int:
        available = self.mrsi.size[2]
        if count is None:
            return available
        if not 1 <= count <= available:
            raise InputError(f"Simulated patient {self.seed} has {available} MRSI slices: ask for 1 to {available}.")
        return int(count)

    def rng(self, *stream: int) -> np.random.Generator:
        """Random numbers that depend on the seed and on `stream` alone."""
        return np.random.default_rng([self.seed, *stream])

    def matter(self, points: np.ndarray, place: np.ndarray | None = None) -> tuple[Tissue, Zones]:
        """Tissue and tumour at `points` `(point, 3)`, LPS mm; `place` as for `Anatomy.tissue`."""
        tissue = self.anatomy.tissue(points, place)
        zones = Zones.none(len(points))
        for tumour in self.tumours:
            zones = zones | tumour.zones(points, tissue.white, tissue.csf)
        return tissue, zones

    def mri(self, contrast: Contrast, grid: Grid, stream: int) -> np.ndarray:
        """One sequence on any grid: float32 `(slice, row, column)`, relative to normal tissue's brightest.

        Slices thicker than 1.5 mm are means over their thickness.
        """
        volume = np.zeros(grid.size[::-1], dtype=np.float32)
        noise = self.rng(stream, 1)
        layers = max(round(grid.spacing[2] / 1.2), 1)
        depths = (np.arange(layers) + 0.5) / layers - 0.5
        for index, plane in enumerate(volume):
            flat = plane.reshape(-1)
            for depth in depths:
                points = grid.points([index + depth]).reshape(-1, 3)
                inside, place = self.anatomy.brain_points(points)
                points = chosen(points, inside)
                if inside.size:
                    flat[inside] += contrast.signal(points, *self.matter(points, place)) / np.float32(layers)
            if flat.any():
                plane[:] = contrast.measure(plane, grid.spacing[1::-1], noise)
        return volume

    def t1_volume(self, covered: Grid | None = None) -> tuple[np.ndarray, Grid]:
        """T1 on its native grid around the `covered` one (the maps' if None).

        Returns:
            Float32 `(slice, row, column)`, and the grid.
        """
        return self._native(self.t1, self.t1_frame, covered, _T1_NOISE)

    def flair_volume(self, covered: Grid | None = None) -> tuple[np.ndarray, Grid]:
        """FLAIR on its native grid; the same as `t1_volume` but for the contrast."""
        return self._native(self.flair, self.flair_frame, covered, _FLAIR_NOISE)

    def _native(self, contrast: Contrast, frame: Frame, covered: Grid | None, stream: int) -> tuple[np.ndarray, Grid]:
        grid = frame.cover(covered or self.mrsi)
        return self.mri(contrast, grid, stream), grid

    def slices(self, count: int | None = None) -> SliceStack:
        """`count` of the patient's MRSI slices, evenly spread, or all if None.

        A slice's maps are the same whatever the count. T1 and FLAIR are divided by their maximum over the slices that
        are asked for.

        Raises:
            InputError: if the patient does not have `count` slices.
        """
        count = self._checked(count)
        return self._stack(((np.arange(count) + 0.5) * self.mrsi.size[2] / count).astype(int))

    def middle_slices(self, count: int | None = None) -> SliceStack:
        """`count` neighbouring MRSI slices in the middle, or all if None: the ones on `grid(count)`.

        Raises:
            InputError: if the patient does not have `count` slices.
        """
        count = self._checked(count)
        return self._stack((self.mrsi.size[2] - count) // 2 + np.arange(count))

    def _stack(self, indices: np.ndarray) -> SliceStack:
        parts = [self._slice(int(index)) for index in indices]
        t1, flair = (np.stack([part[key] for part in parts]) for key in ("t1", "flair"))
        maps = {key: np.stack([part[key] for part in parts], axis=1) for key in ("truth", "acquired", "mask", "occult")}
        for image in (t1, flair):
            image /= max(float(image.max()), 1e-6)
        return SliceStack(t1=t1, flair=flair, tumour=np.stack([part["tumour"] for part in parts]), **maps)

    def _slice(self, index: int) -> dict[str, np.ndarray]:
        """One MRSI slice; T1 and FLAIR not yet normalised."""
        side, matrix, metabolites = SUPER_RESOLVED_MATRIX, MRI_MATRIX, len(METABOLITES)
        refined = self.mrsi.refined()
        planes = MRI_UPSAMPLING * index + np.arange(MRI_UPSAMPLING)
        points = refined.points(planes).reshape(-1, 3).astype(np.float32)
        # Sub-voxel 3 i + 1 lies at the centre of voxel i: what is measured there matters beside the brain, too.
        middle = slice(MRI_UPSAMPLING // 2, None, MRI_UPSAMPLING)
        centre = np.zeros((MRI_UPSAMPLING, matrix, matrix), bool)
        centre[MRI_UPSAMPLING // 2, middle, middle] = True
        inside, place = self.anatomy.brain_points(points, centre.reshape(-1))
        points = chosen(points, inside)
        tissue, zones = self.matter(points, place)

        def plane(values: np.ndarray) -> np.ndarray:
            volume = np.zeros(MRI_UPSAMPLING * matrix * matrix, dtype=np.float32)
            volume[inside] = values
            return volume.reshape(MRI_UPSAMPLING, matrix, matrix)

        def voxel_mean(values: np.ndarray) -> np.ndarray:
            blocks = plane(values).sum(axis=0).reshape(side, MRI_UPSAMPLING, side, MRI_UPSAMPLING)
            return blocks.sum(axis=(1, 3)) / np.float32(MRI_UPSAMPLING**3)

        part = {}
        for name, contrast, stream in (("t1", self.t1, _T1_NOISE), ("flair", self.flair, _FLAIR_NOISE)):
            signal = plane(contrast.signal(points, tissue, zones))
            measured = contrast.measure(signal, refined.spacing[1::-1], self.rng(stream, 0, index))
            part[name] = measured.transpose(1, 2, 0)

        def in_centre(values: np.ndarray) -> np.ndarray:
            # Far from the brain nothing is known, and needed.
            return plane(values)[MRI_UPSAMPLING // 2, middle, middle].reshape(-1)

        brain = voxel_mean(tissue.brain)
        centres = self.mrsi.points([index]).reshape(-1, 3).astype(np.float32)
        mixture = Mixture.of(tissue, zones).averaged(lambda values: voxel_mean(values).reshape(-1), in_centre)
        truth = self.measurement.seen(self.metabolism.concentration(centres, mixture).reshape(metabolites, side, side))

        inhomogeneity = self.measurement.inhomogeneity(centres, in_centre(tissue.height), mixture.front)
        normal = self.rng(_MAP_NOISE, index).standard_normal((metabolites, side, side))
        acquired = self.measurement.acquire(truth, inhomogeneity.reshape(side, side), normal)
        acquired *= brain > _MEASURED

        normal = self.rng(_FIT_NOISE, index).standard_normal((metabolites, side * side))
        csf = voxel_mean(tissue.csf * tissue.brain)
        passes = self.measurement.passes(centres, inhomogeneity, csf.reshape(-1), normal)
        deep = (in_centre(tissue.depth) >= self.measurement.erosion).reshape(side, side)

        occult = np.zeros((metabolites, side * side), dtype=np.int8)
        for metabolite, spots in enumerate(self.metabolism.spots):
            for spot, near, profile in reached(centres, spots):
                occult[metabolite, near[profile >= 0.5]] += 1 if spot.amount > 0 else -1
        solid = voxel_mean((zones.necrosis + zones.rim) * tissue.brain)
        # In the tumour and in CSF there is nothing for a spot to change.
        changeable = (brain > _BRAIN) & (solid < 0.1) & (csf < 0.5)
        return part | {
            "truth": truth.astype(np.float32),
            "acquired": acquired.astype(np.float32),
            "mask": passes.reshape(metabolites, side, side) & (brain > _BRAIN) & deep,
            "occult": np.sign(occult).reshape(metabolites, side, side) * changeable,
            "tumour": (solid > 0.5) & (brain > _BRAIN),
        }


def _places(
    rng: np.random.Generator, anatomy: Anatomy, grid: Grid, count: int, *, depth: float, white: bool
) -> np.ndarray:
    """`count` random places `(place, 3)` inside the grid's volume and `depth` mm below the brain's surface.

    In parenchyma, and in white matter if `white`.
    """
    index = rng.uniform(-0.5, np.array(grid.size) - 0.5, (3000, 3))
    points = np.asarray(grid.origin) + index @ grid.to_head.T
    tissue = anatomy.tissue(points)
    fits = (tissue.depth > depth) & (tissue.csf < 0.3) & ((tissue.white > 0.7) | (not white))
    return points[np.flatnonzero(fits)[:count]]


def _native_direction(rng: np.random.Generator, axes: tuple[int, int, int]) -> np.ndarray:
    """A slightly oblique direction matrix whose columns follow the LPS `axes`, right-handed or not as they come."""
    tilt = np.deg2rad(np.clip(rng.normal(0, 4, 3), -10, 10))
    return rotation(tilt) @ np.eye(3)[:, list(axes)] @ np.diag(rng.choice([-1.0, 1.0, 1.0, 1.0], 3))


def simulate_patient(seed: int, subject: Subject | None = None, varied: bool = False) -> SimulatedPatient:
    """The simulated patient number `seed`: the same one, voxel for voxel, each time.

    Cheap (the first call of a process loads the templates); slices and volumes are rendered when asked for.

    Args:
        seed: decides all.
        subject: whose brain is deformed into the patient's; the MNI152 templates if None.
        varied: whether voxel sizes, noise, the tissues' levels, the MRI's contrasts and the lesions reach far beyond
            the paper's data, for training.

    Raises:
        InputError: if `seed` is not an integer of at least 0, or as `Subject.templates`.
    """
    try:
        seed = as_integer(seed)
    except TypeError:
        seed = -1
    if seed < 0:
        raise InputError("The seed of a simulated patient must be an integer of at least 0.")
    rng = np.random.default_rng([seed, _PATIENT])
    anatomy = Anatomy.draw(rng, subject.templates() if subject else None)
    low, high = anatomy.bounds()
    middle = (low + high) / 2
    # From the basal ganglia to the centrum semiovale.
    middle[2] = anatomy.to_head([0.0, -18.0, rng.uniform(8, 34)])[2]
    grid = draw_mrsi_grid(rng, middle, high[1] - low[1], varied)

    tumours = []
    count = int(rng.choice([0, 1, 2], p=[0.15, 0.72, 0.13]))
    for centre in _places(rng, anatomy, grid, count, depth=7.0, white=bool(rng.random() < 0.75)):
        tumours.append(Tumour.draw(rng, centre, largest=24.0 if count == 1 else 14.0))
    anatomy = replace(anatomy, pushes=tuple(tumour.push for tumour in tumours))

    occult = draw_occult_spots(rng, _places(rng, anatomy, grid, int(rng.integers(4, 13)), depth=4.0, white=False))
    metabolism = Metabolism.draw(rng, occult, varied)

    def lesions(most: int, amounts: tuple[float, float], white: bool) -> tuple[Spot, ...]:
        centres = _places(rng, anatomy, grid, int(rng.integers(0, most + 1)), depth=6.0, white=white)
        return tuple(Spot(centre, float(rng.uniform(1.5, 5.0)), float(rng.uniform(*amounts))) for centre in centres)

    white_matter_lesions = lesions(14, (0.2, 0.8), white=True)
    unusual = np.random.default_rng([seed, _UNUSUAL]) if varied else None
    if unusual and unusual.random() < _ILL:
        kind = str(unusual.choice(["ms", "stroke"]))
        if kind == "stroke":
            centres = _places(unusual, anatomy, grid, 1, depth=3.0, white=False)
            radius, brightness = unusual.uniform(8, 24), unusual.uniform(0.2, 0.9)
            ill = tuple(Spot(centre, float(radius), float(brightness)) for centre in centres)
            white_matter_lesions += ill
        else:
            ill = white_matter_lesions
        metabolism = replace(metabolism, lesions=draw_lesions(unusual, kind, ill))
    # The same lesions are faintly dark on T1, which has some of its own.
    shadows = tuple(replace(spot, amount=-rng.uniform(0, 0.3) * spot.amount) for spot in white_matter_lesions)
    t1 = Contrast.draw_t1(rng, shadows + lesions(5, (-0.35, 0.35), white=False), unusual)
    flair = Contrast.draw_flair(rng, white_matter_lesions, unusual)

    # T1 in sagittal slices, FLAIR in axial ones.
    t1_frame = Frame(_native_direction(rng, (1, 2, 0)), (1.0, 1.0, float(rng.uniform(0.9, 1.1))))
    flair_frame = Frame(_native_direction(rng, (0, 1, 2)), (0.95, 0.95, float(rng.uniform(1.0, 3.0))))
    return SimulatedPatient(
        seed=seed,
        anatomy=anatomy,
        tumours=tuple(tumours),
        metabolism=metabolism,
        t1=t1,
        flair=flair,
        measurement=Measurement.draw(rng, metabolism.level, varied),
        mrsi=grid,
        t1_frame=t1_frame,
        flair_frame=flair_frame,
    )
