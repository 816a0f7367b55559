"""The training objective of each network, as one module each.

Several processes average gradients where a module's backward pass follows its one forward pass, so all that a loss
needs of a network happens in one.
"""

from torch import Tensor, nn

from inference_core.engine.folded_network import FoldedNetwork
from inference_core.networks import Discriminator
from inference_core.research.training.losses import critic_loss, generator_adversarial_loss, reconstruction_loss


class NetworkObjective(nn.Module):
    """Eq. 4 of the paper, for the super-resolving network.

    Args:
        forward: gives the network's output.
    """

    def __init__(self, forward: FoldedNetwork):
        super().__init__()
        self.super_resolve = forward

    def forward(
        self,
        low_resolution: Tensor,
        t1: Tensor,
        flair: Tensor,
        target: Tensor,
        mask: Tensor,
        n: int,
        metabolite: int,
        sharpness: float,
        upsampled: Tensor | None = None,
        critic: Discriminator | None = None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The loss of a `Batch`, given by its attributes.

        Args:
            low_resolution, t1, flair, target, mask, n, metabolite, sharpness: as `Batch`.
            upsampled: zero-filled maps on the MRI's grid, `(batch, 1, 192, 192)`; for the critic.
            critic: judges the maps, and is not trained by it. It comes as an argument, because a submodule's weights
                would be taken for this module's own. Without one there is no adversarial loss.

        Returns:
            The loss, and what it is made of: reconstruction loss and adversarial loss or None.
        """
        output = self.super_resolve(low_resolution, t1, flair, n, metabolite, sharpness) * mask
        reconstruction = reconstruction_loss(output, target, mask)
        if critic is None:
            return reconstruction, reconstruction.detach(), None
        critic.requires_grad_(False)
        adversarial = generator_adversarial_loss(critic, t1, flair, upsampled, output)
        critic.requires_grad_(True)
        return reconstruction + sharpness * adversarial, reconstruction.detach(), adversarial.detach()


class CriticObjective(nn.Module):
    """`critic_loss` as a module.

    Args:
        critic: the discriminator.
    """

    def __init__(self, critic: Discriminator):
        super().__init__()
        self.critic = critic

    def forward(self, *arguments: Tensor) -> tuple[Tensor, Tensor]:
        """As `critic_loss`, which takes the same arguments after the critic."""
        return critic_loss(self.critic, *arguments)
