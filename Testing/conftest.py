"""Simulated images in known places of the world, and as many threads as before, for all tests."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

#: Files and folders of the tests that are marked `fast`: together they take about a minute on two cores.
FAST = (
    "core/terms",
    "core/imaging/test_failed_fits.py",
    "core/imaging/test_geometry.py",
    "core/imaging/test_inputs.py",
    "core/imaging/test_mirror.py",
    "core/imaging/test_outputs.py",
    "core/networks",
    "core/engine/test_engine.py",
    "core/inference/test_data_share.py",
    "core/inference/test_detail_growth.py",
    "core/inference/test_super_resolver.py",
    "core/regions",
    "core/study",
    "core/preparation/test_quality_filter.py",
    "core/batch/test_batch_faults.py",
    "core/research/test_anatomical_regularisation.py",
    "core/research/test_losses.py",
    "core/research/test_true_details.py",
    "core/test_packaging.py",
    "core/test_rooms.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the quick tests `fast`."""
    quick = [Path(__file__).parent / name for name in FAST]
    for item in items:
        if any(path in (item.path, *item.path.parents) for path in quick):
            item.add_marker("fast")


#: Where all images of a test are centred, LPS mm: not at the world's origin, or sign errors would hide there.
CENTRE = np.array([12.0, -25.0, 40.0])


@pytest.fixture(autouse=True)
def as_many_threads_as_before() -> Iterator[None]:
    """Some tests set PyTorch's threads for their process, and the last digits of other results depend on them."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else None
    yield
    if before is not None:
        torch.set_num_threads(before)


def _rotation(angles_deg: tuple[float, float, float]) -> np.ndarray:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(angles_deg)):
        rotation = np.eye(3)
        i, j = [other for other in range(3) if other != axis]
        rotation[i, i] = rotation[j, j] = np.cos(angle)
        rotation[i, j], rotation[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ rotation
    return matrix


#: Direction cosines by name, row-major.
ORIENTATIONS = {
    "axial": np.eye(3),
    "oblique": _rotation((18.0, -11.0, 7.0)),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "left_handed": _rotation((5.0, 12.0, -20.0)) @ np.diag([-1.0, 1.0, 1.0]),
    "coronal": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}


@pytest.fixture(params=ORIENTATIONS)
def orientation(request) -> np.ndarray:
    return ORIENTATIONS[request.param]


def world_coordinates(image: sitk.Image) -> np.ndarray:
    """Voxel centres `(slice, row, column, 3)`, mm, from the header alone."""
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in image.GetSize()[::-1]), indexing="ij"), axis=-1)
    return indices[..., ::-1] @ axes.T + np.array(image.GetOrigin())


@pytest.fixture
def sample() -> Callable[..., sitk.Image]:
    """Makes an image of a function of world coordinates `(..., 3)`, sampled at voxel centres around `CENTRE`."""

    def make(function, size, spacing, direction=ORIENTATIONS["axial"], shift=(0.0, 0.0, 0.0)) -> sitk.Image:
        image = sitk.Image(list(size), sitk.sitkFloat32)
        image.SetSpacing(list(spacing))
        image.SetDirection(np.asarray(direction).ravel().tolist())
        middle = np.asarray(direction) @ ((np.array(size) - 1) / 2 * np.array(spacing))
        image.SetOrigin((CENTRE + np.array(shift) - middle).tolist())
        sampled = sitk.GetImageFromArray(function(world_coordinates(image)).astype(np.float32))
        sampled.CopyInformation(image)
        return sampled

    return make


def brain_function(world: np.ndarray) -> np.ndarray:
    """A smooth head-sized ellipsoid around `CENTRE`, exactly 0 outside."""
    radius = np.linalg.norm((world - CENTRE) / np.array([62.0, 75.0, 58.0]), axis=-1)
    wave = np.cos((world - CENTRE) / 9).prod(axis=-1)
    return np.where(radius < 1, 1.5 - radius**2 + 0.3 * wave, 0.0)


@pytest.fixture
def patient(sample) -> Callable[..., tuple[sitk.Image, sitk.Image, sitk.Image]]:
    """Makes (map, T1, FLAIR), each on a grid of its own; T1 and FLAIR are skull-stripped, the map ends in the brain."""

    def make(size=(16, 16, 3), spacing=(12.0, 12.0, 10.0), direction=ORIENTATIONS["axial"]):
        low_resolution = sample(lambda world: 5 * brain_function(world), size, spacing, direction)
        t1 = sample(lambda world: 800 * brain_function(world), (64, 76, 60), (2.5, 2.5, 2.5))
        flair = sample(lambda world: 90 * brain_function(world), (50, 56, 38), (3.1, 3.3, 4.0), ORIENTATIONS["oblique"])
        return low_resolution, t1, flair

    return make


def with_array(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    """An image in the place of another."""
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result


@pytest.fixture
def replace_array() -> Callable[[sitk.Image, np.ndarray], sitk.Image]:
    return with_array


@pytest.fixture
def centroid() -> Callable[[sitk.Image], np.ndarray]:
    """The world position of an image's centre of mass; faint ripples don't count."""

    def of(image: sitk.Image) -> np.ndarray:
        array = sitk.GetArrayFromImage(image).astype(float)
        weights = np.where(array > 1e-3 * array.max(), array, 0)
        return (world_coordinates(image) * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()

    return of
