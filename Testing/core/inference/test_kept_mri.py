"""What was made of a patient's T1 and FLAIR is used again for their next map, and for no other patient's."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.imaging import geometry
from inference_core.imaging.brain_mask import coverage, share_in_low_resolution
from inference_core.imaging.geometry import resample_finer, super_resolved_grid
from inference_core.inference import kept_mri
from inference_core.inference.kept_mri import KeptMri


def _image(size, spacing, seed=0, tilt=0.0, shift=0.0):
    """A brain-like ellipsoid in an empty volume."""
    axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in size[::-1]), indexing="ij")
    inside = sum((axis * step / 60) ** 2 for axis, step in zip(axes, spacing[::-1], strict=True)) < 1
    values = np.random.default_rng(seed).random(size[::-1], dtype=np.float32) + 0.5
    image = sitk.GetImageFromArray(np.where(inside, values, 0).astype(np.float32))
    image.SetSpacing(spacing)
    cosine, sine = np.cos(tilt), np.sin(tilt)
    direction = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    image.SetDirection(direction.ravel().tolist())
    middle = (np.array(size) - 1) / 2 * spacing
    image.SetOrigin((shift - direction @ middle).tolist())
    return image


@pytest.fixture
def images():
    return _image((60, 70, 60), (2.5, 2.5, 2.5)), _image((70, 70, 30), (2.2, 2.2, 5.0), seed=1, tilt=0.1)


@pytest.fixture
def counted(monkeypatch):
    calls = []

    def mri_slabs(image, grid, role):
        calls.append(role)
        return geometry.mri_slabs(image, grid, role)

    monkeypatch.setattr(kept_mri, "mri_slabs", mri_slabs)
    return calls


def _grid(n=16):
    return super_resolved_grid(_image((n, n, 4), (200 / n, 200 / n, 8.0)))


def test_the_same_images_are_brought_onto_a_grid_once(images, counted):
    kept = KeptMri()
    first = kept.get(*images).on(_grid())
    again = kept.get(*images).on(_grid())
    assert again is first
    # Programs hand the same images over as new objects.
    others = [sitk.GetImageFromArray(sitk.GetArrayFromImage(image)) for image in images]
    for other, image in zip(others, images, strict=True):
        other.CopyInformation(image)
    assert kept.get(*others).on(_grid()) is first
    assert sorted(counted) == ["FLAIR", "T1"]
    assert kept.get(*images).on(_grid(20)) is not first
    assert len(counted) == 4


@pytest.mark.parametrize("change", ["voxel", "origin", "direction"])
def test_changed_images_are_another_patients(change, images, counted):
    kept = KeptMri()
    t1, flair = images
    first = kept.get(t1, flair).on(_grid())
    if change == "voxel":
        # In place: what is kept must not change with it.
        flair[30, 30, 15] = 100.0
    elif change == "origin":
        flair.SetOrigin([value + 1e-3 for value in flair.GetOrigin()])
    else:
        flair.SetDirection(np.eye(3).ravel().tolist())
    other = kept.get(t1, flair).on(_grid())
    assert not np.array_equal(other.flair, first.flair)
    np.testing.assert_array_equal(other.flair, geometry.mri_slabs(flair, _grid(), "FLAIR"))


@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_resampling_only_what_an_image_holds_gives_what_resampling_all_of_it_does(tilt):
    image, grid = _image((60, 70, 60), (2.5, 2.5, 2.5), tilt=tilt, shift=7.0), _grid()
    fine = resample_finer(image, grid.size, grid.spacing, grid.origin, grid.direction, anti_alias=False)
    axes, spacing = np.array(grid.direction).reshape(3, 3), np.array(grid.spacing) / 3
    expected = sitk.Resample(
        image, [3 * count for count in grid.size], sitk.Transform(), sitk.sitkLinear,
        (np.array(grid.origin) - axes @ spacing).tolist(), spacing.tolist(), grid.direction, 0.0,
    )  # fmt: skip
    expected = sitk.GetArrayFromImage(expected)
    assert (expected == 0).mean() > 0.2
    np.testing.assert_allclose(fine, expected, atol=2e-5)
    assert not resample_finer(image * 0, grid.size, grid.spacing, grid.origin, grid.direction).any()


@pytest.mark.parametrize(("tilt", "shift"), [(0.0, 0.0), (0.3, 40.0), (0.1, 90.0), (0.0, 400.0)])
def test_the_share_that_an_image_covers_is_that_of_a_resampled_field_of_view(tilt, shift):
    grid = _grid()
    image = _image((60, 70, 60), (2.5, 2.5, 2.0), tilt=tilt, shift=shift)
    where = np.random.default_rng(2).random((4, 16, 16)) < 0.7
    everywhere = image * 0 + 1
    expected = share_in_low_resolution(everywhere, grid)[where].mean()
    assert coverage(image, where, grid) == pytest.approx(expected, abs=2e-3)


def test_one_image_in_both_roles_is_brought_onto_the_grid_twice(images):
    t1, _ = images
    on_grid = KeptMri().get(t1, t1).on(_grid())
    np.testing.assert_array_equal(on_grid.t1, on_grid.flair)
    np.testing.assert_array_equal(on_grid.t1, geometry.mri_slabs(t1, _grid(), "T1"))
