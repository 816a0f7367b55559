"""Maps whose slices lie along another axis than the third: reordered, or refused if that is unclear."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.place import mark_without_place
from inference_core.imaging.reading import check_map
from inference_core.imaging.slice_axis import with_slices_last

TRANSVERSE = np.eye(3)
CORONAL = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
SAGITTAL = np.array([[0, 0, 1.0], [1.0, 0, 0], [0, -1.0, 0]])
TILTED = np.array([[1.0, 0, 0], [0, 0.94, -0.342], [0, 0.342, 0.94]])


def make(size, spacing, direction=TRANSVERSE):
    image = sitk.GetImageFromArray(np.random.default_rng(0).uniform(1, 2, size[::-1]).astype(np.float32))
    image.SetSpacing([float(step) for step in spacing])
    axes, _, other = np.linalg.svd(direction)
    image.SetDirection((axes @ other).ravel().tolist())
    image.SetOrigin((-60.0, 20.0, 31.0))
    return image


def same(one, other):
    np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(other))
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(one, what)(), getattr(other, what)(), atol=1e-12)


ORDINARY = [
    ((14, 14, 3), (10, 10, 12), TRANSVERSE),
    ((14, 14, 3), (10, 10, 12), TILTED),
    ((16, 18, 12), (10, 10, 8), TRANSVERSE),
    ((16, 16, 1), (10, 10, 15), TRANSVERSE),
    # Whole brain: cubic voxels, as many as the head needs.
    ((32, 42, 22), (5, 5, 5), TRANSVERSE),
    ((32, 42, 22), (5, 5, 5), TILTED),
    ((22, 22, 22), (8, 8, 8), TRANSVERSE),
    # No two edges alike.
    ((18, 20, 10), (9, 10, 11), TRANSVERSE),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize(("size", "spacing", "direction"), ORDINARY)
def test_whatever_the_order_of_its_axes_a_map_is_the_same(size, spacing, direction, order, recwarn):
    image = make(size, spacing, direction)
    permuted = sitk.PermuteAxes(image, order)
    found = with_slices_last(permuted)
    if order[2] == 2:
        assert found is permuted
        assert not recwarn.list
        return
    same(found, image)
    (warned,) = recwarn.list
    assert issubclass(warned.category, InputWarning)
    axis = ("first", "second", "third")[order.index(2)]
    assert str(warned.message).startswith(f"The map's slices lie along its {axis} axis (")
    assert str(warned.message).endswith(f"were reordered, to {size[0]} x {size[1]} x {size[2]} voxels.")


@pytest.mark.parametrize(
    ("size", "spacing", "direction"),
    [
        # Coronal and sagittal slices, along the third axis by their voxels or their matrix.
        ((14, 14, 3), (10, 10, 12), CORONAL),
        ((14, 14, 12), (10, 10, 12), SAGITTAL),
        ((14, 14, 3), (10, 10, 10), CORONAL),
        ((14, 14, 3), (10, 10, 10), SAGITTAL),
        # Rectangular voxels, one edge of which is as long as the slices are thick.
        ((14, 12, 3), (10, 12, 12), TRANSVERSE),
    ],
)
def test_maps_with_their_slices_along_the_third_axis_stay_as_they_are(size, spacing, direction, recwarn):
    image = make(size, spacing, direction)
    assert with_slices_last(image) is image
    assert not recwarn.list


def test_coronal_slices_along_another_axis_are_reordered():
    image = make((14, 16, 3), (10, 10, 12), CORONAL)
    for order in ((2, 0, 1), (0, 2, 1), (1, 2, 0)):
        with pytest.warns(InputWarning, match="axes were reordered, to 14 x 16 x 3"):
            same(with_slices_last(sitk.PermuteAxes(image, order)), image)


def test_voxels_that_are_square_across_another_axis_are_said():
    image = make((16, 16, 12), (12, 10, 10))
    with pytest.warns(
        InputWarning, match="along its third axis, the one nearest to head-foot, though its voxels are sq"
    ):
        assert with_slices_last(image) is image


@pytest.mark.parametrize(
    ("size", "spacing", "direction"),
    [
        # Voxels speak for the first axis, header and matrix for others.
        ((14, 14, 3), (12, 10, 10), SAGITTAL),
        ((12, 14, 14), (12, 10, 10), CORONAL),
        # Cubic: three slices along the first axis, head-foot along the third.
        ((3, 14, 14), (10, 10, 10), TRANSVERSE),
    ],
)
def test_maps_whose_slices_are_unclear_are_refused(size, spacing, direction):
    with pytest.raises(
        InputError, match=r"It is unclear along which axis the map's slices lie .*: save it with its sli"
    ):
        with_slices_last(make(size, spacing, direction))


def test_without_a_place_voxels_and_matrix_tell(recwarn):
    lost = make((16, 18, 20), (10, 10, 10), CORONAL)
    mark_without_place(lost, "its codes are 0")
    assert with_slices_last(lost) is lost
    assert not recwarn.list
    lost = make((3, 14, 14), (10, 10, 10), TRANSVERSE)
    mark_without_place(lost, "its codes are 0")
    with pytest.warns(InputWarning, match="to 14 x 14 x 3 voxels"):
        assert with_slices_last(lost).GetSize() == (14, 14, 3)


def test_a_map_of_too_few_rows_is_refused_before_padding_hides_it():
    with pytest.raises(InputError, match="The map has only 3 x 14 voxels a slice: at least 4 x 4 are needed"):
        check_map(make((14, 3, 14), (10, 10, 12)))
