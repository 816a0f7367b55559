"""Simulated patients: anatomy, tumour, metabolism and acquisition, reproducible from a seed."""

from inference_core.research.phantom.patient import SimulatedPatient, SliceStack, simulate_patient
from inference_core.research.phantom.study import check_simulated, write_study

__all__ = ["SimulatedPatient", "SliceStack", "check_simulated", "simulate_patient", "write_study"]
