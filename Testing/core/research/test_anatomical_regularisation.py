"""The classical method: edges where MRI has them, the measurement kept, nothing outside the brain."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference_core.networks import kspace
from inference_core.research.data.batches import make_batch
from inference_core.research.evaluation.anatomical import anatomical_regularisation
from inference_core.research.evaluation.metrics import psnr


def _batch(mri_shows_it=True, n=20, noise=0.0):
    """A disc of two tissues whose border a map shows; T1 shows it too, or is the same everywhere."""
    rows, columns = np.indices((64, 64)) - 31.5
    brain = rows**2 + columns**2 < 24**2
    other = brain & (np.sin(columns / 3) + rows / 12 > 0)
    truth = (brain + 1.5 * other).astype(np.float32)
    noisy = truth + noise * np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32) * brain
    fine = np.kron(1.0 * brain + (other if mri_shows_it else 0), np.ones((3, 3)))[..., None].repeat(3, axis=2) / 2
    images = np.stack([fine, fine]).astype(np.float32)
    maps = [np.stack([array, array[::-1]]) for array in (noisy, truth, brain)]
    images[1] = images[0][::-1]
    return make_batch(*maps, images, images, n, 0, 0.0)


def _gain(batch):
    filled, output = batch.zero_filled(), anatomical_regularisation(batch)
    maps = zip(*(images[:, 0].numpy() for images in (filled, output, batch.target)), strict=True)
    return np.mean([psnr(o, t) - psnr(f, t) for f, o, t in maps])


def test_edges_that_mri_shows_are_restored():
    assert _gain(_batch()) > 8
    assert _gain(_batch(noise=0.1)) > 3
    assert 0 < _gain(_batch(mri_shows_it=False)) < _gain(_batch()) - 3


@pytest.mark.parametrize("n", [16, 21, 32])
def test_the_measurement_is_kept(n):
    batch = _batch(n=n)
    output = anatomical_regularisation(batch)
    measured = kspace.measured_kspace(batch.low_resolution, (64, 64))
    kept = kspace.truncate(kspace.to_kspace(output), (n, n))
    assert (kept - measured).abs().norm() < 0.12 * measured.abs().norm()


def test_slices_of_a_batch_do_not_touch_each_other():
    batch = _batch()
    output = anatomical_regularisation(batch)
    assert output.shape == (2, 1, 64, 64)
    first = {name: v[:1] for name, v in vars(batch).items() if isinstance(v, torch.Tensor)}
    torch.testing.assert_close(output[:1], anatomical_regularisation(replace(batch, **first)), atol=1e-5, rtol=0)


def test_slices_without_brain_stay_empty():
    empty = np.zeros((1, 64, 64), np.float32)
    mri = np.zeros((1, 192, 192, 3), np.float32)
    batch = make_batch(empty, empty, empty > 0, mri, mri, 16, 0, 0.0)
    assert not anatomical_regularisation(batch).any()
