"""The multi-encoder U-Net that all of the paper's networks share (paper, Fig. 1a)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference_core.networks.blocks import Block, MakeFilters, MakeNorm
from inference_core.networks.conditioning import Condition
from inference_core.networks.kspace import enforce_data_consistency, measured_kspace, zero_filled
from inference_core.terms.conditions import MRI_UPSAMPLING, SUPER_RESOLVED_MATRIX

#: Channels at each level (paper, Sec. 3.2).
CHANNELS = (8, 16, 32, 64, 128)

#: Computes `MultiEncoderUNet.proposal`: network, upsampled map, T1, FLAIR and condition to the proposed map.
Proposal = Callable[["MultiEncoderUNet", Tensor, Tensor, Tensor, Condition], Tensor]

_MATRIX = (SUPER_RESOLVED_MATRIX, SUPER_RESOLVED_MATRIX)
#: The first level works on slabs of three slices, the levels below on a single one.
_FIRST_KERNEL, _KERNEL = (3, 3, 3), (3, 3, 1)
_FIRST_SCALE, _SCALE = (2, 2, 3), (2, 2, 1)


class Encoder(nn.Module):
    """Five levels of blocks with max-pooling between them, over the map and one kind of MRI."""

    def __init__(self, make_filters: MakeFilters, make_norm: MakeNorm):
        super().__init__()
        inputs = (2, *CHANNELS[:-1])
        self.levels = nn.ModuleList(
            Block(i, o, _FIRST_KERNEL if level == 0 else _KERNEL, make_filters, make_norm)
            for level, (i, o) in enumerate(zip(inputs, CHANNELS, strict=True))
        )

    def forward(self, images: Tensor, condition: Condition) -> list[Tensor]:
        """`(batch, 2, 192, 192, 3)` to the five levels' features, finest first."""
        features = [self.levels[0](images, condition)]
        for level, block in enumerate(self.levels[1:]):
            pooled = F.max_pool3d(features[-1], _FIRST_SCALE if level == 0 else _SCALE)
            features.append(block(pooled, condition))
        return features


class DecoderLevel(nn.Module):
    """Upsampling, a convolution to the level's channels, both encoders' skips, a block."""

    def __init__(self, inputs: int, channels: int, first: bool, make_filters: MakeFilters, make_norm: MakeNorm):
        super().__init__()
        kernel = _FIRST_KERNEL if first else _KERNEL
        self.scale = _FIRST_SCALE if first else _SCALE
        self.convolution = nn.Conv3d(inputs, channels, kernel, padding="same")
        self.block = Block(3 * channels, channels, kernel, make_filters, make_norm)

    def forward(self, features: Tensor, skips: list[Tensor], condition: Condition) -> Tensor:
        """The level below's features and the two skips of this level, to this level's features."""
        features = F.interpolate(features, scale_factor=self.scale, mode="trilinear", align_corners=True)
        return self.block(torch.cat((self.convolution(features), *skips), dim=1), condition)


def upsample_map(zero_filled_map: Tensor) -> Tensor:
    """The zero-filled map on the MRI's grid: `(batch, 1, 64, 64)` to `(batch, 1, 192, 192)`.

    Linear, with voxel centres where they are: MRI voxel 3 i + 1 lies at the centre of map voxel i.
    """
    return F.interpolate(zero_filled_map, scale_factor=MRI_UPSAMPLING, mode="bilinear", align_corners=False)


class MultiEncoderUNet(nn.Module):
    """Super-resolves one metabolite's slices with the patient's T1 and FLAIR (paper, Eq. 1 and Fig. 1).

    Args:
        make_filters: makes the filter conditioner of a convolution from its input and output channels and its kernel.
        make_norm: makes the norm conditioner of a norm from its channels.

    Attributes:
        conditions: which of n ("resolution"), "metabolite" and "sharpness" change the output; others are ignored.
    """

    def __init__(self, make_filters: MakeFilters, make_norm: MakeNorm):
        super().__init__()
        self.t1_encoder = Encoder(make_filters, make_norm)
        self.flair_encoder = Encoder(make_filters, make_norm)
        below = (2 * CHANNELS[-1], *CHANNELS[-2:0:-1])
        self.decoder = nn.ModuleList(
            DecoderLevel(i, o, o == CHANNELS[0], make_filters, make_norm)
            for i, o in zip(below, CHANNELS[-2::-1], strict=True)
        )
        self.head = nn.Conv3d(CHANNELS[0], 1, 1)
        self.conditions = frozenset().union(*(getattr(part, "conditions", ()) for part in self.modules()))

    def proposal(self, upsampled: Tensor, t1: Tensor, flair: Tensor, condition: Condition) -> Tensor:
        """The super-resolved map before data consistency.

        Args:
            upsampled: `(batch, 1, 192, 192)`, from `upsample_map`.
            t1: `(batch, 1, 192, 192, 3)`, 0 to 1.
            flair: like `t1`.
            condition: one for the whole batch.

        Returns:
            `(batch, 1, 64, 64)`, 0 to 1.
        """
        slab = upsampled[..., None].expand_as(t1)
        t1_features = self.t1_encoder(torch.cat((slab, t1), dim=1), condition)
        flair_features = self.flair_encoder(torch.cat((slab, flair), dim=1), condition)
        features = torch.cat((t1_features.pop(), flair_features.pop()), dim=1)
        for level in self.decoder:
            features = level(features, [t1_features.pop(), flair_features.pop()], condition)
        return F.avg_pool3d(torch.sigmoid(self.head(features)), MRI_UPSAMPLING)[..., 0]

    def forward(
        self,
        low_resolution: Tensor,
        t1: Tensor,
        flair: Tensor,
        n: float,
        metabolite: int,
        sharpness: float,
        proposal: Proposal | None = None,
    ) -> Tensor:
        """Super-resolve a batch of slices of one metabolite and one resolution.

        Args:
            low_resolution: `(batch, 1, n rows, n columns)`, scaled by `inference_core.networks.scaling`.
            t1: `(batch, 1, 192, 192, 3)`, 0 to 1, on the super-resolved grid at three times its resolution.
            flair: like `t1`.
            n: input resolution that the network is given.
            metabolite: index into `inference_core.METABOLITES`.
            sharpness: lambda, 0 to 0.1.
            proposal: what computes `MultiEncoderUNet.proposal`, called with this network and its arguments.

        Returns:
            `(batch, 1, 64, 64)`, scaled like the input.
        """
        condition = Condition.of(n, metabolite, sharpness, low_resolution.device)
        upsampled = upsample_map(zero_filled(low_resolution, _MATRIX))
        # FFTs work in single precision, whatever the convolutions were computed in.
        proposed = (proposal or MultiEncoderUNet.proposal)(self, upsampled, t1, flair, condition).float()
        return enforce_data_consistency(proposed, measured_kspace(low_resolution, _MATRIX)).abs()
