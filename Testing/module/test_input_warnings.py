"""Volumes that are probably not what they were chosen for, and files that tell two places, are said in the panel."""

import shutil

import nibabel as nib
import numpy as np
import pytest
import slicer
import vtk
from scenes import TIMEOUT_S, sample_file


@pytest.fixture
def panel(session, module):
    widget = session.open_panel()
    session.click(widget.ui.sampleButton)
    widget.ui.modelCollapsibleButton.collapsed = False
    return widget


def with_two_places(name, tmp_path, codes=(2, 1)):
    """A sample image coregistered in its sform, 20 mm from where its qform has it."""
    image = nib.load(sample_file(name))
    again = nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)
    again.set_sform(image.affine, codes[0])
    away = image.affine.copy()
    away[0, 3] += 20
    again.set_qform(away, codes[1])
    path = tmp_path / f"{name}.nii.gz"
    nib.save(again, path)
    return path


def test_ordinary_volumes_raise_no_doubts(panel):
    assert not panel.panel._input_warnings()


def test_a_t1_chosen_as_flair_is_said_before_and_after_apply(session, panel):
    session.choose(panel.ui.flairSelector, panel.panel.parameters.t1)
    assert "was given as FLAIR, but is named for a T1" in panel.ui.messageLabel.text
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert "was given as FLAIR, but is named for a T1" in panel.ui.messageLabel.text
    assert "The T1 and the FLAIR are the same image" in panel.ui.messageLabel.text


def test_a_map_taken_for_another_metabolite_is_said(session, panel):
    # Live update computes it at once.
    session.choose_text(panel.ui.metaboliteComboBox, "Gln")
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    assert "was given as the map of Gln, but is named for a map of tCho" in panel.ui.messageLabel.text


def test_a_volume_that_slicer_placed_by_the_other_of_two_places_is_said(session, panel, tmp_path):
    node = slicer.util.loadVolume(str(with_two_places("T1w", tmp_path)), {"show": False})
    session.choose(panel.ui.t1Selector, node)
    assert f"The sform (code 2) and the qform (code 1) of the T1 '{node.GetName()}'" in panel.ui.messageLabel.text
    assert "20 mm apart, and it was loaded by the qform" in panel.ui.messageLabel.text
    # Once it lies where the sform has it, there is nothing to say.
    node.SetOrigin(node.GetOrigin()[0] - 20, *node.GetOrigin()[1:])
    assert "loaded by the qform" not in panel.ui.messageLabel.text


def test_a_volume_that_slicer_placed_by_its_sform_is_not(session, panel, tmp_path):
    node = slicer.util.loadVolume(str(with_two_places("T1w", tmp_path, codes=(1, 1))), {"show": False})
    session.choose(panel.ui.t1Selector, node)
    assert not panel.panel._input_warnings()


def test_a_volume_without_a_place_is_said(session, panel, tmp_path):
    node = slicer.util.loadVolume(str(with_two_places("T1w", tmp_path, codes=(0, 0))), {"show": False})
    session.choose(panel.ui.t1Selector, node)
    assert f"The header of the T1 '{node.GetName()}' gives no position in the patient" in panel.ui.messageLabel.text


def test_a_map_with_its_slices_along_another_axis_is_reordered_and_said(session, panel):
    source = panel.panel.parameters.metaboliteMap
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    expected = slicer.util.arrayFromVolume(panel.panel.parameters.result).copy()
    own = vtk.vtkMatrix4x4()
    source.GetIJKToRASMatrix(own)
    turned = vtk.vtkMatrix4x4()
    for row, column in np.ndindex(4, 4):
        turned.SetElement(row, column, own.GetElement(row, (2, 0, 1, 3)[column]))
    # From (slice, row, column) to the columns first, then the slices, which are now the fastest.
    array = np.ascontiguousarray(slicer.util.arrayFromVolume(source).transpose(1, 2, 0))
    node = slicer.util.addVolumeFromArray(array, ijkToRAS=turned, name="tCho turned")
    session.choose(panel.ui.mapSelector, node)
    assert "The map's slices lie along its first axis" in panel.ui.resolutionWarning.text
    session.click(panel.ui.applyButton)
    session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
    result = slicer.util.arrayFromVolume(panel.panel.parameters.result)
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize(("rescaled", "said"), [(True, True), (False, False)])
def test_a_raw_map_of_fsl_mrs_is_said_not_to_compare_between_voxels(session, panel, tmp_path, rescaled, said):
    (tmp_path / "options.txt").write_text(f"Namespace(no_rescale={not rescaled})")
    folder = tmp_path / "concs" / "raw"
    folder.mkdir(parents=True)
    path = shutil.copy(panel.panel.parameters.metaboliteMap.GetStorageNode().GetFileName(), folder)
    node = slicer.util.loadVolume(str(path), {"show": False})
    session.choose(panel.ui.mapSelector, node)
    assert ("they do not compare between voxels" in panel.ui.messageLabel.text) is said
