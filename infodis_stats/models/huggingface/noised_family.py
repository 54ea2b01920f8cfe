"""Families of networks for uniform and mixed noise: their noise, their time, and what their outputs mean."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor

from estimators import Absorbing, InputError, Mixed, Noise, Uniform
from infodis_stats.models.huggingface.families import REFUSED
from infodis_stats.models.huggingface.family import Family
from infodis_stats.models.score_ratios import leave_one_out_ratios

__all__ = ["NOISED_FAMILIES", "NoisedFamily", "noised_family_named"]

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class NoisedFamily:
    """How to call the networks of a family for uniform or mixed noise, and how to interpret their outputs.

    Attributes
    ----------
    recognised : Family
        How its networks are recognised; masked models refuse them.
    source : str
        Where the conventions come from: a repository and its file.
    outputs : str
        What the outputs of the network are, in some words.
    noise : callable
        Maps the configuration to the noise.
    trained : callable
        Maps the noise and the configuration to the least and the most total noise of training.
    time : callable
        Maps total noise (batch,), within the ends of training, and the noise to the second argument of the network,
        (batch,).
    ratios : callable
        Maps the outputs for the symbols (batch, length, symbols), the noised states, the total noise, the second
        argument and the noise to log score ratios (batch, length, states).
    problem : callable
        Maps the configuration to the reason why such a network cannot be used; empty if it can.
    """

    recognised: Family
    source: str
    outputs: str
    noise: Callable[[Config], Noise]
    trained: Callable[[Noise, Config], tuple[float, float]]
    time: Callable[[Tensor, Noise], Tensor] = lambda total_noise, noise: total_noise
    ratios: Callable[[Tensor, Tensor, Tensor, Tensor, Noise], Tensor]
    problem: Callable[[Config], str] = lambda config: ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.recognised.name


def _uniform(config: Config) -> Noise:
    return Uniform()


def _log_linear(noise: Noise, config: Config) -> tuple[float, float]:
    """Return the ends of a log-linear schedule: times from 0.001 to 1, and eps 0.001."""
    return -math.log1p(-0.999e-3), -math.log(1e-3)


def _leave_one_out(outputs: Tensor, noised: Tensor, total_noise: Tensor, time: Tensor, noise: Noise) -> Tensor:
    return leave_one_out_ratios(outputs, noised, total_noise, noise)


def _with_labels(config: Config) -> str:
    return "it is trained with class labels, which texts do not have" if config.get("cfg") else ""


def _causal(config: Config) -> str:
    return "it is causal, an autoregressive model of the same code" if config.get("causal") else ""


def _mixed(config: Config) -> Noise:
    share = config.get("p_uniform")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < 1.0:
        raise InputError(f"p_uniform in the configuration must be a number in [0, 1), got {share!r}")
    return Mixed(float(share)) if share else Absorbing()


def _trained_mixture(noise: Noise, config: Config) -> tuple[float, float]:
    margin = float(config.get("t_eps", 1e-4))
    if isinstance(noise, Mixed):
        return noise.total_noise(margin), noise.total_noise(1.0 - margin)
    return -math.log1p(-margin), -math.log(margin)


def _time_of_mixture(total_noise: Tensor, noise: Noise) -> Tensor:
    return noise.time(total_noise) if isinstance(noise, Mixed) else -(-total_noise).expm1()


def _trained_sedd(noise: Noise, config: Config) -> tuple[float, float]:
    """Return the ends of the schedule of training, which starts at time 0.001."""
    schedule = _part(config, "noise")
    if schedule.get("type") != "geometric":
        return _log_linear(noise, config)
    smallest, largest = float(schedule["sigma_min"]), float(schedule["sigma_max"])
    return smallest**0.999 * largest**0.001, largest


def _log_scores(outputs: Tensor, noised: Tensor, total_noise: Tensor, time: Tensor, noise: Noise) -> Tensor:
    """Return the log scores themselves; beyond the end of training, those of their law with the noise since then."""
    return leave_one_out_ratios(outputs, noised, (total_noise - time).clamp(min=0.0), noise)


def _part(config: Config, name: str) -> Config:
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}


def _scaled(config: Config) -> str:
    scaled = _part(config, "model").get("scale_by_sigma")
    return "its configuration has scale_by_sigma, which its code has for absorbing noise alone" if scaled else ""


NOISED_FAMILIES: Mapping[str, NoisedFamily] = MappingProxyType(
    {
        family.name: family
        for family in (
            NoisedFamily(
                recognised=REFUSED["udlm"],
                source="kuleshov-group/discrete-diffusion-guidance, diffusion.py",
                outputs="logits of the leave-one-out posterior",
                noise=_uniform,
                trained=_log_linear,
                ratios=_leave_one_out,
                problem=_with_labels,
            ),
            NoisedFamily(
                recognised=REFUSED["duo"],
                source="s-sahoo/duo, algo.py",
                outputs="logits of the leave-one-out posterior",
                noise=_uniform,
                trained=_log_linear,
                ratios=_leave_one_out,
                problem=_causal,
            ),
            NoisedFamily(
                recognised=REFUSED["gidd"],
                source="dvruette/gidd, gidd/loss.py",
                outputs="logits of the leave-one-out posterior, without the mask",
                noise=_mixed,
                trained=_trained_mixture,
                time=_time_of_mixture,
                ratios=_leave_one_out,
            ),
            NoisedFamily(
                recognised=REFUSED["sedd-uniform"],
                source="louaaron/Score-Entropy-Discrete-Diffusion, graph_lib.py",
                outputs="log score ratios",
                noise=_uniform,
                trained=_trained_sedd,
                ratios=_log_scores,
                problem=_scaled,
            ),
        )
    }
)
"""The families of score models by name."""


def noised_family_named(name: str) -> NoisedFamily:
    """Return the family of score models with a name; `InputError` if there is none."""
    if name not in NOISED_FAMILIES:
        raise InputError(f"the family of a score model must be one of {', '.join(NOISED_FAMILIES)}, got {name!r}")
    return NOISED_FAMILIES[name]
