"""What the user asks for, in the scene's nodes."""

from dataclasses import dataclass
from functools import cached_property

from inference_core.errors import InputError
from inference_core.terms.quantity import Quantity
from MRSISuperResLib.compute.requests import Model
from MRSISuperResLib.scene.normal_tissue import NormalTissue, normal_tissue, tissue_key
from MRSISuperResLib.scene.patient_maps import images_of_maps, maps_beside
from MRSISuperResLib.scene.volumes import PatientImages, check_volume_node, images_key


@dataclass(frozen=True)
class SceneRequest:
    """A quantity at a sharpness, of nodes.

    What it finds in the scene, it finds once: make another one when the scene may have changed.

    Attributes:
        map_node, t1_node, flair_node: the patient's volumes.
        quantity: what `map_node` shows, or a ratio of that and what other maps on its grid show.
        sharpness: lambda.
        model: the network.
        segmentation: with the tissue that a ratio is compared with; of no matter for other quantities.
    """

    map_node: object
    t1_node: object
    flair_node: object
    quantity: Quantity
    sharpness: float
    model: Model
    segmentation: object = None

    @cached_property
    def maps(self) -> dict[str, object]:
        """The volume nodes that it takes, by metabolite.

        Raises:
            InputError: if a ratio's maps are not all there.
        """
        if self.quantity.ratio is None or self.map_node is None:
            return dict.fromkeys(self.quantity.metabolites, self.map_node)
        return self.quantity.choose(maps_beside(self.map_node))

    @cached_property
    def key(self) -> tuple:
        """Equal as long as the images stay as they are.

        Raises:
            InputError: if they can't be used.
        """
        for node, role in (
            (self.map_node, "metabolite map"),
            (self.t1_node, "T1"),
            (self.flair_node, "FLAIR"),
        ):
            check_volume_node(node, role)
        own = tuple(images_key(node, self.t1_node, self.flair_node) for node in self.maps.values())
        if not self.quantity.needs_segments:
            return own
        return (*own, tissue_key(self.segmentation, self.quantity.reference.mirror))

    @property
    def problem(self) -> str:
        """One sentence on why nothing can be computed; "" if it can be tried."""
        try:
            _ = self.key
        except InputError as error:
            return str(error)
        return ""

    @property
    def map_names(self) -> str:
        """The names of the maps that it takes."""
        return ", ".join(node.GetName() if node is not None else "" for node in self.maps.values())

    @property
    def segmentation_name(self) -> str:
        """Of the segmentation that matters; "" if none does."""
        return self.segmentation.GetName() if self.quantity.needs_segments and self.segmentation else ""

    @property
    def sources(self) -> tuple[str, str, str, str]:
        """The names of maps, T1, FLAIR and segmentation."""
        mri = (node.GetName() if node is not None else "" for node in (self.t1_node, self.flair_node))
        return (self.map_names, *mri, self.segmentation_name)


class CopiedImages:
    """The images of the latest request, copied from the scene so that a thread may read them."""

    def __init__(self):
        self.forget()

    def forget(self) -> None:
        """Free them."""
        self._key: tuple | None = None
        self._images: dict[str, PatientImages] = {}
        self._tissue: NormalTissue | None = None

    def of(self, asked: SceneRequest) -> tuple[dict[str, PatientImages], NormalTissue | None]:
        """A request's images by metabolite, and the tissue that a ratio is compared with, if that is in segments.

        Raises:
            InputError: if they can't be used.
        """
        if self._key != asked.key:
            images = images_of_maps(asked.maps, asked.t1_node, asked.flair_node, asked.quantity.metabolites)
            tissue = None
            if asked.quantity.needs_segments:
                t1 = next(iter(images.values())).t1
                tissue = normal_tissue(asked.segmentation, asked.t1_node, t1, asked.quantity.reference.mirror)
            self._key, self._images, self._tissue = asked.key, images, tissue
        elif asked.quantity.ratio is None:
            # The same map, which the user takes for another metabolite's now.
            self._images = dict(zip(asked.quantity.metabolites, self._images.values(), strict=True))
        return self._images, self._tissue
