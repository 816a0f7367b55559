"""What images show, by their names."""

import subprocess
import sys

import pytest

from inference_core.terms.conditions import METABOLITE_ALIASES, METABOLITES
from inference_core.terms.naming import (
    guess_metabolite,
    guess_mri,
    named_signals,
    stem,
    subject_of,
    why_no_metabolite_map,
)

NAMED = {
    "sub-5014_res-n24_desc-acquired_tCho.nii.gz": "tCho",
    "GPC+PCh_conc": "tCho",
    "GPC + PCh": "tCho",
    "GPC_PCh.nii": "tCho",
    "pch-gpc": "tCho",
    "GPCPCh.nrrd": "tCho",
    "Cho+GPC+PCh": "tCho",
    "tCho (GPC+PCh)": "tCho",
    "K01 Cho map": "tCho",
    "choline.MHA": "tCho",
    "tChoMap": "tCho",
    "NAA+NAAG.nii": "NAA",
    "NAA-NAAG": "NAA",
    "NAA_NAA+NAAG": "NAA",
    "tNAA_mM": "NAA",
    "NAAmap": "NAA",
    "mapNAA_2": "NAA",
    "study/sub-01/NAA.nii.gz": "NAA",
    "sub-Glu01_ses-Gln_NAA": "NAA",
    "Cr_PCr-conc": "tCr",
    "PCr+Cr": "tCr",
    "tcr": "tCr",
    "Cr to T1": "tCr",
    "csi_mI": "Ins",
    "ins": "Ins",
    "INS": "Ins",
    "mIns_1": "Ins",
    "myo-Ins": "Ins",
    "Myo-inositol": "Ins",
    "Gly": "Gly",
    "GLN_conc": "Gln",
    "PCho+GPC.nii.gz": "tCho",
    "GPC_PCho": "tCho",
    "met-GPCPCh_desc-signal": "tCho",
    "CHOLINE_PEAK_HT": "tCho",
    "t8539_CRE_PEAK_HT": "tCr",
    "CREATINE_INTEGRATE": "tCr",
    "cre": "tCr",
    "MIDAS_Cre": "tCr",
    "sub-01_ses-1_space-orig_met-CrPCr_desc-signal_mrsi.nii.gz": "tCr",
    "sub-01_met-NAANAAG_desc-signal_mrsi.nii.gz": "NAA",
    "Glu [mM]": "Glu",
}
UNNAMED = [
    "Glu+Gln",
    "Glx",
    "met-GluGln_desc-signal_mrsi",
    "PCho",
    "cho_cre",
    "Cre_NAA",
    "CHO+CRE/NAA INTEGRATE",
    "CNI_PEAK_HT",
    "LIPID_LAC_PEAK_HT",
    "NAA_zscore",
    "met-CrPCr_desc-qmask_mrsi",
    "sub-01_acq-conc_desc-brainmask_mrsi",
    "Cho_over_NAA",
    "NAA/Cr",
    "NAA/H2O",
    "NAA/NAAG",
    "tCho-NAA ratio",
    "NAA_ratio",
    "NAA_CRLB",
    "crlbNAA",
    "tCho_SD",
    "NAA_FWHM",
    "NAA%SD",
    "NAA %SD.nii.gz",
    "NAA_snr",
    "Ins_mask",
    "sub-5014_res-high_desc-tumour_mask.nii.gz",
    "sub-5014_res-high_desc-valid_Glu.nii.gz",
    "NAAG",
    "GPC",
    "PCr",
    "scyllo-Ins",
    "sIns",
    "-CrCH2",
    "Ins+Gly",
    "NAA_GABA",
    "GPC_NAA_PCh",
    "instance",
    "brains",
    "glucose",
    "echo_2",
    "ECHO",
    "glut1",
    "crop",
    "mid",
    "sub-NAA_T1w",
    "T1w",
    "",
]


@pytest.mark.parametrize(("name", "metabolite"), NAMED.items())
def test_the_metabolite_is_found(name, metabolite):
    assert guess_metabolite(name) == metabolite


@pytest.mark.parametrize("name", UNNAMED)
def test_other_names_name_none(name):
    assert guess_metabolite(name) is None


@pytest.mark.parametrize("name", [*METABOLITES, *METABOLITE_ALIASES])
@pytest.mark.parametrize("pattern", ["{}", "sub-01_{}.nii.gz", "csi {} map", "MRSI_{}_conc", "({})"])
def test_every_name_and_alias_is_found_anywhere(name, pattern):
    expected = METABOLITE_ALIASES.get(name, name)
    for variant in (name, name.upper(), name.lower(), name.replace("+", "_"), name.replace("+", "-")):
        assert guess_metabolite(pattern.format(variant)) == expected


@pytest.mark.parametrize(
    ("names", "contrast"),
    [
        ("sub-01_T1w|T1|t1_mprage|MPRAGE|MP-RAGE.nii|T1 weighted|T1_stripped|sub-01_space-FLAIR_T1w|T1_to_FLAIR", "T1"),
        (
            "T1 PRE CONTRAST|sub-01_run-2_T1w.nii.gz|t1_pre|T1 (simulated)|12_t1_mpr_sag",
            "T1",
        ),
        ("t2_space_dark-fluid_sag|t2_spc_da-fl_sag", "FLAIR"),
        ("FLAIR_stripped|T2-FLAIR|t2flair.mha|sub-01_FLAIR|sub-01_space-T1w_FLAIR|FLAIR2T1|t2_dark-fluid", "FLAIR"),
        (
            "T1c|T1Gd|T1ce|T1+C|T1_post|sub-01_ce-gadolinium_T1w|T1 contrast|T1map|T1_map|T1rho",
            None,
        ),
        ("UNIT1|sub-01_UNIT1.nii.gz|sT1W_3D_TFE|3DT1|3D_T1w|BraTS-GLI-00000-000-t1n|IR-FSPGR", "T1"),
        ("BraTS-GLI-00000-000-t2f|3DFLAIR|s3D_FLAIR", "FLAIR"),
        ("t1_mp2rage_sag_INV1|t1_mp2rage_sag_INV2|sub-01_inv-1_MP2RAGE", None),
        ("t1_mp2rage_sag_UNI_Images", "T1"),
        ("BraTS-GLI-00000-000-t1c|BraTS-GLI-00000-000-t2w|3DT1c", None),
        ("T1_mask|FLAIR_seg|T1-FLAIR|T2w|T10|unflair|tCho|sub-T1_T2w|", None),
    ],
)
def test_mri_contrasts(names, contrast):
    assert {name: guess_mri(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), contrast)


def test_stems_lose_folder_and_ending():
    assert [stem(name) for name in ("a/b_c.nii.gz", "B.NRRD", "v1.2.mha", "NAA/Cr")] == ["b_c", "B", "v1.2", "NAA/Cr"]


def test_names_are_guessed_without_torch():
    code = "import sys, inference_core.terms.naming as n; n.guess_metabolite('NAA'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("sub-01_NAA.nii.gz", "sub-01"),
        ("study/sub-01/mrsi/sub-01_res-n16_NAA.nii.gz", "sub-01"),
        ("sub-5014_T1w", "sub-5014"),
        ("NAA.nii.gz", None),
        ("the sub-01_NAA", None),
        ("sub-01", None),
    ],
)
def test_the_patient_that_a_name_is_of(name, subject):
    assert subject_of(name) == subject


@pytest.mark.parametrize(
    ("name", "signals"),
    [
        ("PCho+GPC", ["GPC+PCh"]),
        ("PCho", ["PCh"]),
        ("Glu+Gln", ["Glx"]),
        ("met-GluGln_desc-crlb", ["Glx"]),
        ("Glx_conc", ["Glx"]),
        ("NAAG", ["NAAG"]),
        ("CRE_PEAK_HT", ["Cre"]),
        ("cho_cre", ["Cho", "Cre"]),
        ("mI", ["mI"]),
        ("T1w", []),
    ],
)
def test_the_signals_that_a_name_mentions(name, signals):
    assert [signal.name for signal in named_signals(name)] == signals


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NAA.nii.gz", ""),
        ("Glx", "Glx is none of the network's metabolites"),
        ("GPC", "GPC is none of the network's metabolites but a part of GPC+PCh"),
        ("cho_cre", "its name contains Cho and Cre, which may be a ratio: give each metabolite a map of its own"),
        ("NAA/Cr", "by its name it shows a ratio"),
        ("NAA_CRLB", "by its name it shows a Cramer-Rao bound or another error"),
        ("met-CrPCr_desc-qmask", "by its name it shows a mask or label image"),
        ("field", "its name contains no metabolite"),
    ],
)
def test_why_an_image_is_no_metabolite_map(name, reason):
    assert why_no_metabolite_map(name) == reason
