"""Epidemics by compartment equations: SIR, SEIR and SEIRD fitted to daily new cases."""

from gatecast.forecasters.seir.equations import final_share
from gatecast.forecasters.seir.forecaster import SEIRForecaster
from gatecast.forecasters.seir.likelihood import LIKELIHOODS, LogNormal, NegativeBinomial
from gatecast.forecasters.seir.scenarios import Scenario
from gatecast.forecasters.seir.transmission import TRANSMISSIONS, Constant, Exponential, Piecewise

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
