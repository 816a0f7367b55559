"""Where the result lies: oblique volumes, parent transforms, T1 and FLAIR on grids of their own."""

import numpy as np
import pytest
import slicer
import vtk
from scenes import ijk_to_ras, pixels, sample_file

from inference_core.errors import InputError


def load(name):
    return slicer.util.loadVolume(str(sample_file(name)), {"show": False})


@pytest.fixture
def logic(session, module):
    return module.MRSISuperResLogic()


@pytest.fixture
def patient(session):
    return load("res-n16_desc-acquired_tCho"), load("T1w"), load("FLAIR")


def vtk_matrix(array):
    matrix = vtk.vtkMatrix4x4()
    for (row, column), value in np.ndenumerate(np.asarray(array)):
        matrix.SetElement(row, column, value)
    return matrix


def to_world(node):
    """From voxel indices to world RAS."""
    matrix = vtk.vtkMatrix4x4()
    parent = node.GetParentTransformNode()
    if parent is not None:
        parent.GetMatrixTransformToWorld(matrix)
    parent_matrix = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    return parent_matrix @ ijk_to_ras(node)


def transform(array):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(vtk_matrix(array))
    return node


def rotation(degrees, axis, shift=(0, 0, 0)):
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    first, second = [a for a in range(3) if a != axis]
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    matrix[:3, 3] = shift
    return matrix


def move(node, array):
    """Change a volume's own geometry."""
    node.SetIJKToRASMatrix(vtk_matrix(array @ ijk_to_ras(node)))


def test_the_grid_keeps_the_centre_of_the_first_voxel(logic, patient):
    result = logic.superResolve(*patient)
    low, high = ijk_to_ras(patient[0]), ijk_to_ras(result)
    np.testing.assert_allclose(high[:3, 3], low[:3, 3], atol=1e-4)
    np.testing.assert_allclose(high[:3, :2], low[:3, :2] * 16 / 64, atol=1e-5)
    np.testing.assert_allclose(high[:3, 2], low[:3, 2], atol=1e-5)


def test_oblique_volumes_give_the_same_voxels_in_the_rotated_place(logic, patient):
    upright = logic.superResolve(*patient)
    turn = rotation(25, 0, (12, -30, 7)) @ rotation(-15, 2)
    for node in patient:
        move(node, turn)
    oblique = logic.superResolve(*patient)
    np.testing.assert_allclose(ijk_to_ras(oblique), turn @ ijk_to_ras(upright), atol=1e-3)
    scale = pixels(upright).max()
    assert np.abs(pixels(oblique) - pixels(upright)).max() < 0.02 * scale


def test_a_common_transform_moves_the_result_along(logic, patient):
    plain = logic.superResolve(*patient)
    common = transform(rotation(40, 2, (5, 6, 7)))
    for node in patient:
        node.SetAndObserveTransformNodeID(common.GetID())
    moved = logic.superResolve(*patient)
    assert moved.GetParentTransformNode() is common
    np.testing.assert_allclose(ijk_to_ras(moved), ijk_to_ras(plain), atol=1e-6)
    np.testing.assert_array_equal(pixels(moved), pixels(plain))
    # Also when the transform is changed afterwards.
    common.SetMatrixTransformToParent(vtk_matrix(rotation(10, 1, (1, 2, 3))))
    np.testing.assert_allclose(to_world(moved), rotation(10, 1, (1, 2, 3)) @ ijk_to_ras(plain), atol=1e-6)


def test_registration_transforms_of_t1_and_flair_count(logic, patient):
    plain = logic.superResolve(*patient)
    shift = rotation(12, 2, (25, -10, 4))
    registration = transform(np.linalg.inv(shift))
    for node in patient[1:]:
        move(node, shift)
        node.SetAndObserveTransformNodeID(registration.GetID())
    registered = logic.superResolve(*patient)
    assert registered.GetParentTransformNode() is None
    np.testing.assert_allclose(pixels(registered), pixels(plain), atol=0.01 * pixels(plain).max())


def test_the_map_alone_under_a_transform(logic, patient):
    plain = logic.superResolve(*patient)
    shift = rotation(12, 2, (25, -10, 4))
    move(patient[0], shift)
    back = transform(np.linalg.inv(shift))
    patient[0].SetAndObserveTransformNodeID(back.GetID())
    result = logic.superResolve(*patient)
    assert result.GetParentTransformNode() is back
    np.testing.assert_allclose(to_world(result), ijk_to_ras(plain), atol=1e-3)
    np.testing.assert_allclose(pixels(result), pixels(plain), atol=0.01 * pixels(plain).max())


def test_an_affine_registration_with_shear_is_resampled(logic, patient):
    plain = logic.superResolve(*patient)
    shear = np.eye(4)
    shear[0, 1], shear[2, 2] = 0.08, 1.05
    move(patient[1], np.linalg.inv(shear))
    patient[1].SetAndObserveTransformNodeID(transform(shear).GetID())
    sheared = logic.superResolve(*patient)
    difference = np.abs(pixels(sheared) - pixels(plain))
    assert difference[pixels(plain) > 0].mean() < 0.03 * pixels(plain).max()


def test_t1_and_flair_on_grids_of_their_own(logic, patient):
    import SimpleITK as sitk

    plain = logic.superResolve(*patient)
    image = sitk.ReadImage(str(sample_file("T1w")))
    flipped = sitk.Flip(sitk.PermuteAxes(image, [2, 0, 1]), [True, False, True])
    array = sitk.GetArrayFromImage(flipped)
    from scenes import image_matrix

    other = slicer.util.addVolumeFromArray(array, ijkToRAS=vtk_matrix(image_matrix(flipped)))
    result = logic.superResolve(patient[0], other, patient[2])
    np.testing.assert_allclose(pixels(result), pixels(plain), atol=1e-3 * pixels(plain).max())


def test_a_transform_that_is_not_linear_is_refused_by_name(logic, patient):
    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    field = vtk.vtkImageData()
    field.SetDimensions(4, 4, 4)
    field.SetSpacing(60, 60, 60)
    field.SetOrigin(-100, -100, -100)
    field.AllocateScalars(vtk.VTK_DOUBLE, 3)
    field.GetPointData().GetScalars().Fill(3.0)
    displacement = slicer.vtkOrientedGridTransform()
    displacement.SetDisplacementGridData(field)
    grid.SetAndObserveTransformToParent(displacement)
    patient[2].SetAndObserveTransformNodeID(grid.GetID())
    with pytest.raises(InputError, match=r"FLAIR.*not linear.*harden"):
        logic.superResolve(*patient)


def test_a_map_with_sheared_axes_is_refused(logic, patient):
    shear = np.eye(4)
    shear[0, 1] = 0.2
    move(patient[0], shear)
    with pytest.raises(InputError, match=r"metabolite map.*not perpendicular"):
        logic.superResolve(*patient)
