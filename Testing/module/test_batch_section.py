"""The panel's batch section."""

import shutil

import pytest
import slicer
from scenes import TIMEOUT_S, sample_file, slow_network


@pytest.fixture
def study(tmp_path):
    import SimpleITK as sitk

    for name in ("anna", "bert"):
        folder = tmp_path / "study" / name
        folder.mkdir(parents=True)
        shutil.copy(sample_file("T1w"), folder / "T1.nii.gz")
        if name == "anna":
            shutil.copy(sample_file("FLAIR"), folder / "FLAIR.nii.gz")
        image = sitk.ReadImage(str(sample_file("res-n16_desc-acquired_tCho")))
        sitk.WriteImage(image[:, :, 1:3], str(folder / "tCho.nii.gz"))
    return tmp_path / "study"


@pytest.fixture
def panel(session, module, study, tmp_path):
    widget = session.open_panel()
    widget.ui.batchCollapsibleButton.collapsed = False
    session.type_text(widget.ui.batchInputEdit, str(study))
    session.type_text(widget.ui.batchOutputEdit, str(tmp_path / "results"))
    return widget


def test_a_batch_runs_and_reports(session, panel, tmp_path):
    session.click(panel.ui.batchButton)
    assert panel.ui.batchButton.text == "Cancel batch"
    session.wait_until(lambda: not panel.panel.batch.running, TIMEOUT_S)
    assert "2 done, 0 complete already, 2 failed." in panel.ui.batchLabel.text
    assert "FLAIR" in panel.ui.batchLabel.text
    table = slicer.util.getNode("MRSISuperRes batch")
    assert table.GetNumberOfRows() == 4
    assert len(list((tmp_path / "results").rglob("*.nii.gz"))) == 2
    session.click(panel.ui.batchButton)
    session.wait_until(lambda: not panel.panel.batch.running, TIMEOUT_S)
    assert "0 done, 2 complete already, 2 failed." in panel.ui.batchLabel.text


def test_files_that_are_not_used_are_in_the_table(session, panel, study):
    shutil.copy(study / "anna" / "tCho.nii.gz", study / "anna" / "Glx.nii.gz")
    session.click(panel.ui.batchButton)
    session.wait_until(lambda: not panel.panel.batch.running, TIMEOUT_S)
    text = "2 done, 0 complete already, 2 failed. Files that look like maps and are not used: 1; the table says why."
    assert text in panel.ui.batchLabel.text
    table = slicer.util.getNode("MRSISuperRes batch")
    cells = [table.GetCellText(row, column) for row in range(5) for column in range(table.GetNumberOfColumns())]
    assert "'Glx.nii.gz' is not used: Glx is none of the network's metabolites." in cells


def test_a_batch_can_be_cancelled(session, panel, monkeypatch, tmp_path):
    with slow_network(monkeypatch) as network:
        session.click(panel.ui.batchButton)
        session.wait_until(lambda: network.calls, TIMEOUT_S)
        session.click(panel.ui.batchButton)
        network.allow_all()
        session.wait_until(lambda: not panel.panel.batch.running, TIMEOUT_S)
    assert "Stopped early" in panel.ui.batchLabel.text
    assert panel.ui.batchButton.text == "Run batch"
    assert not list((tmp_path / "results").rglob("*.tmp*"))


def test_the_slider_stays_alive_during_a_batch(session, panel, monkeypatch):
    with slow_network(monkeypatch) as network:
        session.click(panel.ui.batchButton)
        session.wait_until(lambda: network.calls, TIMEOUT_S)
        session.click(panel.ui.sampleButton)
        session.click(panel.ui.applyButton)
        # One slice of the batch, then the panel's five, although the batch has more to do.
        network.allow(6)
        session.wait_until(lambda: not panel.panel.live.working, TIMEOUT_S)
        assert panel.panel.batch.running
        assert panel.panel.parameters.result is not None
        network.allow_all()
        session.wait_until(lambda: not panel.panel.batch.running, TIMEOUT_S)


@pytest.mark.parametrize("text", ["", "sharp", "0, much"])
def test_sharpness_that_is_no_number_is_named(session, panel, text):
    session.type_text(panel.ui.batchSharpnessEdit, text)
    session.click(panel.ui.batchButton)
    assert "no list of sharpness values" in panel.ui.batchLabel.text
    assert not panel.panel.batch.running


def test_a_study_without_patients_is_reported(session, panel, tmp_path):
    (tmp_path / "empty").mkdir()
    session.type_text(panel.ui.batchInputEdit, str(tmp_path / "empty"))
    session.click(panel.ui.batchButton)
    session.wait_until(lambda: not panel.panel.batch.running, TIMEOUT_S)
    assert "holds no patients" in panel.ui.batchLabel.text


def test_folders_are_chosen_in_a_dialog(session, panel, tmp_path):
    session.dialogs.answer(str(tmp_path))
    session.click(panel.ui.batchInputButton)
    assert panel.panel.parameters.batchInput == str(tmp_path)
    assert panel.ui.batchInputEdit.text == str(tmp_path)


def test_closing_the_panel_ends_the_batch(session, panel, monkeypatch):
    with slow_network(monkeypatch) as network:
        session.click(panel.ui.batchButton)
        session.wait_until(lambda: network.calls, TIMEOUT_S)
        network.allow_all()
        session.close_panel()
