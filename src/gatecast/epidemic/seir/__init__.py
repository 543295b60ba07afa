"""Epidemics by compartment equations: SIR, SEIR and SEIRD fitted to daily new cases."""

from gatecast.epidemic.seir.equations import final_share
from gatecast.epidemic.seir.forecaster import SEIRForecaster
from gatecast.epidemic.seir.likelihood import LIKELIHOODS, LogNormal, NegativeBinomial
from gatecast.epidemic.seir.scenarios import Scenario
from gatecast.epidemic.seir.transmission import TRANSMISSIONS, Constant, Exponential, Piecewise

__all__ = [
    "LIKELIHOODS",
    "TRANSMISSIONS",
    "Constant",
    "Exponential",
    "LogNormal",
    "NegativeBinomial",
    "Piecewise",
    "SEIRForecaster",
    "Scenario",
    "final_share",
]
