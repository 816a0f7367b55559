"""The losses of the paper's Eq. 4."""

import pytest
import torch

from inference_core.networks import Discriminator
from inference_core.research.training.losses import critic_loss, generator_adversarial_loss, reconstruction_loss

MASK = torch.ones(2, 1, 64, 64)


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand((2, 1, 64, 64), generator=generator) / 2
    return target, (target + 0.1 * torch.rand((2, 1, 64, 64), generator=generator))


@pytest.fixture
def mri():
    generator = torch.Generator().manual_seed(1)
    return [torch.rand((2, 1, 192, 192, 3), generator=generator) for _ in range(2)]


def test_a_perfect_map_costs_nothing(maps):
    assert reconstruction_loss(maps[0], maps[0], MASK).item() == pytest.approx(0, abs=1e-5)


def test_loss_grows_with_the_error(maps):
    target, output = maps
    half = torch.lerp(target, output, 0.5)
    assert 0 < reconstruction_loss(half, target, MASK) < reconstruction_loss(output, target, MASK)


def test_voxels_without_ground_truth_do_not_count(maps):
    target, output = maps
    mask = MASK.clone()
    mask[..., :20, :] = 0
    changed = output.clone()
    changed[..., :20, :] = 7
    assert reconstruction_loss(changed, target, mask) == reconstruction_loss(output, target, mask)


def test_the_weights_are_the_papers(maps):
    from pytorch_msssim import ms_ssim

    target, output = maps
    large = [torch.nn.functional.interpolate(m, 192, mode="bicubic", align_corners=False) for m in (output, target)]
    expected = 0.16 * (output - target).abs().mean() + 0.84 * (1 - ms_ssim(*large, data_range=0.5))
    torch.testing.assert_close(reconstruction_loss(output, target, MASK), expected)


class LinearCritic(torch.nn.Module):
    """Scores a map by its product with fixed weights, so that its gradient is known."""

    def __init__(self, norm: float):
        super().__init__()
        weights = torch.ones(1, 192, 192)
        self.weights = torch.nn.Parameter(norm * weights / weights.norm())

    def forward(self, t1, flair, upsampled, judged):
        return (judged * self.weights).sum(dim=(1, 2, 3))[:, None]


@pytest.mark.parametrize("norm", [1.0, 3.0])
def test_gradient_penalty_is_that_of_the_critics_gradient(maps, mri, norm):
    target, output = maps
    upsampled = torch.zeros(2, 1, 192, 192)
    mixing = torch.rand(2, 1, 1, 1)
    loss, distance = critic_loss(LinearCritic(norm), *mri, upsampled, output, target, mixing)
    assert (loss + distance).item() == pytest.approx(10 * (norm - 1) ** 2, abs=1e-3)
    assert distance < 0  # the output is brighter than the target, and brightness is what this critic likes


def test_a_critic_that_trains_tells_real_from_super_resolved(maps, mri):
    target, output = maps
    torch.manual_seed(0)
    critic, upsampled = Discriminator(), torch.zeros(2, 1, 192, 192)
    optimizer = torch.optim.Adam(critic.parameters(), 1e-3, betas=(0.5, 0.9))
    distances = []
    for _ in range(6):
        loss, distance = critic_loss(critic, *mri, upsampled, output, target, torch.full((2, 1, 1, 1), 0.5))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        distances.append(distance.item())
    assert distances[-1] > distances[0]
    adversarial = [generator_adversarial_loss(critic, *mri, upsampled, image) for image in (output, target)]
    assert adversarial[0] > adversarial[1]
