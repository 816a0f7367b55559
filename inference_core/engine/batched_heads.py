"""All of a network's conditioning at once: the filters for an n and a metabolite, the norms' affine maps for a lambda.

A network has such heads by the dozen, of a few small fully-connected layers each. One by one they cost hundreds of
calls; here each of their layers is one batched product over all heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference_core.engine.layers import assemble_affine, conditioned_convolutions
from inference_core.networks.conditioning import Condition
from inference_core.networks.filter_conditioners import FilterScalingWithMetabolite
from inference_core.networks.norm_conditioners import SharpnessNorm
from inference_core.networks.unet import MultiEncoderUNet


class _StackedLayers:
    """The same fully-connected layers of several heads: `(head, input)` to `(head, output)`."""

    def __init__(self, heads: list[nn.Sequential]):
        self._steps = []
        for steps in zip(*heads, strict=True):
            if isinstance(steps[0], nn.Linear):
                weight = torch.stack([step.weight.T for step in steps])
                bias = torch.stack([step.bias for step in steps])[:, None]
                self._steps.append(lambda x, weight=weight, bias=bias: torch.baddbmm(bias, x, weight))
            else:
                self._steps.append(steps[0])

    def __call__(self, inputs: Tensor) -> Tensor:
        features = inputs[:, None]
        for step in self._steps:
            features = step(features)
        return features[:, 0]


class BatchedHeads:
    """The heads of a network that is conditioned by filter scaling and by conditional instance norm; differentiable.

    Args:
        network: whose weights are copied: after a training step, make a new one.
    """

    def __init__(self, network: MultiEncoderUNet):
        self._convolutions = conditioned_convolutions(network)
        scalings: list[FilterScalingWithMetabolite] = [c.filters for c in self._convolutions]
        norms: list[SharpnessNorm] = [c.norm for c in self._convolutions]
        self._scalings = scalings
        self._embeddings = torch.stack([s.embedding.weight for s in scalings], dim=1)
        self._resolution = _StackedLayers([s.resolution for s in scalings])
        self._metabolite = _StackedLayers([s.metabolite for s in scalings])
        self._joint = _StackedLayers([s.joint for s in scalings])
        self._hidden = _StackedLayers([n.hidden for n in norms])
        # Heads have different numbers of outputs: they are padded to the most, and the index leaves the padding out.
        widest = max(n.affine.out_features for n in norms)
        padding = [widest - n.affine.out_features for n in norms]
        self._affine_weight = torch.stack(
            [F.pad(n.affine.weight.T, (0, p)) for n, p in zip(norms, padding, strict=True)]
        )
        self._affine_bias = torch.stack([F.pad(n.affine.bias, (0, p)) for n, p in zip(norms, padding, strict=True)])
        indices = torch.arange(self._affine_bias.numel(), device=self._affine_bias.device).unflatten(0, (-1, widest))
        own = (i[: n.affine.out_features].chunk(2) for i, n in zip(indices, norms, strict=True))
        self._index = assemble_affine(network, list(own))

    def filters(self, condition: Condition) -> list[Tensor]:
        """The modulated filters of each conditioned convolution, `(output, input, row, column, depth)`."""
        heads = len(self._scalings)
        resolution = self._resolution(condition.resolution.expand(heads, 1))
        # Not by indexing with a tensor of no dimension, which waits for its value.
        metabolite = self._metabolite(self._embeddings.index_select(0, condition.metabolite.reshape(1))[0])
        joint = self._joint(torch.cat((resolution, metabolite), dim=1))
        return [
            convolution.convolution.weight * scaling.factors(own).reshape(*scaling.shape, 1, 1, 1)
            for convolution, scaling, own in zip(self._convolutions, self._scalings, joint, strict=True)
        ]

    def affine(self, condition: Condition) -> Tensor:
        """The affine maps that follow the norms, as `assemble_affine` gives them."""
        hidden = self._hidden(condition.sharpness.expand(len(self._affine_bias), 1))
        padded = torch.baddbmm(self._affine_bias[:, None], hidden[:, None], self._affine_weight)
        gamma, beta = padded.flatten()[self._index]
        return torch.stack((1 + gamma, beta))
