"""The manual's examples for Slicer's Python console, word for word; and what they promise."""

import gzip
import re
import shutil
import sys

import numpy as np
import pytest
import slicer
from scenes import MODULE, ROOT, add_segmentation, expected, pixels, sample_file, tumour_mask

GUIDE = ROOT / "docs" / "slicer.md"
CONSOLE = "## Slicer's Python console"


def manuals_examples():
    """The Python blocks of the manual's section on the console."""
    section = GUIDE.read_text(encoding="utf-8").split(CONSOLE, 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def study(tmp_path):
    """Two patients with few slices, the second of which lacks its FLAIR."""
    import SimpleITK as sitk

    for name in ("sub-01", "sub-02"):
        for kind in ("anat", "mrsi"):
            (tmp_path / "study" / name / kind).mkdir(parents=True)
        for modality in ("T1w", "FLAIR"):
            if (name, modality) != ("sub-02", "FLAIR"):
                shutil.copy(sample_file(modality), tmp_path / "study" / name / "anat" / f"{name}_{modality}.nii.gz")
        for metabolite in ("tCho", "NAA"):
            image = sitk.ReadImage(str(sample_file(f"res-n16_desc-acquired_{metabolite}")))
            sitk.WriteImage(image[:, :, 2:3], str(tmp_path / "study" / name / "mrsi" / f"{name}_{metabolite}.nii.gz"))
    return tmp_path / "study"


@pytest.fixture(params=["session", "windowless_session"])
def console(request, study, tmp_path, monkeypatch):
    """A namespace as Slicer's console has it, in a folder that holds what the examples name."""
    running = request.getfixturevalue(request.param)
    running.load_module(MODULE)
    module = running.python
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(MODULE.parent))
    monkeypatch.setitem(sys.modules, "MRSISuperRes", module)
    for source, name in (("res-n16_desc-acquired_tCho", "tCho"), ("T1w", "T1"), ("FLAIR", "FLAIR")):
        shutil.copy(sample_file(source), tmp_path / f"{name}.nii.gz")
    yield {"slicer": slicer, "MRSISuperResLogic": module.MRSISuperResLogic}
    module.close_shared_computation()


def test_the_manuals_examples_run(console, tmp_path, capsys):
    single, regions, folder = manuals_examples()
    exec(compile(single, GUIDE.name, "exec"), console)
    # What the user has loaded and drawn besides.
    slicer.util.loadVolume(str(sample_file("res-n16_desc-acquired_NAA")))
    console["segmentationNode"] = add_segmentation(console["t1Node"], tumour=tumour_mask())
    exec(compile(regions, GUIDE.name, "exec"), console)
    assert [(row.region, row.quantity) for row in console["rows"]] == [
        (region, quantity) for region in ("tumour", "tumour, mirrored") for quantity in ("tCho", "NAA", "tCho/NAA")
    ]
    assert slicer.util.getNode("Tumour segments in tCho, NAA").GetNumberOfRows() == 6
    exec(compile(folder, GUIDE.name, "exec"), console)
    import SimpleITK as sitk

    node = console["outputNode"]
    np.testing.assert_allclose(pixels(node), sitk.GetArrayFromImage(expected("tCho", 0.02)), rtol=1e-4, atol=1e-4)
    assert node.GetName() == "tCho_n16_lambda0.02"
    saved = sitk.ReadImage(str(tmp_path / "tCho_superres.nii.gz"))
    np.testing.assert_allclose(sitk.GetArrayFromImage(saved), pixels(node), rtol=1e-6)
    rows = console["rows"]
    assert sorted((row.patient, row.status) for row in rows if row.status == "done") == [("sub-01", "done")] * 4
    failed = [row for row in rows if row.status == "failed"]
    assert {row.patient for row in failed} == {"sub-02"}
    assert all("FLAIR" in row.message for row in failed)
    assert (tmp_path / "results" / "batch.tsv").is_file()
    assert "8/8" in capsys.readouterr().out


def test_a_second_run_does_only_what_is_missing(console, study, tmp_path):
    logic = console["MRSISuperResLogic"]()
    first = logic.superResolveFolder(study, tmp_path / "results", sharpness=[0, 0.02])
    done = [row for row in first if row.status == "done"]
    (tmp_path / "results" / done[0].output).unlink()
    second = logic.superResolveFolder(study, tmp_path / "results", sharpness=[0, 0.02])
    assert [row.status for row in second].count("done") == 1
    assert [row.status for row in second].count("skipped") == 3


def test_the_metabolite_is_read_from_the_name(console):
    nodes = [slicer.util.loadVolume(f"{name}.nii.gz") for name in ("tCho", "T1", "FLAIR")]
    node = console["MRSISuperResLogic"]().superResolve(*nodes)
    assert node.GetAttribute("MRSISuperRes.Metabolite") == "tCho"


def test_a_path_is_loaded_where_a_node_belongs(console, tmp_path):
    logic = console["MRSISuperResLogic"]()
    node = logic.superResolve("tCho.nii.gz", tmp_path / "T1.nii.gz", "FLAIR.nii.gz")
    assert node.GetAttribute("MRSISuperRes.Metabolite") == "tCho"
    assert node.GetAttribute("MRSISuperRes.T1") == "T1"


def test_a_path_is_placed_by_its_sform_as_the_commands_do(console, tmp_path, capsys):
    import nibabel as nib

    logic = console["MRSISuperResLogic"]()
    expected = slicer.util.arrayFromVolume(logic.superResolve("tCho.nii.gz", "T1.nii.gz", "FLAIR.nii.gz")).copy()
    for name in ("T1", "FLAIR"):
        image = nib.load(tmp_path / f"{name}.nii.gz")
        moved = nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)
        moved.set_sform(image.affine, 2)
        away = image.affine.copy()
        away[0, 3] += 20
        moved.set_qform(away, 1)
        nib.save(moved, tmp_path / f"{name}_moved.nii.gz")
    capsys.readouterr()
    node = logic.superResolve("tCho.nii.gz", "T1_moved.nii.gz", "FLAIR_moved.nii.gz")
    np.testing.assert_allclose(slicer.util.arrayFromVolume(node), expected, atol=1e-4)
    said = capsys.readouterr().out
    assert (
        "T1_moved: The sform (code 2) and the qform (code 1) of the T1 'T1_moved.nii.gz' place it 20 mm apart" in said
    )
    assert "loaded by the qform" not in said


def test_a_path_of_a_file_that_was_cut_is_refused(console, tmp_path):
    from inference_core.errors import InputError

    content = gzip.decompress((tmp_path / "T1.nii.gz").read_bytes())
    (tmp_path / "cut.nii").write_bytes(content[:-1000])
    before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    with pytest.raises(InputError, match=r"bytes that its header says|can't be read as a volume"):
        console["MRSISuperResLogic"]().superResolve("tCho.nii.gz", "cut.nii", "FLAIR.nii.gz")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("nowhere.nii.gz", "The FLAIR 'nowhere.nii.gz' is neither a node nor a file"),
        ("results.txt", "The FLAIR 'results.txt' can't be read as a volume"),
        (np.zeros(3), "The FLAIR is of type ndarray"),
        (None, "The FLAIR is missing"),
    ],
)
def test_what_is_neither_node_nor_file_is_refused_in_one_sentence(console, tmp_path, given, sentence):
    from inference_core.errors import InputError

    (tmp_path / "results.txt").write_text("no image")
    before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    logic = console["MRSISuperResLogic"]()
    t1 = slicer.util.loadVolume("T1.nii.gz")
    with pytest.raises(InputError, match=re.escape(sentence)):
        logic.superResolve("tCho.nii.gz", t1, given)
    if given is not None:
        # Nothing is left of what was loaded for the call.
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before + 1


def test_measuring_takes_paths_too(console):
    from inference_core.errors import InputError

    logic = console["MRSISuperResLogic"]()
    with pytest.raises(InputError, match=r"The segmentation 'nowhere\.seg\.nrrd' is neither a node nor a file"):
        logic.measureRegions("nowhere.seg.nrrd", "tCho.nii.gz", "T1.nii.gz", "FLAIR.nii.gz")
    with pytest.raises(InputError, match="is neither a node nor a file"):
        logic.superResolve("tCho.nii.gz", "T1.nii.gz", "FLAIR.nii.gz", "tCho/NAA", reference="white matter")


def test_a_missing_map_is_told_before_its_metabolite(console):
    from inference_core.errors import InputError

    with pytest.raises(InputError, match="metabolite map is missing"):
        console["MRSISuperResLogic"]().superResolve(None, None, None)


def test_the_slider_never_writes_into_a_result_of_the_console(session, module):
    panel = session.open_panel()
    session.click(panel.ui.sampleButton)
    parameters = panel.panel.parameters
    node = module.MRSISuperResLogic().superResolve(parameters.metaboliteMap, parameters.t1, parameters.flair)
    before = pixels(node)
    session.drag_slider(panel.ui.sharpnessSlider, 0.05)
    session.wait_until(lambda: not panel.panel.live.working, 60)
    assert parameters.result is not node
    np.testing.assert_array_equal(pixels(node), before)


def test_slicers_own_self_test_passes(session, module):
    test = module.MRSISuperResTest()
    test.runTest()
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    assert "tCho_n16_lambda0.02" in names
