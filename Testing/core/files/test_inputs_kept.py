"""No output replaces an input, whatever the two are called."""

import os

import pytest

from inference_core.errors import InputError
from inference_core.files.inputs import check_apart, check_not_inputs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "study" / "sub-01").mkdir(parents=True)
    for name in ("T1.nii", "study/sub-01/FLAIR.nii"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link.nii").symlink_to("T1.nii")
    (tmp_path / "hard.nii").hardlink_to(tmp_path / "T1.nii")
    (tmp_path / "way").symlink_to("study", target_is_directory=True)
    (tmp_path / "dangling.nii").symlink_to("nowhere")
    (tmp_path / "other.nii").write_text("free")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["T1.nii", "link.nii", "hard.nii", "./study/../T1.nii", "{absolute}"])
@pytest.mark.parametrize("given", ["T1.nii", "link.nii", "hard.nii"])
def test_an_input_is_known_by_what_it_is(folder, name, given):
    name = name.format(absolute=folder / "T1.nii")
    with pytest.raises(InputError) as refused:
        check_not_inputs(["other.nii", None, name], [("map", None), ("T1", given)])
    assert str(refused.value) == f"The output '{name}' is the T1 '{given}', which would be lost: name another output."


def test_an_input_of_another_case_is_the_same_where_the_disk_says_so(folder):
    if not os.path.exists("t1.NII"):  # noqa: PTH110
        pytest.skip("this disk tells upper from lower case")
    with pytest.raises(InputError, match="would be lost"):
        check_not_inputs(["t1.NII"], [("T1", "T1.nii")])


@pytest.mark.parametrize("name", ["study/sub-01/FLAIR.nii", "way/sub-01/FLAIR.nii"])
def test_what_lies_in_an_input_folder_is_an_input(folder, name):
    with pytest.raises(InputError, match=r"is 'study/sub-01/FLAIR.nii' of the data, which would be lost"):
        check_not_inputs([name], [("data", "study")])
    check_not_inputs(["study/new.json"], [("data", "study")])


def test_other_outputs_are_taken(folder):
    inputs = [("T1", "T1.nii"), ("map", "missing.nii"), ("data", folder / "study")]
    check_not_inputs(["other.nii", "new.nii", "dangling.nii", None], inputs)


def test_a_folder_with_inputs_is_not_replaced(folder):
    with pytest.raises(InputError, match=r"The T1 'way/sub-01/FLAIR.nii' lies in 'study/sub-01', which would be"):
        check_apart("study/sub-01", [("mask", None), ("T1", "way/sub-01/FLAIR.nii")])
    check_apart("study/sub-02", [("T1", "study/sub-01/FLAIR.nii")])
    check_apart("study/sub-0", [("T1", "study/sub-01/FLAIR.nii")])
