"""Arguments on the detail that the network adds, which several commands take."""

import argparse

from inference_core.terms.detail import CONSISTENCIES, DEFAULT_CONSISTENCY, DEFAULT_DETAIL, DETAILS


def add_detail_argument(parser: argparse.ArgumentParser) -> None:
    """How the network's detail is treated."""
    choices = "; ".join(f"{name}: {what}" for name, what in DETAILS.items())
    parser.add_argument(
        "--detail",
        choices=tuple(DETAILS),
        default=DEFAULT_DETAIL,
        help=f"what becomes of the detail that the network adds. {choices} ({DEFAULT_DETAIL})",
    )


def add_self_check_argument(parser: argparse.ArgumentParser) -> None:
    """Whether it is checked against each map's own measurement."""
    parser.add_argument(
        "--no-self-check",
        action="store_true",
        help="do not check the network's detail against each map's own measured k-space, which takes a pass of the "
        "network for up to 8 slices",
    )


def add_detail_arguments(parser: argparse.ArgumentParser) -> None:
    """Both, and how the measured k-space is kept."""
    add_detail_argument(parser)
    choices = "; ".join(f"{name}: {what}" for name, what in CONSISTENCIES.items())
    parser.add_argument(
        "--consistency",
        choices=tuple(CONSISTENCIES),
        default=DEFAULT_CONSISTENCY,
        help=f"how the measured k-space is kept. {choices} ({DEFAULT_CONSISTENCY})",
    )
    add_self_check_argument(parser)
