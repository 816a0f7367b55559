"""Simulated maps on a real glioma patient's anatomy (TCGA-DU-7294), through the public face."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from glioma_maps import simulate_maps

from inference_core import METABOLITES, SuperResolver, kspace
from inference_core.evaluation.metrics import high_frequency_energy, psnr

RESOLUTIONS = (16, 22, 32)


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
    """Every third slice of each metabolite's map at each n: truth, zero-filled, result and the prepared input."""
    results = {}
    for n in RESOLUTIONS:
        for metabolite in METABOLITES:
            prepared = resolver.prepare(
                low_resolution(maps, metabolite, n), glioma_patient["t1"], glioma_patient["flair"]
            )
            slices = list(range(1, prepared.grid.slices, 3))
            output = resolver.super_resolve(prepared, metabolite, 0.0, slices)
            filled = kspace.zero_filled(torch.from_numpy(prepared.low_resolution[slices]), (64, 64)).numpy()
            truth = sitk.GetArrayFromImage(maps.truth[metabolite])[slices]
            results[n, metabolite] = truth, filled, output, maps.brain[slices], prepared
    return results


def test_super_resolution_beats_zero_filling_on_a_scanners_anatomy(results, record_property):
    gains = {}
    for (n, metabolite), (truth, filled, output, brain, _) in results.items():
        scores = [
            [psnr(image * b, t * b) for image in (f, o)]
            for t, f, o, b in zip(truth, filled, output, brain, strict=True)
        ]
        zero_filling, super_resolved = np.mean(scores, axis=0)
        gains[n, metabolite] = super_resolved - zero_filling
        print(f"n = {n} {metabolite}: {zero_filling:.2f} dB zero-filled, {super_resolved:.2f} dB super-resolved")
    mean = float(np.mean(list(gains.values())))
    record_property("mean PSNR gain, dB", mean)
    print(f"mean gain {mean:.2f} dB")
    assert mean >= 2.5
    assert min(gains.values()) > 0


def test_geometry_is_the_ground_truths(maps, resolver, glioma_patient):
    result = resolver(low_resolution(maps, "NAA", 22), glioma_patient["t1"], glioma_patient["flair"], "NAA")
    truth = maps.truth["NAA"]
    assert result.GetSize() == truth.GetSize()
    np.testing.assert_allclose(result.GetSpacing(), truth.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(result.GetOrigin(), truth.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(result.GetDirection(), truth.GetDirection(), atol=1e-9)


def test_results_are_finite_in_the_inputs_units_and_within_the_brain(results):
    for truth, _, output, brain, prepared in results.values():
        assert np.isfinite(output).all()
        assert (output >= 0).all()
        inside = output[brain]
        assert np.median(inside) == pytest.approx(np.median(truth[brain]), rel=0.1)
        assert not output[~prepared.brain[1::3]].any()
        # Both masks are of voxels that are mostly brain; smoothing before resampling moves their border a little.
        assert (output > 0)[~brain].mean() < 0.02


def test_measured_k_space_is_kept(results):
    for (n, _), (_, _, output, _, prepared) in results.items():
        measured = kspace.measured_kspace(torch.from_numpy(prepared.low_resolution[1::3]), (64, 64))
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
