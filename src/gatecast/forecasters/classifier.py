"""The LSTM classifier: from labelled sequences to a trained network, and from sequences to classes."""

from __future__ import annotations

import inspect
import platform
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int

from gatecast.base.errors import NotFittedError, SettingError
from gatecast.base.named import from_text
from gatecast.base.options import call_text
from gatecast.base.version import VERSION
from gatecast.batches.sequences import LabelledSequences, places
from gatecast.batches.windows import Standardizer
from gatecast.forecasters.labels import classes_of, labels_of, sequences_of, weights_of
from gatecast.forecasters.window_plan import steps_of
from gatecast.models.classifier import SequenceClassifier
from gatecast.models.config import NetConfig
from gatecast.nn.losses import (
    LOSSES,
    CategoricalCrossentropy,
    Loss,
    SparseCategoricalCrossentropy,
)
from gatecast.training.config import FitConfig
from gatecast.training.history import History
from gatecast.training.launch import launch, needs_launch, resolve_world
from gatecast.training.threads import threads_of

CHUNK = 512  # sequences in one forward pass
HELD_BACK = 6  # one sequence of so many of each class is held back
_OF_FORECASTS = ("kind", "segment", "embedding", "id_embedding", "base", "linear", "skip")


class LSTMClassifier:
    """Tell to which class a sequence belongs, with the manners of scikit-learn.

    Args:
        net: shape of the network: ``cell``, ``hidden_size``, ``num_layers``, ``dropout``, ``bidirectional`` and the
            other fields that are of the recurrent layers.
        loss: ``"categorical_crossentropy"``, also with settings, ``"categorical_crossentropy(label_smoothing=0.1)"``;
            or a :class:`gatecast.nn.losses.Loss` of logits and numbers of classes.
        class_weight: None; ``"balanced"``: each class counts as much as every other; or ``{label: weight}``.
        standardize: bring each feature to mean 0 and spread 1 over all steps of training.
        fit: settings of training. ``validation`` counts sequences held back to stop by (None: one of six of each
            class; 0: none); ``refit=True`` trains again on all for the best number of steps.
        seed: of everything random.

    Attributes:
        classes_: labels in ascending order, the columns of ``predict_proba``.
        n_features_in_: features of each step.
        history_: one entry for each evaluation of training.

    Example:
        >>> import numpy as np
        >>> from gatecast import FitConfig, LSTMClassifier, NetConfig
        >>> X = np.random.default_rng(0).normal(size=(60, 8, 1))
        >>> y = np.where(X[:, 0, 0] > X[:, -1, 0], "falls", "rises")
        >>> model = LSTMClassifier(net=NetConfig(hidden_size=8), fit=FitConfig(steps=60)).fit(X, y)
        >>> model.classes_.tolist(), model.predict_proba(X).shape
        (['falls', 'rises'], (60, 2))
    """

    _estimator_type = "classifier"

    def __init__(
        self,
        *,
        net: NetConfig | None = None,
        loss: str | Loss = "categorical_crossentropy",
        class_weight: Any = None,
        standardize: bool = True,
        fit: FitConfig | None = None,
        seed: int = 1,
    ) -> None:
        self.net = net
        self.loss = loss
        self.class_weight = class_weight
        self.standardize = standardize
        self.fit_config = fit
        self.seed = seed

    # ── learning ──────────────────────────────────────────────────────────────────────────────────────────────────
    def fit(self, X: Any, y: Any) -> Self:
        """Train on labelled sequences.

        Args:
            X: array ``(sequences, time, features)``, or a list of arrays ``(time, features)`` of any lengths.
            y: a label for each: numbers, texts, tuples.

        Raises:
            DataError: sequences and labels do not fit, a value is no number, or there is one class only.
            SettingError: an argument does not fit the data.
            TrainingError: the loss is not finite.
        """
        clock = time.perf_counter()
        net, config, loss = self._net(), resolve_world(self._config()), self._loss()
        sequences = sequences_of(X)
        labels = labels_of(y, len(sequences))
        classes = classes_of(labels)
        order = {label: number for number, label in enumerate(classes.tolist())}
        numbers = np.array([order[label] for label in labels])
        weights = weights_of(self.class_weight, classes, numbers)
        if needs_launch(config):
            return self._fit_in_processes(sequences, labels, config)
        training, held_back = split(numbers, config.validation, self.seed)
        self.classes_, self.n_features_in_ = classes, sequences[0].shape[1]
        self.scales_ = self._scales([sequences[k] for k in training.tolist()])
        data = LabelledSequences([self._scaled(one) for one in sequences], numbers, weights)
        self.model_, run = self._train(data, training, held_back, net, loss, config)
        self.history_, self.best_step_ = run.entries, run.best_step
        if config.refit and len(held_back):
            every, again = torch.arange(len(data)), replace(config, steps=run.best_step, epochs=None)
            self.model_, _ = self._train(data, every, held_back[:0], net, loss, _beside(again), name="training-refit")
        self.sequences_, self.held_back_ = len(training), len(held_back)
        self.longest_ = data.longest
        self.fit_seconds_ = time.perf_counter() - clock
        return self

    def _train(
        self,
        data: LabelledSequences,
        training: Int[torch.Tensor, " sequences"],
        held_back: Int[torch.Tensor, " others"],
        net: NetConfig,
        loss: Loss,
        config: FitConfig,
        name: str = "training",
    ) -> tuple[SequenceClassifier, History]:
        from gatecast.training.loop import train

        with threads_of(config.threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = SequenceClassifier(self.n_features_in_, len(self.classes_), net, loss)
            steps, used = steps_of(config, len(training)), (places(training), places(held_back))
            run = train(model, data, *used, config, steps=steps, seed=self.seed, name=name)
        return model.eval(), run

    def _fit_in_processes(self, sequences: list[np.ndarray], labels: list[Any], config: FitConfig) -> Self:
        """Fit in processes of their own, and take over what the first one has learned."""
        clock = time.perf_counter()
        threads = config.threads or max(1, torch.get_num_threads() // config.devices)
        learned = launch(_learned, self, sequences, labels, processes=config.devices, threads=threads)
        vars(self).update(learned, fit_seconds_=time.perf_counter() - clock)
        return self

    def _config(self) -> FitConfig:
        config = self.fit_config or FitConfig()
        for name in ("origins", "loss_weight"):
            if getattr(config, name) != getattr(FitConfig(), name):
                raise SettingError(f"FitConfig.{name} is of forecasts, and LSTMClassifier has none; leave it out")
        return config

    def _net(self) -> NetConfig:
        net, plain = self.net or NetConfig(), NetConfig()
        changed = [name for name in _OF_FORECASTS if getattr(net, name) != getattr(plain, name)]
        if changed:
            raise SettingError(f"NetConfig.{changed[0]} is of forecasts, and LSTMClassifier has none; leave it out")
        return net

    def _loss(self) -> Loss:
        """The loss of logits and numbers of classes."""
        loss = from_text("loss", self.loss, LOSSES)
        if not isinstance(loss, Loss) or not loss.classes:
            known = ", ".join(name for name, kind in LOSSES.items() if kind.classes)
            raise SettingError(f"loss must be of classes ({known}), got {self.loss!r}")
        if isinstance(loss, CategoricalCrossentropy | SparseCategoricalCrossentropy):
            return SparseCategoricalCrossentropy(from_logits=True, label_smoothing=loss.label_smoothing)
        return loss

    def _scales(self, sequences: list[np.ndarray]) -> Standardizer:
        if self.standardize:
            return Standardizer.fit(np.concatenate(sequences))
        return Standardizer(np.zeros(self.n_features_in_, np.float32), np.ones(self.n_features_in_, np.float32))

    def _scaled(self, sequence: Float[np.ndarray, "time features"]) -> Float[np.ndarray, "time features"]:
        return (sequence - self.scales_.mean) / self.scales_.spread

    # ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────
    def predict_proba(self, X: Any) -> Float[np.ndarray, "sequences classes"]:
        """Probability of each class, in the order of ``classes_``.

        Raises:
            NotFittedError: before ``fit``.
            DataError: a sequence has other features than those of ``fit``, or a value is no number.
        """
        if not hasattr(self, "model_"):
            raise NotFittedError("predict needs a fitted classifier; call fit(X, y) first, or gatecast.load(path)")
        sequences = sequences_of(X, features=self.n_features_in_)
        parts = []
        with torch.inference_mode():
            for k in range(0, len(sequences), CHUNK):
                data = LabelledSequences([self._scaled(one) for one in sequences[k : k + CHUNK]])
                every = torch.arange(len(data))
                parts.append(self.model_.logits(data.gather(every, every)).softmax(-1))
        return torch.cat(parts).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The label that is most probable, for each sequence."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def score(self, X: Any, y: Any) -> float:
        """Share of the sequences whose label is right."""
        labels = labels_of(y, len(X))
        return float(np.mean([mine == true for mine, true in zip(self.predict(X).tolist(), labels, strict=True)]))

    # ── about ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor (scikit-learn's ``clone`` reads them)."""
        return {name: getattr(self, _attribute(name)) for name in _arguments()}

    def set_params(self, **params: Any) -> Self:
        """Change arguments of the constructor; ``fit`` is to be called again.

        Raises:
            SettingError: no such argument.
        """
        for name, value in params.items():
            if name not in _arguments():
                raise SettingError(f"LSTMClassifier has no argument {name!r}; it has {', '.join(_arguments())}")
            setattr(self, _attribute(name), value)
        return self

    def __repr__(self) -> str:
        return call_text(self, self.get_params())

    @property
    def parameters_(self) -> int:
        """Number of learned numbers."""
        return sum(weight.numel() for weight in self.model_.parameters())

    def describe(self) -> dict[str, Any]:
        """What ran, for the model file."""
        return {
            "model": type(self).__name__,
            "classes": self.classes_.tolist(),
            "features": self.n_features_in_,
            "longest": self.longest_,
            "net": asdict(self._net()),
            "loss": self.loss if isinstance(self.loss, str) else repr(self.loss),
            "fit": resolve_world(self.fit_config or FitConfig()).to_dict(),
            "parameters": self.parameters_,
            "sequences": self.sequences_,
            "held_back": self.held_back_,
            "best_step": self.best_step_,
            "seed": self.seed,
            "seconds": round(self.fit_seconds_, 3),
            "versions": {
                "gatecast": VERSION,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    def save(self, path: str | Path) -> Path:
        """Write the fitted classifier to one ``.gatecast`` file (no pickle; the data itself is not in it)."""
        from gatecast.forecasters.model_file import save

        return save(self, path)


def split(
    numbers: Int[np.ndarray, " sequences"], validation: int | None, seed: int
) -> tuple[Int[torch.Tensor, " training"], Int[torch.Tensor, " others"]]:
    """Positions to learn from and to stop by: the same share of each class, drawn at random.

    Raises:
        SettingError: so many cannot be held back.
    """
    if validation is not None and not 0 <= validation < len(numbers):
        raise SettingError(
            f"FitConfig.validation={validation} sequences cannot be held back of {len(numbers)}; take fewer"
        )
    share = 1 / HELD_BACK if validation is None else validation / len(numbers)
    random, held = np.random.default_rng(seed), []
    for number in range(int(numbers.max()) + 1):
        own = random.permutation(np.flatnonzero(numbers == number))
        wanted = int(len(own) * share) if validation is None else round(len(own) * share)
        held.append(own[: min(wanted, len(own) - 1)])
    positions = np.sort(np.concatenate(held))
    return torch.from_numpy(np.setdiff1d(np.arange(len(numbers)), positions)), torch.from_numpy(positions)


def _learned(classifier: LSTMClassifier, sequences: list[np.ndarray], labels: list[Any]) -> dict[str, Any]:
    """What the classifier learns."""
    classifier.fit(sequences, labels)
    return {name: value for name, value in vars(classifier).items() if name.endswith("_")}


def _beside(config: FitConfig) -> FitConfig:
    """The second training keeps a checkpoint of its own."""
    if config.checkpoint is None:
        return config
    return replace(config, checkpoint=config.checkpoint.with_name(f"{config.checkpoint.name}-refit"))


def _arguments() -> list[str]:
    return list(inspect.signature(LSTMClassifier).parameters)


def _attribute(name: str) -> str:
    """Where an argument is kept: ``fit`` is the name of a method."""
    return "fit_config" if name == "fit" else name
