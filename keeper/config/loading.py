"""Reading the configuration: file, then environment, then checks that end in one list of problems.

``GLOW_KEEPER__CLUSTER__REQUEST_TIMEOUT="5 s"`` in the environment overrides ``[cluster] request_timeout``. Relative paths are
relative to the file they stand in, so that they mean the same from every working directory.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from keeper.config.settings import ENV_PREFIX, Settings
from keeper.strategy import Configured, ParameterError, StrategyNotFound, configure, suggestion
from keeper.units import BPS, Bps, Lamports


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: the dotted key, and what to do about it."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ConfigError(ValueError):
    """The configuration cannot be used. ``problems`` has every error found, not just the first."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(
            "\n".join([f"{source}: {len(problems)} problem(s)", *(f"  {problem}" for problem in problems)])
        )
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings and the strategies they configure."""

    settings: Settings
    strategies: tuple[Configured[Any], ...]


def load_config(path: Path) -> Loaded:
    """Read and check ``path`` and the environment.

    Raises ``ConfigError`` with every problem: unreadable file, TOML syntax, unknown keys with the nearest known one, values
    that do not parse, unknown strategies and their parameters.
    """
    table = _read(path)
    problems = _stray_environment()
    try:
        settings = Settings(**table)
    except ValidationError as error:
        problems += [_explain(item["loc"], item["type"], item["msg"], item["input"]) for item in error.errors()]
        raise ConfigError(str(path), tuple(problems)) from None
    except SettingsError as error:
        raise ConfigError(
            str(path), (*problems, Problem("environment", f"{error}; lists are written as JSON"))
        ) from error
    settings = _resolve_paths(settings, path.parent.resolve())
    strategies, faults = _strategies(settings)
    problems += faults
    problems += _limits(settings)
    if settings.venues.jupiter is None and settings.venues.jupiter_sdk is None:
        problems.append(Problem("venues", "no DEX venue is configured; add [venues.jupiter]"))
    if problems:
        raise ConfigError(str(path), tuple(problems))
    return Loaded(settings, strategies)


def _strategies(settings: Settings) -> tuple[tuple[Configured[Any], ...], list[Problem]]:
    if not settings.strategies:
        return (), [Problem("strategies", "no strategy is configured; add a table such as [strategies.arbitrage]")]
    found: list[Configured[Any]] = []
    problems: list[Problem] = []
    for name, params in settings.strategies.items():
        try:
            found.append(configure(name, params, f"strategies.{name}"))
        except ParameterError as error:
            problems.append(Problem(error.field, str(error).removeprefix(f"{error.field}: ")))
        except (StrategyNotFound, TypeError) as error:
            problems.append(Problem(f"strategies.{name}", str(error)))
    return tuple(found), problems


def _limits(settings: Settings) -> list[Problem]:
    """Amounts out of range; and a budget of nobody, which would leave the strategy that was meant without one."""
    problems = []
    for name, budget in settings.allocation.budgets.items():
        if name not in settings.strategies:
            known = suggestion(name, settings.strategies)
            problems.append(Problem(f"allocation.budgets.{name}", f"no such strategy is configured{known}"))
        elif budget <= Lamports(0):
            remedy = f"it must be positive, got {budget}; remove [strategies.{name}] to stop it"
            problems.append(Problem(f"allocation.budgets.{name}", remedy))
    if settings.allocation.protect < Lamports(0):
        problems.append(Problem("allocation.protect", f"cannot be negative, got {settings.allocation.protect}"))
    if not Bps(0) <= settings.engine.min_health < Bps(BPS):
        problems.append(Problem("engine.min_health", f"lies between 0 and 100 %, got {settings.engine.min_health}"))
    return problems


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            str(path), (Problem("", f"cannot be read: {reason}; check the path and its permissions"),)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), (Problem("", f"is not UTF-8 text: {error}"),)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), (Problem("", f"is not TOML: {error}"),)) from error


def _stray_environment() -> list[Problem]:
    """Variables with our prefix that name no table would be ignored silently; they are typing errors."""
    known = set(Settings.model_fields)
    stray = []
    for name in sorted(os.environ):
        if name.upper().startswith(ENV_PREFIX):
            table = name[len(ENV_PREFIX) :].lower().split("__")[0]
            if table not in known:
                stray.append(Problem(name, f"names the unknown table {table!r}{suggestion(table, known)}"))
    return stray


def _explain(location: tuple[int | str, ...], kind: str, message: str, given: object) -> Problem:
    field = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        known = _keys_at(location[:-1])
        return Problem(field, f"unknown key{suggestion(str(location[-1]), known)}")
    if kind == "missing":
        return Problem(field, "missing, and it has no default")
    text = message.removeprefix("Value error, ")
    return Problem(field, text if repr(given) in text else f"{text} (got {given!r})")


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """The known keys of the table at ``location``."""
    model: type[BaseModel] = Settings
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None:
            return []
        candidates = (field.annotation, *get_args(field.annotation))
        nested = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)


def _resolve_paths(settings: Settings, folder: Path) -> Settings:
    """Every relative path, also in a SQLite URL and in file-or-word keys, taken from the configuration file's folder."""
    venues = settings.venues
    if venues.jupiter is not None and venues.jupiter.api_key_file is not None:
        jupiter = venues.jupiter.model_copy(update={"api_key_file": folder / venues.jupiter.api_key_file})
        venues = venues.model_copy(update={"jupiter": jupiter})
    if venues.jupiter_sdk is not None:
        sdk = venues.jupiter_sdk
        # not resolved through symlinks: the python of a virtual environment is one
        moved = {"python": folder / sdk.python, "api_key_file": folder / sdk.api_key_file if sdk.api_key_file else None}
        venues = venues.model_copy(update={"jupiter_sdk": sdk.model_copy(update=moved)})
    market = settings.market
    if market.lrt is not None:
        idl = market.lrt.idl if market.lrt.idl == "chain" else str(folder / market.lrt.idl)
        mapping = market.lrt.mapping if market.lrt.mapping == "localnet" else str(folder / market.lrt.mapping)
        market = market.model_copy(update={"lrt": market.lrt.model_copy(update={"idl": idl, "mapping": mapping})})
    url = settings.journal.url
    if url.startswith("sqlite:///"):
        url = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    log = settings.telemetry.decision_log
    return settings.model_copy(
        update={
            "wallet": settings.wallet.model_copy(update={"keypair": folder / settings.wallet.keypair}),
            "journal": settings.journal.model_copy(update={"url": url}),
            "venues": venues,
            "market": market,
            "telemetry": settings.telemetry.model_copy(update={"decision_log": folder / log if log else None}),
        }
    )
