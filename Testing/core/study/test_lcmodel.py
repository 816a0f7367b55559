"""LCModel's files, the scanner's geometry, and what files' names say: read right, or refused in a sentence."""

import contextlib
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lcmodel_files import csv_text, spar_text, table_text, write_examination

from inference_core.errors import InputError, InputWarning
from inference_core.study.geometry_sources import GeometryOptions, map_geometry
from inference_core.study.lcmodel import read_lcmodel
from inference_core.study.lcmodel_csv import read_slice_csv
from inference_core.study.lcmodel_table import read_fit
from inference_core.study.map_sources import maps_from_images, maps_from_lcmodel
from inference_core.study.metabolite_names import chosen_names, named_signal, quality_role
from inference_core.study.spar import read_spar

FIT = {"Cr": (957.863, 19), "NAA": (1260, 9), "-CrCH2": (0, 999), "GPC+PCh": (332.324, 9), "NAA+NAAG": (1590, 8)}


@pytest.fixture
def folder(tmp_path):
    """Two slices of 2 rows and 3 columns; NAA tells its voxel, 100 x slice + 10 x row + column."""
    write_examination(tmp_path, {"NAA": numbered(), "Cr+PCr": 2 * numbered()}, snr=numbered() / 10)
    return tmp_path


def numbered(shape=(2, 2, 3)):
    slices, rows, columns = np.indices(shape) + 1
    return 100.0 * slices + 10 * rows + columns


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (("sl1_1-2", "sl2_2-1"), "2 of 12 voxels have no fit in '{}' (the first: slice 1, row 1, column 2)"),
        # LCModel is told which rows and columns to fit.
        (("sl1_1-1", "sl1_1-2", "sl1_1-3", "sl2_1-1", "sl2_1-2", "sl2_1-3"), None),
    ],
)
def test_voxels_between_others_that_have_no_file_are_told(folder, missing, told):
    for one in missing:
        (path,) = folder.glob(f"*{one}.table")
        path.unlink()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_lcmodel(folder)
    assert [str(one.message) for one in caught] == (
        [f"{told.format(folder)}: they are left empty. Check that no file is missing."] if told else []
    )


def test_a_table_is_read_to_the_digit(tmp_path):
    path = tmp_path / "a.table"
    path.write_text(table_text(FIT, snr=5, fwhm=0.031, index=(1, 7, 12)))
    fit = read_fit(path)
    assert fit.values == FIT
    assert (fit.snr, fit.fwhm, fit.index) == (5, 0.031, (1, 7, 12))


@pytest.mark.parametrize("sign", "+-")
def test_a_sign_may_stand_between_the_ratio_and_the_name(tmp_path, sign):
    path = tmp_path / "a.table"
    path.write_text(table_text(FIT).replace("1.577 NAA ", f"1.577{sign}NAA ").replace("1.577 Cr ", f"3.3E-02{sign}Cr "))
    assert list(read_fit(path).values) == list(FIT)


def test_a_coord_says_the_same(tmp_path):
    path = tmp_path / "a.coord"
    path.write_text(table_text(FIT, index=(2, 1, 3), coord=True))
    fit = read_fit(path)
    assert (fit.values, fit.index, fit.snr) == (FIT, (2, 1, 3), 12)


def test_numbers_that_are_none_are_nan(tmp_path):
    path = tmp_path / "a.table"
    path.write_text(table_text(FIT).replace("957.863  19%", "*********  19%").replace("332.324   9%", "332.324 ***%"))
    values = read_fit(path).values
    assert np.isnan(values["Cr"][0])
    assert values["Cr"][1] == 19
    assert np.isnan(values["GPC+PCh"][1])


def test_a_table_cut_anywhere_before_its_quality_is_refused(tmp_path):
    path, text = tmp_path / "a.table", table_text(FIT)
    for end in range(text.index("S/N =")):
        path.write_text(text[:end])
        with pytest.raises(InputError, match=r"cut short|no concentration table"):
            read_fit(path)


def test_a_csv_is_read_by_row_and_column(tmp_path):
    path = tmp_path / "slice1.csv"
    path.write_text(csv_text({(1, 1): FIT, (2, 1): FIT | {"NAA": (7.5, 999)}}))
    fits = read_slice_csv(path)
    assert fits.values == {(1, 1): FIT, (2, 1): FIT | {"NAA": (7.5, 999)}}
    assert fits.damaged_lines == 0


@pytest.mark.parametrize(
    ("separator", "encoding", "decimal"),
    [
        (",", "utf-8-sig", "."),
        (";", "latin-1", ","),
        (";", "utf-8-sig", "."),
        ("\t", "utf-16", ","),
        ("\t", "utf-8", "."),
    ],
)
def test_a_csv_that_a_spreadsheet_saved_is_read_likewise(tmp_path, separator, encoding, decimal):
    path = tmp_path / "slice1.csv"
    text = csv_text({(1, 1): FIT, (2, 1): FIT}).replace(",", separator).replace(".", decimal)
    path.write_bytes(text.encode(encoding))
    fits = read_slice_csv(path)
    assert fits.values == {(1, 1): FIT, (2, 1): FIT}
    assert fits.damaged_lines == 0
    assert read_lcmodel(tmp_path).concentrations["GPC+PCh"].tolist() == [[[332.324], [332.324]]]


def test_a_table_that_says_less_than_it_holds_is_read_to_its_end(tmp_path):
    path = tmp_path / "scan_sl1_1-1.table"
    path.write_text(table_text(FIT).replace(f"{len(FIT) + 1} lines in", f"{len(FIT) - 1} lines in"))
    assert read_fit(path).values == FIT
    with pytest.warns(InputWarning, match="1 of LCModel's tables .* hold more lines than they say: all were read"):
        maps = read_lcmodel(tmp_path)
    assert maps.concentrations["GPC+PCh"].tolist() == [[[332.324]]]


@pytest.mark.parametrize("missing", [1, 2])
def test_a_table_with_fewer_lines_than_it_says_is_refused(tmp_path, missing):
    path, text = tmp_path / "a.table", table_text(FIT)
    lines = text.split("\n")
    last = next(i for i, line in enumerate(lines) if "NAA+NAAG" in line)
    path.write_text("\n".join(lines[: last + 1 - missing] + lines[last + 1 :]))
    with pytest.raises(InputError, match="damaged or cut short"):
        read_fit(path)


def test_tables_whose_content_is_absent_are_no_failed_fits(folder):
    target = ".git/annex/objects/x/y/z.table"
    for column in (1, 2, 3):
        path = folder / f"scan_sl1_2-{column}.table"
        path.unlink()
        path.symlink_to(target)
    with pytest.raises(InputError, match=r"3 of LCModel's files .* are not there \('scan_sl1_2-1.table.*datalad get"):
        read_lcmodel(folder)


def test_a_csv_cut_short_keeps_its_complete_lines(tmp_path):
    path = tmp_path / "slice1.csv"
    path.write_text(csv_text({(1, 1): FIT, (2, 1): FIT})[:-30])
    assert read_slice_csv(path).damaged_lines == 1
    with pytest.warns(InputWarning, match=r"1 lines of .*slice1.csv' are damaged or cut short"):
        maps = read_lcmodel(tmp_path)
    assert maps.concentrations["NAA"].tolist() == [[[1260]]]


def test_voxels_go_where_their_names_say(folder):
    maps = read_lcmodel(folder)
    np.testing.assert_array_equal(maps.concentrations["NAA"], numbered())
    np.testing.assert_array_equal(maps.concentrations["Cr+PCr"], 2 * numbered())
    np.testing.assert_array_equal(maps.snr, numbered() // 10)
    assert (maps.fwhm == 0.046).all()
    assert maps.matrix == (2, 2, 3)


def test_the_title_tells_the_voxel_where_the_name_does_not(folder):
    (folder / "scan_sl2_1-3.table").rename(folder / "odd.table")
    np.testing.assert_array_equal(read_lcmodel(folder).concentrations["NAA"], numbered())


def test_damaged_files_are_named_and_skipped(folder):
    (folder / "scan_sl1_1-2.table").write_text("FATAL ERROR")
    (folder / "scan_sl1_1-3.table").write_bytes(bytes(range(256)))
    with pytest.warns(
        InputWarning, match=r"2 of LCModel's files .* skipped.*'scan_sl1_1-2.table', 'scan_sl1_1-3.table'"
    ):
        maps = read_lcmodel(folder)
    expected = numbered()
    expected[0, 0, 1:] = np.nan
    np.testing.assert_array_equal(maps.concentrations["NAA"], expected)
    assert np.isnan(maps.snr[0, 0, 1:]).all()


def test_a_file_named_for_another_voxel_than_its_title_is_skipped(folder):
    (folder / "scan_sl1_1-1.table").replace(folder / "scan_sl1_2-2.table")
    with pytest.warns(InputWarning, match="named for another voxel than its title"):
        maps = read_lcmodel(folder)
    assert np.isnan(maps.concentrations["NAA"][0, [0, 1], [0, 1]]).all()


def test_a_csv_completes_tables_and_tells_when_it_disagrees(folder):
    (folder / "scan_sl1_1-2.table").unlink()
    of_slice = {(r, c): {"NAA": (100 + 10 * r + c, 8), "Cr+PCr": (1.0, 8)} for r in (1, 2) for c in (1, 2, 3)}
    (folder / "scanslice1.csv").write_text(csv_text(of_slice))
    with pytest.warns(InputWarning, match=r"5 voxels have other values in the \.csv"):
        maps = read_lcmodel(folder)
    np.testing.assert_array_equal(maps.concentrations["NAA"], numbered())
    # The voxel without a table has no SNR, and a concentration from the .csv.
    assert np.isnan(maps.snr[0, 0, 1])
    assert maps.concentrations["Cr+PCr"][0, 0].tolist() == [222, 1, 226]


def test_two_examinations_in_one_folder_are_refused(folder):
    other = table_text({"NAA": (5, 8), "Cr+PCr": (5, 8)}, index=(1, 1, 1))
    (folder / "other_sl1_1-1.table").write_text(other)
    with pytest.raises(InputError, match="same voxel and disagree: keep one examination a folder"):
        read_lcmodel(folder)


def test_a_folder_without_output_is_refused(tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no fit that can be read"):
        read_lcmodel(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_lcmodel(tmp_path / "nowhere")


def test_a_matrix_that_can_not_be_is_refused(folder):
    text = table_text({"NAA": (5, 8)}, index=(500, 500, 500))
    (folder / "scan_sl500_500-500.table").write_text(text)
    with pytest.raises(InputError, match="500 x 500 x 500 voxels"):
        read_lcmodel(folder)


def test_the_matrix_that_lcmodel_was_told_counts(tmp_path):
    text = table_text({"NAA": (5, 8)}, index=(1, 2, 2)) + " ndcols= 4\n ndrows= 3\n ndslic= 2\n"
    (tmp_path / "scan_sl1_2-2.table").write_text(text)
    maps = read_lcmodel(tmp_path)
    assert maps.matrix == (2, 3, 4)
    assert np.isfinite(maps.concentrations["NAA"]).sum() == 1


def test_sums_and_aliases_become_the_papers_names():
    assert chosen_names(["Cr", "PCr", "Cr+PCr", "NAA", "NAA+NAAG", "GPC", "PCh", "GPC+PCh", "mI"]) == {
        "tCho": "GPC+PCh",
        "tCr": "Cr+PCr",
        "NAA": "NAA",
        "Ins": "mI",
    }
    assert chosen_names(["Cr", "NAA+NAAG", "Lac"]) == {"tCr": "Cr", "NAA": "NAA+NAAG"}
    assert chosen_names(["Cr", "PCr", "GPC"]) == {}


@pytest.mark.parametrize(
    ("name", "role", "metabolite"),
    [
        ("K_01_sd_NAA.nii.gz", "crlb", ("NAA", "NAA")),
        ("K_01_conc_tNAA.nii.gz", None, ("NAA", "tNAA")),
        ("sub-01_desc-conc_NAA.nii.gz", None, ("NAA", "NAA")),
        ("sub-01_desc-crlb_GPC+PCh.nii.gz", "crlb", ("tCho", "GPC+PCh")),
        ("Cr_PCr_CRLB.nrrd", "crlb", ("tCr", "Cr+PCr")),
        ("crlbNAA.mha", "crlb", ("NAA", "NAA")),
        ("NAA_snr.nii.gz", "snr", ("NAA", "NAA")),
        ("Ins_fwhm.nii.gz", "fwhm", ("Ins", "Ins")),
        ("K_01_fwhm.nii.gz", "fwhm", None),
        ("sub-01_res-n14_desc-quality_snr.nii.gz", "snr", None),
        ("combined_lw_group0.nii.gz", "fwhm", None),
        ("qc/PCho_snr.nii.gz", "snr", (None, "PCh")),
        ("uncertainties/PCho+GPC_sd.nii.gz", "crlb", ("tCho", "GPC+PCh")),
        ("concs/raw/Glu+Gln.nii.gz", None, (None, "Glx")),
        ("CRE_PEAK_HT.nii.gz", None, ("tCr", "Cre")),
        ("sub-01_ses-1_space-orig_met-CrPCr_desc-signal_mrsi.nii.gz", None, ("tCr", "Cr+PCr")),
        ("sub-01_ses-1_space-orig_met-NAANAAG_desc-crlb_mrsi.nii.gz", "crlb", ("NAA", "NAA+NAAG")),
        ("sub-01_ses-1_space-orig_met-CrPCr_desc-qmask_mrsi.nii.gz", None, None),
        ("cho_cre.nii.gz", None, None),
        ("NAA_mask.nii.gz", None, None),
        ("fit_failed.nii.gz", None, None),
    ],
)
def test_images_names_tell_what_they_show(name, role, metabolite):
    signal = named_signal(name)
    assert (quality_role(name), signal and (signal.metabolite, signal.name)) == (role, metabolite)


def test_a_spar_gives_the_grid_around_its_centre(tmp_path):
    path = tmp_path / "Ü scan.spar"
    path.write_text(spar_text(4, 3, fov=200, thickness=12, centre=(1.5, -6, 40)))
    geometry = map_geometry((3, 4, 4), path, GeometryOptions())
    assert geometry.size == (4, 4, 3)
    assert geometry.spacing == (50, 50, 12)
    assert geometry.origin == (1.5 - 75, -6 - 75, 40 - 12)
    image = geometry.image(numbered((2, 4, 4)))
    assert image.GetSize() == (4, 4, 3)
    assert np.isnan(sitk.GetArrayFromImage(image)[2]).all()
    assert sitk.GetArrayFromImage(image)[0, 2, 1] == 132


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"si_ap_off_angulation": -5.2}, r"tilted slices \(si_ap_off_angulation is -5.2 degrees\)"),
        ({"lr_angulation": 12.5}, r"tilted slices \(lr_angulation is 12.5 degrees\)"),
        ({"si_lr_off_angulation": "", "cc_angulation": -3}, r"tilted slices \(cc_angulation is -3 degrees\)"),
        ({"si_ap_off_angulation": "", "ap_angulation": 0}, "does not say whether the slices are tilted"),
        ({"patient_position": '"feet_first"'}, "a patient who lay feet first"),
        ({"patient_orientation": '"prone"'}, "a patient who lay prone"),
        ({"patient_orientation": '"decubitus_right"'}, "a patient who lay decubitus right"),
        ({"phase_encoding_direction": '"sag"'}, "not transverse"),
        ({"dim3_pnts": 6}, "6 x 4 voxels a slice"),
        ({"phase_encoding_fov": "nan"}, "phase_encoding_fov"),
        ({"phase_encoding_fov": 0}, "voxels of 0 x 0"),
        ({"si_cc_off_center": ""}, "si_cc_off_center"),
        ({"dim2_pnts": 1e9}, "dim2_pnts"),
    ],
)
def test_a_spar_that_does_not_tell_enough_is_refused(tmp_path, change, message):
    path = tmp_path / "scan.spar"
    path.write_text(spar_text(**change))
    with pytest.raises(InputError, match=message):
        read_spar(path)


def test_a_spar_without_the_slices_angles_is_placed_with_a_warning(tmp_path, recwarn):
    straight = {f"{axis}_angulation": 0 for axis in ("ap", "lr", "cc")}
    usual = {"patient_position": '"head_first"', "patient_orientation": '"supine"'}
    path = tmp_path / "scan.spar"
    path.write_text(spar_text(**straight, **usual))
    told = read_spar(path)
    assert not recwarn.list
    path.write_text(spar_text(**straight, **usual, si_cc_off_angulation=""))
    with pytest.warns(InputWarning, match=r"does not give the slices' angles \(si_cc_off_angulation is missing\)"):
        assert read_spar(path) == told


def test_geometry_by_reference_and_by_options(tmp_path, sample):
    reference = sample(lambda world: world[..., 0], (4, 4, 2), (9.0, 8.0, 7.0))
    sitk.WriteImage(reference, str(tmp_path / "reference.nii.gz"))
    by_image = map_geometry((2, 4, 4), None, GeometryOptions(reference=tmp_path / "reference.nii.gz"))
    np.testing.assert_allclose(by_image.origin, reference.GetOrigin(), atol=1e-4)
    turned = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    by_options = map_geometry((2, 4, 5), None, GeometryOptions(None, (9.0, 8.0, 7.0), (1.0, 2.0, 3.0), turned))
    assert (by_options.size, by_options.origin, by_options.direction) == ((5, 4, 2), (1.0, 2.0, 3.0), turned)
    with pytest.raises(InputError, match="more than the 4 x 4 x 2 of its geometry"):
        map_geometry((2, 4, 5), None, GeometryOptions(reference=tmp_path / "reference.nii.gz"))
    with pytest.raises(InputError, match="The position of the map in the patient is not known"):
        map_geometry((2, 4, 5), None, GeometryOptions(voxel=(9.0, 8.0, 7.0)))
    with pytest.raises(InputError, match="perpendicular"):
        map_geometry((2, 4, 5), None, GeometryOptions(direction=(1.0,) * 9))


def test_a_spar_around_its_centre_with_axes_of_the_user(tmp_path):
    path = tmp_path / "scan.spar"
    path.write_text(spar_text(4, 2, fov=40, thickness=10, centre=(5, 6, 7)))
    flipped = map_geometry((2, 4, 4), path, GeometryOptions(direction=(-1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)))
    assert flipped.origin == (5 + 15, 6 - 15, 7 - 5)


def test_images_of_fsl_mrs_are_read(tmp_path, sample):
    image = sample(lambda world: 1 + np.abs(world[..., 0]), (4, 4, 2), (9.0, 8.0, 7.0))
    paths = [tmp_path / name for name in ("concs/raw/NAA.nii.gz", "concs/raw/Cr+PCr.nii.gz", "concs/raw/Cr.nii.gz")]
    paths += [tmp_path / name for name in ("uncertainties/NAA_sd.nii.gz", "qc/NAA_snr.nii.gz", "qc/NAA_fwhm.nii.gz")]
    for factor, path in enumerate(paths, start=1):
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image * factor, str(path))
    with pytest.warns(InputWarning, match="in Hz, and the frequency to convert them by is not known"):
        (maps,) = maps_from_images(paths)
    assert list(maps.metabolites) == ["tCr", "NAA"]
    naa, tcr = maps.metabolites["NAA"], maps.metabolites["tCr"]
    assert (naa.fwhm, tcr.crlb, tcr.name) == (None, None, "Cr+PCr")
    np.testing.assert_allclose(sitk.GetArrayFromImage(naa.crlb), 4 * sitk.GetArrayFromImage(image))
    (maps,) = maps_from_images(paths, frequency=125.0)
    fwhm = sitk.GetArrayFromImage(maps.metabolites["NAA"].fwhm)
    np.testing.assert_allclose(fwhm, 6 * sitk.GetArrayFromImage(image) / 125, rtol=1e-6)


def test_images_that_clash_or_are_damaged(tmp_path, sample):
    image = sample(lambda world: np.ones(world.shape[:-1]), (4, 4, 2), (9.0, 8.0, 7.0))
    for name in ("a_NAA.nii.gz", "b_NAA.nii.gz"):
        sitk.WriteImage(image, str(tmp_path / name))
    with pytest.raises(InputError, match="show the same by their names"):
        maps_from_images(sorted(tmp_path.iterdir()))
    (tmp_path / "b_NAA.nii.gz").write_bytes(b"nothing")
    with pytest.warns(InputWarning, match="An image was skipped"):
        (maps,) = maps_from_images(sorted(tmp_path.iterdir()))
    assert maps.metabolites["NAA"].source.name == "a_NAA.nii.gz"


# Anything may be in these files: no other error than ours, ever.

ANYTHING = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FILES = {
    "scan_sl1_1-1.table": table_text(FIT, index=(1, 1, 1)).encode("latin-1"),
    "scan_sl1_1-1.coord": table_text(FIT, index=(1, 1, 1), coord=True).encode("latin-1"),
    "scanslice1.csv": csv_text({(1, 1): FIT, (1, 2): FIT}).encode("latin-1"),
    "scan.spar": spar_text().encode("latin-1"),
}


@st.composite
def damaged(draw, content):
    """A file's content cut, with bytes replaced, inserted or doubled; or only noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(["cut", "flip", "insert", "repeat"]))
        if kind == "cut":
            del data[place:]
        elif kind == "flip" and data:
            data[place] = draw(st.sampled_from([*b'0123456789eE+-.,:\n\r"\0% #*', draw(st.integers(0, 255))]))
        elif kind == "insert":
            data[place:place] = draw(
                st.sampled_from([b"999999999999", b"1e999", b"-", b'"', b"\n", b"nan", b"\0", b"\xff"])
            )
        elif kind == "repeat":
            data[place:place] = data[place : place + draw(st.integers(0, 80))]
    return bytes(data)


@pytest.mark.parametrize("name", FILES)
@ANYTHING
@given(data=st.data())
def test_damaged_files_raise_only_our_errors(name, tmp_path, data):
    path = tmp_path / name
    path.write_bytes(data.draw(damaged(FILES[name])))
    with warnings.catch_warnings(), contextlib.suppress(InputError):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", InputWarning)
        if name.endswith(".spar"):
            geometry = map_geometry((1, 1, 1), path, GeometryOptions())
            assert np.isfinite(geometry.origin).all()
            assert min(geometry.spacing) > 0
        else:
            options = GeometryOptions(voxel=(10.0, 10.0, 10.0), origin=(0.0, 0.0, 0.0))
            assert maps_from_lcmodel(tmp_path, None, options).metabolites
