"""Finding patients and their files: what is taken, and what is listed with its reason."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_core.errors import InputError
from inference_core.imaging.absent import absent_content
from inference_core.study.lone_patient import lone_patient, name_of
from inference_core.study.walker import find_parts, find_patients

ANNEX = "../../.git/annex/objects/Xm/9f/MD5E-s123--0.nii.gz/MD5E-s123--0.nii.gz"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def link(path, target=ANNEX):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def reasons(found, folder):
    return {one.path.relative_to(folder).as_posix(): one.reason for one in found.unused}


def test_every_map_of_a_patients_folder_is_taken_or_listed(tmp_path):
    touch(
        tmp_path,
        *("p/T1.nii", "p/FLAIR.nii", "p/T2w.nii", "p/tumour_seg.nii", "p/T1c.nii", "p/brain_mask.nii"),
        *("p/CRE_PEAK_HT.nii", "p/PCho+GPC.nii", "p/Glx.nii", "p/cho_cre.nii", "p/NAA_CRLB.nii", "p/map3.nii"),
    )
    (one,) = find_patients(tmp_path)
    assert [(path.name, metabolite) for path, metabolite in one.maps] == [
        ("CRE_PEAK_HT.nii", "tCr"),
        ("PCho+GPC.nii", "tCho"),
    ]
    assert reasons(one, tmp_path / "p") == {
        "Glx.nii": "Glx is none of the network's metabolites",
        "cho_cre.nii": "its name contains Cho and Cre, which may be a ratio: give each metabolite a map of its own",
        "NAA_CRLB.nii": "by its name it shows a Cramer-Rao bound or another error",
        "map3.nii": "its name contains no metabolite",
    }
    assert one.unused[0].sentence(one.folder).endswith(" is not used: Glx is none of the network's metabolites.")


def test_creatine_beside_phosphocreatine_is_no_total(tmp_path):
    touch(tmp_path / "mrsi", "Cr.nii", "PCr.nii", "Cr+PCr.nii")
    touch(tmp_path / "anat", "T1w.nii", "FLAIR.nii")
    (one,) = find_patients(tmp_path)
    assert [path.name for path, _ in one.maps] == ["Cr+PCr.nii"]
    assert reasons(one, tmp_path / "mrsi")["Cr.nii"] == "beside a map of PCr it is a part of the total"


def test_links_to_absent_content_are_found_and_say_so(tmp_path):
    touch(tmp_path / "sub-01", "anat/sub-01_T1w.nii.gz", "mrsi/sub-01_NAA.nii.gz")
    link(tmp_path / "sub-01/anat/sub-01_FLAIR.nii.gz")
    link(tmp_path / "sub-01/mrsi/sub-01_tCho.nii.gz")
    (one,) = find_patients(tmp_path)
    assert [metabolite for _, metabolite in one.maps] == ["NAA", "tCho"]
    with pytest.raises(InputError, match=r"FLAIR.nii.gz' is a link of git-annex to content .* `datalad get`"):
        one.single("FLAIR")
    (parts,) = find_parts(tmp_path)
    assert len(parts.maps) == 2
    assert parts.single("FLAIR").name == "sub-01_FLAIR.nii.gz"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"/annex/objects/MD5E-s20971520--8f.nii.gz\n", "git-annex"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:59\nsize 12\n", "`git lfs pull`"),
        (b"\x1f\x8b", ""),
        (b"", ""),
    ],
)
def test_pointers_are_absent_content(tmp_path, content, sentence):
    (tmp_path / "a.nii.gz").write_bytes(content)
    found = absent_content(tmp_path / "a.nii.gz")
    assert sentence in found
    assert bool(found) == bool(sentence)


def test_other_dangling_links_name_their_target(tmp_path):
    link(tmp_path / "a.nii", "gone.nii")
    assert absent_content(tmp_path / "a.nii") == "a link to 'gone.nii', which does not exist: check the link"


def test_the_folder_mrs_of_bids_belongs_to_its_patient(tmp_path):
    touch(
        tmp_path / "sub-04",
        *("anat/sub-04_T1w.nii.gz", "anat/sub-04_FLAIR.nii.gz", "mrs/sub-04_NAA.nii.gz", "mrs/sub-04_mrsref.nii.gz"),
        "mrs/sub-04_acq-press_svs.nii.gz",
    )
    (one,) = find_patients(tmp_path)
    assert (one.name, [metabolite for _, metabolite in one.maps]) == ("sub-04", ["NAA"])
    assert one.single("T1").name == "sub-04_T1w.nii.gz"
    assert set(reasons(one, tmp_path / "sub-04").values()) == {
        "by its name it holds spectra, not a map of concentrations: fit them first"
    }
    (parts,) = find_parts(tmp_path)
    assert [path.name for path in parts.maps] == ["sub-04_NAA.nii.gz"]
    (parts,) = find_parts(tmp_path / "sub-04")
    assert [path.name for path in (*parts.t1, *parts.maps)] == ["sub-04_T1w.nii.gz", "sub-04_NAA.nii.gz"]


def test_fits_that_need_preparing_are_listed_for_the_batch(tmp_path):
    touch(
        tmp_path / "sub-01",
        *("anat/T1w.nii", "anat/FLAIR.nii", "mrsi/fit/concs/raw/NAA.nii.gz", "mrsi/scan_sl1_1-1.table"),
        "mrsi/more/NAA.nii.gz",
    )
    (one,) = find_patients(tmp_path)
    assert one.maps == ()
    assert reasons(one, tmp_path / "sub-01") == {
        "mrsi": "it holds LCModel's output: prepare them first (mrsi-superres prepare)",
        "mrsi/fit": "it holds results of FSL-MRS: prepare them first (mrsi-superres prepare)",
        "mrsi/more": "a folder in 'mrsi' is not looked into: move its maps up, or prepare them first (mrsi-superres "
        "prepare)",
    }


def test_maps_and_mri_beside_the_folders_are_taken_or_listed(tmp_path):
    touch(tmp_path / "p", "T1.nii", "FLAIR.nii", "T2w.nii", "mrsi/NAA.nii", "tCho.nii")
    touch(tmp_path / "q", "anat/T1.nii", "anat/FLAIR.nii", "anat/Ins.nii", "NAA.nii", "Glx.nii", "dwi.nii")
    first, second = find_patients(tmp_path)
    assert [path.name for path in (first.single("T1"), first.single("FLAIR"), *dict(first.maps))] == [
        "T1.nii",
        "FLAIR.nii",
        "NAA.nii",
    ]
    assert reasons(first, tmp_path / "p") == {"tCho.nii": "maps are looked for in the patient's folder 'mrsi'"}
    assert [path.name for path, _ in second.maps] == ["NAA.nii"]
    assert reasons(second, tmp_path / "q") == {
        "Glx.nii": "Glx is none of the network's metabolites",
        "anat/Ins.nii": "maps are looked for in the patient's folder 'mrsi'",
    }


def test_a_fit_in_a_flat_patients_folder_is_no_patient_of_its_own(tmp_path):
    touch(tmp_path / "p", "T1.nii", "FLAIR.nii", "fit/concs/raw/NAA.nii.gz", "fit/qc/NAA_snr.nii.gz")
    touch(tmp_path / "q", "T1.nii", "FLAIR.nii", "concs/raw/NAA.nii.gz", "qc/NAA_snr.nii.gz", "scan_sl1_1-1.table")
    first, second = find_patients(tmp_path)
    assert (first.name, second.name) == ("p", "q")
    assert list(reasons(first, tmp_path / "p")) == ["fit"]
    assert list(reasons(second, tmp_path)) == ["q", "q/concs", "q/qc"]
    assert (
        second.unused[0]
        .sentence(second.folder)
        .startswith(f"'{tmp_path.as_posix()}/q' is not used: it holds LCModel's")
    )


def test_what_this_program_writes_beside_maps_is_not_listed(tmp_path):
    touch(
        tmp_path / "sub-01" / "mrsi",
        *(f"sub-01_res-n16_desc-{kind}_NAA.nii.gz" for kind in ("acquired", "filtered", "valid", "crlb", "truth")),
        *("sub-01_res-n16_desc-quality_snr.nii.gz", "sub-01_desc-superres_lambda-0_NAA.nii.gz"),
        *("sub-01_res-high_desc-acquired_NAA.nii.gz", "other/sub-01_res-n16_desc-acquired_GPC.nii.gz"),
    )
    (one,) = find_patients(tmp_path)
    assert [path.name for path, _ in one.maps] == ["sub-01_res-n16_desc-filtered_NAA.nii.gz"]
    assert one.unused == ()


@pytest.mark.parametrize(
    ("t1", "maps", "name"),
    [
        ("study/sub-01/anat/sub-01_T1w.nii.gz", "study/sub-01/mrsi", "sub-01"),
        ("study/sub-01/ses-2/anat/T1w.nii.gz", "study/sub-01/ses-2/mrsi", "sub-01/ses-2"),
        ("study/sub-01/anat/sub-01_T1w.nii.gz", "fits/sub-01_ses-b", "sub-01/ses-b"),
        ("Müller/anat/T1.nii", "Müller/fit", "Müller"),
        ("Müller/NIFTI/anat/T1.nii", "Müller/fit", "Müller"),
        ("K_01/T1.nii", "K_01/lcmodel", "K_01"),
    ],
)
def test_a_lone_patient_has_the_name_of_its_files(tmp_path, t1, maps, name):
    assert name_of({"T1": tmp_path / t1, "maps": tmp_path / maps}) == name


def test_parts_of_different_patients_are_refused(tmp_path):
    touch(tmp_path, "sub-01_T1w.nii", "sub-02_FLAIR.nii", "maps/NAA.nii")
    parts = {"t1": tmp_path / "sub-01_T1w.nii", "flair": tmp_path / "sub-02_FLAIR.nii", "maps": tmp_path / "maps"}
    with pytest.raises(InputError, match=r"named for different patients \(T1 sub-01, FLAIR sub-02\)"):
        lone_patient(**parts)
    assert lone_patient("mine", **parts).bids_path == "sub-mine"


def test_a_path_that_names_nobody_needs_a_name():
    with pytest.raises(InputError, match="names the patient: give --patient"):
        name_of({"T1": Path("/data/anat/T1.nii")})


#: Parts of paths that the walk looks at, and nonsense.
NAMES = st.sampled_from(
    [
        *(
            "sub-01",
            "ses-1",
            "anat",
            "mrsi",
            "mrs",
            "derivatives",
            ".git",
            "fit",
            "concs",
            "raw",
            "qc",
            "uncertainties",
        ),
        *(
            "internal",
            "T1.nii.gz",
            "FLAIR.nii",
            "NAA.nii.gz",
            "GPC+PCho.nii",
            "NAA_sd.nii.gz",
            "PCho_snr.nii.gz",
            "x y",
        ),
        *("Glx.nii", "cho_cre.mha", "brain_mask.nii", "a_sl1_1-1.table", "slice1.csv", "scan.SPAR", "internal", "ü"),
    ]
)
KINDS = st.sampled_from(["file", "folder", "circle", "absent"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(trees=st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=5), KINDS), max_size=14))
def test_any_tree_is_walked_or_refused(trees, tmp_path_factory):
    study = tmp_path_factory.mktemp("tree")
    for parts, kind in trees:
        path = study.joinpath(*parts)
        try:
            if kind == "folder":
                path.mkdir(parents=True, exist_ok=True)
            elif kind == "file":
                touch(study, "/".join(parts))
            else:
                link(path, study if kind == "circle" else ANNEX)
        except OSError:
            # A file where this one needs a folder, or the other way round.
            continue
    for find in (find_patients, find_parts):
        try:
            found = find(study)
        except InputError:
            continue
        assert len({one.name for one in found}) == len(found)
        for one in found:
            used = {*dict(one.maps)} if find is find_patients else {*one.maps}
            assert not used & {left.path for left in one.unused}
            assert all(left.reason for left in one.unused)
