"""Simulated maps on a real glioma patient's anatomy (TCGA-DU-7294), through the public face."""

from dataclasses import dataclass

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from glioma_maps import simulate_maps

from inference_core import METABOLITES, SuperResolver
from inference_core.inference.super_resolver import PreparedInput
from inference_core.networks import kspace
from inference_core.research.data.batches import Batch
from inference_core.research.evaluation.anatomical import anatomical_regularisation
from inference_core.research.evaluation.methods import zero_filling
from inference_core.research.evaluation.metrics import high_frequency_energy, psnr
from inference_core.research.evaluation.true_details import region_contrasts, share_recovered

RESOLUTIONS = (16, 20, 24, 32)


@dataclass(frozen=True)
class Result:
    """One metabolite's slices at one n: maps `(slice, 64, 64)` in the input's units, and what is known of them."""

    truth: np.ndarray
    methods: dict[str, np.ndarray]
    brain: np.ndarray
    tumour: np.ndarray
    occult: np.ndarray
    prepared: PreparedInput


def as_batch(prepared, slices, metabolite):
    """Slices of a prepared patient as methods without a network take them."""
    low_resolution = prepared.low_resolution[slices] / prepared.scales[slices, None, None]
    arrays = (low_resolution, prepared.t1[slices], prepared.flair[slices])
    low_resolution, t1, flair = (torch.from_numpy(array)[:, None] for array in arrays)
    nothing = torch.empty(0)
    return Batch(low_resolution, t1, flair, nothing, nothing, prepared.n, metabolite, 0.0)


@pytest.fixture(scope="module")
def maps(glioma_patient):
    return simulate_maps(glioma_patient, seed=0)


@pytest.fixture(scope="module")
def resolver():
    return SuperResolver.load(device="cpu")


def low_resolution(maps, metabolite, n):
    array = kspace.low_resolution(torch.from_numpy(maps.acquired[metabolite]), (n, n)).numpy()
    image = sitk.GetImageFromArray(array)
    truth = maps.truth[metabolite]
    spacing = np.array(truth.GetSpacing()) * [64 / n, 64 / n, 1]
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(truth.GetOrigin())
    image.SetDirection(truth.GetDirection())
    return image


@pytest.fixture(scope="module")
def results(maps, resolver, glioma_patient):
    """Every third slice of each metabolite's map at each n."""
    results = {}
    for n in RESOLUTIONS:
        for metabolite in METABOLITES:
            prepared = resolver.prepare(
                low_resolution(maps, metabolite, n), glioma_patient["t1"], glioma_patient["flair"]
            )
            slices = list(range(1, prepared.grid.slices, 3))
            output = resolver.super_resolve(prepared, metabolite, 0.0, slices)
            batch = as_batch(prepared, slices, METABOLITES.index(metabolite))
            scale = prepared.scales[slices, None, None]
            results[n, metabolite] = Result(
                truth=sitk.GetArrayFromImage(maps.truth[metabolite])[slices],
                methods={
                    "zero-filling": zero_filling(batch)[:, 0].numpy() * scale,
                    "anatomical": anatomical_regularisation(batch)[:, 0].numpy() * scale,
                    "lambda = 0": output,
                },
                brain=maps.brain[slices],
                tumour=maps.tumour[slices],
                occult=maps.occult[metabolite][slices],
                prepared=prepared,
            )
    return results


def mean_gains(results, over):
    """Mean PSNR of lambda = 0 less that of the method `over`, dB, by n and metabolite."""
    gains = {}
    for key, result in results.items():
        means = {
            name: np.mean([psnr(i * b, t * b) for i, t, b in zip(maps, result.truth, result.brain, strict=True)])
            for name, maps in result.methods.items()
        }
        gains[key] = float(means["lambda = 0"] - means[over])
        print(f"n = {key[0]} {key[1]}:", ", ".join(f"{name} {mean:.2f} dB" for name, mean in means.items()))
    print(f"mean gain over {over}: {np.mean(list(gains.values())):.2f} dB")
    return gains


def test_super_resolution_beats_zero_filling_on_a_scanners_anatomy(results, record_property):
    gains = mean_gains(results, "zero-filling")
    record_property("mean PSNR gain, dB", float(np.mean(list(gains.values()))))
    assert np.mean(list(gains.values())) >= 4
    for metabolite in METABOLITES:
        assert np.mean([gain for (_, name), gain in gains.items() if name == metabolite]) >= 1


def test_super_resolution_beats_the_classical_method_on_a_scanners_anatomy(results):
    assert np.mean(list(mean_gains(results, "anatomical").values())) >= 2


def recovered(results, region):
    """Each method's share of the contrast of `region(result)`, a mask, over all maps."""
    contrasts = {}
    for result in results.values():
        for name, maps in result.methods.items():
            lesions = result.tumour | (result.occult != 0)
            for arrays in zip(maps, result.truth, region(result), result.brain, lesions, strict=True):
                contrasts.setdefault(name, []).extend(region_contrasts(*arrays))
    shares = {name: share_recovered(found) for name, found in contrasts.items()}
    print(len(contrasts["lambda = 0"]), "regions:", shares)
    return shares


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(lambda result: result.tumour, id="tumour"),
        pytest.param(lambda result: result.occult > 0, id="raised spots"),
        pytest.param(lambda result: result.occult < 0, id="lowered spots"),
    ],
)
def test_contrasts_are_recovered_no_less_than_by_zero_filling(results, region):
    shares = recovered(results, region)
    assert shares["lambda = 0"] >= shares["zero-filling"]


def test_geometry_is_the_ground_truths(maps, resolver, glioma_patient):
    result = resolver(low_resolution(maps, "NAA", 22), glioma_patient["t1"], glioma_patient["flair"], "NAA")
    truth = maps.truth["NAA"]
    assert result.GetSize() == truth.GetSize()
    np.testing.assert_allclose(result.GetSpacing(), truth.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(result.GetOrigin(), truth.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(result.GetDirection(), truth.GetDirection(), atol=1e-9)


def test_results_are_finite_in_the_inputs_units_and_within_the_brain(results):
    for result in results.values():
        output, brain = result.methods["lambda = 0"], result.brain
        assert np.isfinite(output).all()
        assert (output >= 0).all()
        inside = output[brain]
        assert np.median(inside) == pytest.approx(np.median(result.truth[brain]), rel=0.1)
        assert not output[~result.prepared.brain[1::3]].any()
        # Both masks are of voxels that are mostly brain; smoothing before resampling moves their border a little.
        assert (output > 0)[~brain].mean() < 0.02


def test_measured_k_space_is_kept(results):
    for (n, _), result in results.items():
        output = result.methods["lambda = 0"]
        measured = kspace.measured_kspace(torch.from_numpy(result.prepared.low_resolution[1::3]), (64, 64))
        kept = kspace.truncate(kspace.to_kspace(torch.from_numpy(output)), (n, n))
        # Masking to the brain takes away the input's ringing outside, and with it a little of k-space.
        assert (kept - measured).norm() < 0.12 * measured.norm()


def test_sharpness_sharpens(maps, resolver, glioma_patient):
    prepared = resolver.prepare(low_resolution(maps, "tCho", 16), glioma_patient["t1"], glioma_patient["flair"])
    truth = sitk.GetArrayFromImage(maps.truth["tCho"])[6]
    energies = [
        high_frequency_energy(resolver.super_resolve(prepared, "tCho", sharpness, [6])[0], truth, maps.brain[6])
        for sharpness in (0.0, 0.03, 0.1)
    ]
    print("energy of fine detail at lambda 0, 0.03, 0.1:", energies)
    assert energies[0] < energies[1] < energies[2]
