"""What the MRSISuperRes module is made of, one concern a file. Importing it makes `inference_core` importable."""

from MRSISuperResLib.core_location import find_inference_core

find_inference_core()
