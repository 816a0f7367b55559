"""The losses of the paper's Eq. 4: pixelwise, structural and adversarial."""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from inference_core.networks.discriminator import Discriminator
from inference_core.networks.scaling import HEADROOM
from inference_core.networks.unet import upsample_map
from inference_core.research.training.ms_ssim import multi_scale_ssim
from inference_core.terms.conditions import MRI_MATRIX

#: Weight alpha of the structural loss against the pixelwise one (paper, Sec. 3.2; Zhao 2016).
STRUCTURAL_WEIGHT = 0.84
#: Weight of the gradient penalty (Gulrajani 2017).
GRADIENT_PENALTY = 10.0


def _single_precision(tensor: Tensor) -> AbstractContextManager:
    """Keeps mixed precision out: variances and gradient norms are differences that half precision can't hold."""
    # Metal has none to keep out, and older PyTorch no switch for it there.
    return nullcontext() if tensor.device.type == "mps" else torch.autocast(tensor.device.type, enabled=False)


def reconstruction_loss(output: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """(1 - alpha) L1 + alpha (1 - MS-SSIM), over voxels with valid ground truth (paper, Eq. 4).

    MS-SSIM's five scales need images wider than 160 voxels, so both maps are upsampled to 192 x 192 for it.

    Args:
        output: super-resolved maps, `(batch, 1, 64, 64)`, scaled.
        target: ground truth, like `output`.
        mask: 1 where the ground truth is valid, like `output`.

    Returns:
        Scalar.
    """
    output, target = output * mask, target * mask
    with _single_precision(output):
        structural = 1 - multi_scale_ssim(output, target, MRI_MATRIX, data_range=1 / HEADROOM)
        return (1 - STRUCTURAL_WEIGHT) * F.l1_loss(output, target) + STRUCTURAL_WEIGHT * structural


def generator_adversarial_loss(critic: Discriminator, t1: Tensor, flair: Tensor, upsampled: Tensor, output: Tensor):
    """The adversarial loss of Eq. 4: minus the critic's mean score of the masked `output`, `(batch, 1, 64, 64)`."""
    return -critic(t1, flair, upsampled, upsample_map(output)).float().mean()


def critic_loss(
    critic: Discriminator,
    t1: Tensor,
    flair: Tensor,
    upsampled: Tensor,
    output: Tensor,
    target: Tensor,
    mixing: Tensor,
) -> tuple[Tensor, Tensor]:
    """Wasserstein loss with gradient penalty (Gulrajani 2017, Eq. 3).

    Args:
        critic: the discriminator.
        t1: `(batch, 1, 192, 192, 3)`.
        flair: like `t1`.
        upsampled: zero-filled maps, `(batch, 1, 192, 192)`.
        output: masked super-resolved maps, `(batch, 1, 64, 64)`, without a graph.
        target: masked ground truth, like `output`.
        mixing: where between target (0) and output (1) the gradient is penalised, `(batch, 1, 1, 1)`.

    Returns:
        The loss, and the estimate of the Wasserstein distance in it: real less super-resolved score.
    """
    fake, real = upsample_map(output), upsample_map(target)
    scores = [critic(t1, flair, upsampled, judged).float().mean() for judged in (real, fake)]
    distance = scores[0] - scores[1]
    with _single_precision(real):
        mixed = torch.lerp(real, fake, mixing).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(t1, flair, upsampled, mixed).sum(), mixed, create_graph=True)
        penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return GRADIENT_PENALTY * penalty - distance, distance.detach()
