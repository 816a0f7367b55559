"""T1 and FLAIR as clinics have them: each effect does what it says, and nothing else."""

import numpy as np
import pytest
import torch
from training_samples import random_slices

from inference_core.research.data import mri_appearance
from inference_core.research.data.batch_options import BatchOptions, MriOptions
from inference_core.research.data.mri_appearance import MriAppearance
from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.training_batches import TrainingBatches

_NONE = {name: 0.0 for name in vars(MriOptions()) if name != "changed"}
_COUNT = 12


def _brain():
    """T1 and FLAIR of an ellipse: fluid in the middle, white matter around it, grey matter outside."""
    row, column = np.mgrid[-1:1:192j, -1:1:192j]
    radius = np.hypot(row / 0.8, column / 0.7)
    t1 = np.select([radius < 0.3, radius < 0.6, radius < 0.9], [0.15, 0.9, 0.6], 0.0)
    flair = np.select([radius < 0.3, radius < 0.6, radius < 0.9], [0.1, 0.5, 0.7], 0.0)
    images = np.stack([t1, flair])[..., None] * [0.9, 0.95, 1.0]
    return torch.from_numpy(images).float()[None]


def _changed(images=None, step=0, **shares):
    images = _brain().expand(_COUNT, -1, -1, -1, -1) if images is None else images
    random = RandomWords(7, torch.tensor([step]), torch.arange(len(images)), mri_appearance.WORDS)
    options = MriOptions(**{"changed": 1.0, **_NONE, **shares})
    return images, MriAppearance(options)(random, images)


def test_without_any_effect_images_stay_as_they_are():
    before, after = _changed()
    assert torch.equal(before, after)
    before, after = _changed(changed=0.0, **dict.fromkeys(_NONE, 1.0))
    assert torch.equal(before, after)


def test_the_share_that_is_changed_is_the_one_asked_for():
    slices = random_slices(8)
    plain = TrainingBatches(slices, 8, 1)
    changed = TrainingBatches(slices, 8, 1, BatchOptions(mri=MriOptions(changed=0.6, **_NONE | {"bias": 1.0})))
    alike = []
    for step in range(12):
        before, after = plain.batch(step), changed.batch(step)
        assert torch.equal(before.target, after.target)
        alike += [torch.equal(*pair) for pair in zip(before.t1, after.t1, strict=True)]
    assert 0.25 < np.mean(alike) < 0.55


@pytest.mark.parametrize("effect", list(_NONE))
def test_what_is_changed_stays_an_image_of_a_brain(effect):
    before, after = _changed(**{effect: 1.0})
    assert torch.isfinite(after).all()
    assert after.min() >= 0
    assert after.max() <= 1
    assert (after - before).abs().amax(dim=(1, 2, 3, 4)).min() > 1e-3
    # 2.5 voxels of a loose strip, 1.5 of a shift along each axis and 2 degrees reach no further.
    row, column = np.mgrid[-1:1:192j, -1:1:192j]
    assert not after[..., torch.from_numpy(np.hypot(row / 0.8, column / 0.7) > 1.0), :].any()
    if effect not in ("strip", "displaced"):
        assert not after[before == 0].any()
    if effect == "fluid":
        assert torch.equal(after[:, 0], before[:, 0])


def test_intensity_curves_increase():
    ramp = torch.linspace(0, 1, 192 * 192 * 3).view(1, 1, 192, 192, 3).expand(_COUNT, 2, -1, -1, -1)
    _, after = _changed(ramp, intensity=1.0)
    assert (after.flatten(2).diff(dim=2) >= -1e-6).all()
    assert after[:, :, 0, 0, 0].abs().max() == 0
    torch.testing.assert_close(after[:, :, -1, -1, -1], torch.ones(_COUNT, 2))
    middle = after[:, :, 96, 96, 0]
    assert middle.min() < 0.4
    assert middle.max() > 0.6


def test_fluid_becomes_brighter_than_tissue_as_in_t2():
    before, after = _changed(fluid=1.0)
    fluid, tissue = after[:, 1, 96, 96, 1], after[:, 1, 96, 30, 1]
    assert (fluid > tissue).float().mean() > 0.7
    ratio = after[:, 1, 96, 30, 1] / after[:, 1, 96, 60, 1]
    torch.testing.assert_close(ratio, before[:, 1, 96, 30, 1] / before[:, 1, 96, 60, 1], rtol=0.05, atol=0)


def test_a_bias_field_is_smooth_and_within_forty_percent():
    before, after = _changed(bias=1.0)
    field = (after / before.clamp(min=1e-3))[:, :, 60:132, 60:132, 1]
    spread = field.amax(dim=(2, 3)) / field.amin(dim=(2, 3))
    assert spread.max() < 1.4 / 0.6
    assert spread.max() > 1.2
    assert field.diff(dim=2).abs().max() < 0.03


def test_blur_is_along_one_axis_only():
    point = torch.zeros(_COUNT, 2, 192, 192, 3)
    point[:, :, 60:130, 60:130] = 0.5
    point[:, :, 96, 96] = 1.0
    _, after = _changed(point, blur=1.0)
    rows = after[:, :, 94:99, 96, 1].std(dim=2) < after[:, :, 96, 94:99, 1].std(dim=2) - 1e-4
    assert 0.2 < rows.float().mean() < 0.8
    # Beside the point, along the other axis, nothing of it is seen.
    beside = torch.where(rows, after[:, :, 96, 98, 1], after[:, :, 98, 96, 1])
    torch.testing.assert_close(beside, torch.full((_COUNT, 2), 0.5), rtol=0, atol=1e-4)


def test_thick_slices_are_alike():
    before, after = _changed(thick=1.0)
    spread = after.std(dim=4).amax(dim=(2, 3)) / before.std(dim=4).amax(dim=(2, 3))
    assert spread.max() < 0.51
    torch.testing.assert_close(after.mean(dim=4), before.mean(dim=4))


def test_a_ghost_is_a_shifted_copy_of_a_few_percent():
    before, after = _changed(ghost=1.0)
    change = (after - before)[..., 1]
    assert change.abs().amax(dim=(1, 2, 3)).max() < 0.07
    sums = after[..., 1].sum(dim=(2, 3)) / before[..., 1].sum(dim=(2, 3))
    assert sums.max() <= 1 + 1e-5
    assert sums.min() > 0.93


def test_noise_is_as_strong_as_it_says_and_not_repeated():
    before, after = _changed(noise=1.0)
    noise = (after - before)[:, :, 84:108, 84:108]
    mean = before[0].sum(dim=(1, 2, 3)) / (before[0] > 0).sum(dim=(1, 2, 3))
    strength = noise.flatten(2).std(dim=2) / mean
    assert 0.007 < strength.min() < 0.03
    assert 0.04 < strength.max() < 0.09
    values = noise.flatten(2) - noise.flatten(2).mean(dim=2, keepdim=True)
    assert (values[:, 0] * values[:, 1]).mean(dim=1).abs().max() < 0.15 * values.std() ** 2
    planes = noise.flatten(2, 3) - noise.flatten(2, 3).mean(dim=2, keepdim=True)
    correlation = (planes[..., 0] * planes[..., 1]).mean(dim=2) / planes.square().mean(dim=(2, 3))
    assert correlation.abs().mean() < 0.1


def test_a_skull_strip_is_too_tight_or_too_loose():
    before, after = _changed(strip=1.0)
    lost = ((before > 0) & (after == 0)).float().sum(dim=(2, 3, 4)) / (before > 0).float().sum(dim=(2, 3, 4))
    left = ((before == 0) & (after > 0)).float().sum(dim=(2, 3, 4)) / (before > 0).float().sum(dim=(2, 3, 4))
    tight = lost > 0
    assert 0.2 < tight.float().mean() < 0.8
    assert not left[tight].any()
    assert (left[~tight] > 0).float().mean() > 0.8
    # The rim of an ellipse of radii 72 x 63 voxels, 0.7 to 2.5 voxels wide.
    assert lost[tight].min() > 0.012
    assert max(lost.max(), left.max()) < 0.085
    # A bright rim makes all else darker.
    inner = (after / before)[:, :, 60:132, 60:132].flatten(2)
    torch.testing.assert_close(inner, inner[:, :, :1].expand_as(inner))
    assert (inner[tight] == 1).all()


def test_displaced_images_are_shifted_and_turned_by_as_much_as_it_says():
    after = _changed(displaced=1.0)[1]
    place = torch.arange(192.0)
    weights = after[..., 1] / after[..., 1].sum(dim=(2, 3), keepdim=True)
    rows, columns = (weights.sum(dim=3) * place).sum(dim=2), (weights.sum(dim=2) * place).sum(dim=2)
    for centres in (rows, columns):
        offsets = centres - 95.5
        assert 0.8 < offsets.abs().max() < 1.6
        assert offsets.min() < -0.3
        assert offsets.max() > 0.3
    covariance = torch.stack(
        [
            (weights[e, m] * torch.outer(place - rows[e, m], place - columns[e, m])).sum()
            for e in range(_COUNT)
            for m in range(2)
        ]
    )
    # Turned ellipses of radii 72 and 63: their covariance says the angle.
    angle = covariance / (0.25 * (0.9 * 96) ** 2 * (0.8**2 - 0.7**2))
    assert angle.abs().max() < 2.5 * np.pi / 180
    assert angle.abs().max() > 0.8 * np.pi / 180
    # The same on every run: interpolation has no random order.
    assert torch.equal(after, _changed(displaced=1.0)[1])


def test_a_cut_field_of_view_loses_a_border_of_the_brain():
    before, after = _changed(cut=1.0, step=1)
    lost = (before > 0) & (after == 0)
    share = lost.float().sum(dim=(2, 3, 4)) / (before > 0).float().sum(dim=(2, 3, 4))
    assert share.min() > 0
    assert share.max() < 0.13
    assert torch.equal(after[~lost], before[~lost])
    sides = {
        side
        for own in lost[..., 1].flatten(0, 1)
        for side, band in {"top": own[:40], "bottom": own[-40:], "left": own[:, :46], "right": own[:, -46:]}.items()
        if band.sum() > 0.9 * own.sum()
    }
    assert sides == {"top", "bottom", "left", "right"}
