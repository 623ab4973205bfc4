"""A model as files: LightGBM text, one JSON file, one Parquet file; nothing that runs code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incentive_engine.config.policy import Eligibility
from incentive_engine.errors import DataError
from incentive_engine.uplift.boosting.boosting import CrossFitted
from incentive_engine.uplift.boosting.features import Encoder
from incentive_engine.uplift.effects.averages.average_effects import Averages
from incentive_engine.uplift.effects.basis import Basis
from incentive_engine.uplift.effects.calibration import Calibration
from incentive_engine.uplift.effects.effects import Deviations, EffectLayer
from incentive_engine.uplift.effects.interactions.interactions import PairProducts
from incentive_engine.uplift.effects.prognosis import Prognosis
from incentive_engine.uplift.effects.stacking import HeterogeneityTest, Stack
from incentive_engine.uplift.effects.trees import ArmTrees, ContrastTrees
from incentive_engine.uplift.estimates import OutOfFold
from incentive_engine.uplift.model import EffectModel, Facts
from incentive_engine.uplift.model_files import (
    FORMAT,
    check_files,
    digest,
    model_fault,
    model_file,
    read_model_file,
    write_model_file,
)
from incentive_engine.uplift.nuisance.cost import CostModel
from incentive_engine.uplift.nuisance.event_probability import EventProbability
from incentive_engine.uplift.nuisance.outcome_models import OutcomeModels, SpendModel
from incentive_engine.uplift.params import FitParams
from incentive_engine.uplift.support import Support


def _out_of_fold(directory: Path) -> Path:
    return directory / "out_of_fold.parquet"


def save_model(model: EffectModel, directory: Path) -> None:
    """Write the model into an existing directory."""
    models = model.models
    _save_chances(models.converting, directory, "conversion")
    if models.spending.buying is not None:
        _save_chances(models.spending.buying, directory, "buying")
    models.spending.value.save(directory, "value")
    models.costing.save(directory)
    model.out_of_fold.to_frame().to_parquet(_out_of_fold(directory), index=False)
    content = {
        "format": FORMAT,
        "engine": version("incentive-engine"),
        "lightgbm": version("lightgbm"),
        "trial": model.facts.trial,
        "rows": model.facts.rows,
        "seed": model.facts.seed,
        "offers": model.facts.offers,
        "rules": [rule.model_dump(mode="json") for rule in model.facts.rules],
        "params": asdict(model.facts.params),
        "features": model.encoder.to_json(),
        "basis": model.basis.to_json(),
        "odds": model.odds.tolist(),
        "conversion": _effects_json(models.converting.effects),
        "buying": models.spending.buying and _effects_json(models.spending.buying.effects),
        "spend_factor": models.spending.factor.tolist(),
        "cost": models.costing.to_json(),
        "files": {file.name: digest(file) for file in sorted(directory.iterdir())},
    }
    write_model_file(content, model_file(directory))


def load_model(directory: Path) -> EffectModel:
    """Read what `save_model` wrote.

    Raises
    ------
    DataError
        When a file is missing, was changed since, or comes from another version.
    """
    content = read_model_file(model_file(directory))
    check_files(content, directory)
    try:
        return _model(content, directory)
    except (KeyError, TypeError, ValueError) as error:
        fault = model_fault(model_file(directory), "does not describe a model")
        raise DataError(fault) from error


def read_out_of_fold(directory: Path) -> OutOfFold:
    """Read what a saved model says about its trial's rows, and nothing else.

    Raises
    ------
    DataError
        As `load_model`, but only the file that is read is checked.
    """
    content = read_model_file(model_file(directory))
    check_files(content, directory, only=_out_of_fold(directory).name)
    try:
        frame = pd.read_parquet(_out_of_fold(directory))
        return OutOfFold.from_frame(frame, tuple(content["offers"]))
    except (KeyError, TypeError, ValueError) as error:
        fault = model_fault(model_file(directory), "does not describe a model")
        raise DataError(fault) from error


def _model(content: Mapping[str, Any], directory: Path) -> EffectModel:
    offers = tuple(content["offers"])
    converting = _load_chances(content["conversion"], directory, "conversion")
    count = len(converting.outcome.models)
    buying = content["buying"] and _load_chances(content["buying"], directory, "buying")
    frame = pd.read_parquet(_out_of_fold(directory))
    return EffectModel(
        facts=Facts(
            trial=content["trial"],
            rows=content["rows"],
            seed=content["seed"],
            offers=offers,
            rules=tuple(Eligibility.model_validate_json(json.dumps(r)) for r in content["rules"]),
            params=FitParams(
                **content["params"] | {"without": tuple(content["params"]["without"])}
            ),
        ),
        encoder=Encoder.from_json(content["features"]),
        basis=Basis.from_json(content["basis"]),
        odds=np.array(content["odds"]),
        models=OutcomeModels(
            converting=converting,
            spending=SpendModel(
                buying=buying,
                value=CrossFitted.load(directory, "value", count=count),
                factor=np.array(content["spend_factor"]),
            ),
            costing=CostModel.load(content["cost"], directory, count=count),
        ),
        out_of_fold=OutOfFold.from_frame(frame, offers),
    )


def _save_chances(chances: EventProbability, directory: Path, name: str) -> None:
    chances.outcome.save(directory, f"{name}_outcome")
    deviations = chances.effects.deviations
    deviations.contrast_trees.save(directory, f"{name}_contrast")
    deviations.arm_trees.save(directory, f"{name}_arm")
    chances.effects.support.save(directory, f"{name}_overlap")


def _load_chances(content: Mapping[str, Any], directory: Path, name: str) -> EventProbability:
    arrays = _arrays(
        {
            name: content[name]
            for name in ("ridge", "directions", "pooling", "uncertainty", "centre")
        }
    )
    count, k, q = arrays["ridge"].shape
    effects = EffectLayer(
        averages=Averages(**_arrays(content["averages"])),
        deviations=Deviations(
            functions=np.array(content["functions"], dtype=np.int64),
            ridge=arrays["ridge"],
            pairs=PairProducts.from_json(content["pairs"]),
            contrast_trees=ContrastTrees.load(
                directory, f"{name}_contrast", directions=arrays["directions"], count=count
            ),
            arm_trees=ArmTrees.load(
                directory, f"{name}_arm", pooling=arrays["pooling"], count=count
            ),
        ),
        uncertainty=arrays["uncertainty"].reshape(k, q, q),  # lists without q have no shape
        centre=arrays["centre"],
        stack=Stack(**_arrays(content["stack"])),
        calibration=Calibration(**_arrays(content["calibration"])),
        prognosis=Prognosis(**_arrays(content["prognosis"])),
        support=_load_support(content["support"], directory, name),
        test=HeterogeneityTest(**content["test"]),
        rungs=tuple(map(tuple, content["rungs"])),
    )
    outcome = CrossFitted.load(directory, f"{name}_outcome", count=count)
    return EventProbability(outcome=outcome, effects=effects)


def _load_support(content: Mapping[str, Any], directory: Path, name: str) -> Support:
    arms = {
        arm: CrossFitted.load(directory, f"{name}_overlap_{arm}", count=1)
        for arm in content["arms"]
    }
    numbers = {each: value for each, value in content.items() if each != "arms"}
    return Support(arms=arms, **_arrays(numbers))


def _effects_json(effects: EffectLayer) -> dict[str, Any]:
    deviations = effects.deviations
    tables = ("averages", "stack", "calibration", "prognosis")
    return {
        "functions": deviations.functions.tolist(),
        "ridge": deviations.ridge.tolist(),
        "pairs": deviations.pairs.to_json(),
        "directions": deviations.contrast_trees.directions.tolist(),
        "pooling": deviations.arm_trees.pooling.tolist(),
        "uncertainty": effects.uncertainty.tolist(),
        "centre": effects.centre.tolist(),
        **{name: _lists(getattr(effects, name)) for name in tables},
        "support": {
            "low": effects.support.low.tolist(),
            "high": effects.support.high.tolist(),
            "usual": effects.support.usual.tolist(),
            "arms": sorted(effects.support.arms),
        },
        "test": asdict(effects.test),
        "rungs": effects.rungs,
    }


def _lists(arrays: Averages | Stack | Calibration | Prognosis) -> dict[str, Any]:
    return {name: value.tolist() for name, value in asdict(arrays).items()}


def _arrays(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(value, dtype=np.float64) for name, value in content.items()}
