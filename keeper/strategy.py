"""The contract of a strategy, how its parameters are read, and how strategies are found.

A strategy is a pure function ``decide(view, params) -> Plan | Hold`` with a frozen dataclass of parameters. A package offers
one by an entry point in the group ``glow_keeper.strategies`` that names a ``Strategy`` value:

    [project.entry-points."glow_keeper.strategies"]
    mine = "my_package.mine:MINE"
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, get_type_hints

from keeper.plan import Decision, Hold, Plan
from keeper.tactics.income import RewardToken
from keeper.units import (
    LAMPORTS_PER_SOL,
    Bps,
    Duration,
    Lamports,
    Mint,
    Rate,
    TokenAmount,
    UnitError,
    UnitParseError,
    parse_bps,
    parse_duration,
    parse_lamports,
)
from keeper.view import View

GROUP = "glow_keeper.strategies"
P = TypeVar("P")


class ParameterError(ValueError):
    """A strategy's configuration is wrong. ``field`` is the dotted key; the message has the value and the remedy."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class StrategyNotFound(LookupError):
    """No installed package offers the strategy. The message lists those that exist."""


@dataclass(frozen=True, slots=True)
class LadderNeed:
    """A direction whose depth a strategy wants quoted, at these sizes (rising). Raises ``UnitError`` for what nobody quotes."""

    sizes: tuple[TokenAmount, ...]
    buy: Mint

    def __post_init__(self) -> None:
        if any(size.units <= 0 or size.mint == self.buy for size in self.sizes):
            raise UnitError(
                f"a ladder sells positive amounts of one token for another, not {self.sizes} for {self.buy}"
            )
        if list(self.sizes) != sorted(self.sizes):  # comparing also refuses a mixture of tokens
            raise UnitError(f"the sizes of a ladder must rise: {', '.join(map(str, self.sizes))}")


@dataclass(frozen=True, slots=True)
class Strategy(Generic[P]):
    """A strategy: its name (a metric label), parameter type, pure decision, and the quotes it needs to see.

    ``needs(params, glowsol)`` is pure too; ``glowsol`` is None in the mode without the restaking program.
    """

    name: str
    params: type[P]
    decide: Callable[[View, P], Decision]
    needs: Callable[[P, Mint | None], tuple[LadderNeed, ...]]


@dataclass(frozen=True, slots=True)
class Configured(Generic[P]):
    """A strategy with its parameters: what the engine runs."""

    strategy: Strategy[P]
    params: P

    @property
    def name(self) -> str:
        return self.strategy.name

    def decide(self, view: View) -> Decision:
        """The strategy's decision. Raises ``TypeError`` where it answers with something else, such as a forgotten return."""
        decision = self.strategy.decide(view, self.params)
        if not isinstance(decision, Plan | Hold):
            raise TypeError(f"strategy {self.name!r} answered {decision!r:.80}, not a Plan or a Hold")
        return decision

    def needs(self, glowsol: Mint | None) -> tuple[LadderNeed, ...]:
        return self.strategy.needs(self.params, glowsol)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnitParseError(f"{value!r} is not a whole number; write it without quotes or a point")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnitParseError(f"{value!r} is not a text; write it in quotes")
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise UnitParseError(f"{value!r} is not true or false")
    return value


def _sizes(value: object) -> tuple[Lamports, ...]:
    if not isinstance(value, list) or not value:
        raise UnitParseError(f'{value!r} is not a list of amounts; write ["1 SOL", "5 SOL"]')
    sizes = tuple(parse_lamports(item) for item in value)
    if list(sizes) != sorted(set(sizes)) or sizes[0] <= Lamports(0):
        raise UnitParseError(f"{value!r} must be positive and rising")
    return sizes


_REWARD = re.compile(r"^([1-9A-HJ-NP-Za-km-z]{32,44}):([0-9]{1,2}):\s*([0-9]{1,12}(?:\.[0-9]{1,18})?) SOL\s*:([^:]+)$")


def _reward(text: object) -> RewardToken:
    """``"<mint>:<decimals>:<SOL per whole token> SOL:<band>"``."""
    match = _REWARD.match(text) if isinstance(text, str) else None
    if match is None:
        raise UnitParseError(
            f'{text!r} is not a reward token; write "<mint address>:<decimals>:<worth of one token>:<band>", such as '
            '"jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL:9:0.0125 SOL:300 bps"'
        )
    address, decimals, price, band = match[1], int(match[2]), Fraction(Decimal(match[3])), parse_bps(match[4])
    reference = price * LAMPORTS_PER_SOL / 10**decimals
    try:
        mint = Mint(address, f"{address[:4]}..{address[-4:]}", decimals)
        return RewardToken(mint, Rate(reference.numerator, reference.denominator), band)
    except ValueError as error:
        raise UnitParseError(f"{text!r}: {error}") from error


def _rewards(value: object) -> tuple[RewardToken, ...]:
    if not isinstance(value, list):
        raise UnitParseError(f"{value!r} is not a list of reward tokens; write [] for none")
    rewards = tuple(_reward(item) for item in value)
    if len({reward.mint for reward in rewards}) < len(rewards):
        raise UnitParseError(f"{value!r} names a mint twice")
    return rewards


_PARSERS: Mapping[object, Callable[[object], object]] = {
    Lamports: parse_lamports,
    Bps: parse_bps,
    Duration: parse_duration,
    int: _whole,
    bool: _switch,
    str: _text,
    tuple[Lamports, ...]: _sizes,
    tuple[RewardToken, ...]: _rewards,
}


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest of ``known``, else the list of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"


def read_params(kind: type[P], table: Mapping[str, object], where: str) -> P:
    """Build the parameters from a configuration table.

    Each field's type says how its text is read (``Lamports``: "0.5 SOL", ``Bps``: "30 bps", ``Duration``: "7 days", int,
    bool, str, ``tuple[Lamports, ...]``: a list of amounts, ``tuple[RewardToken, ...]``: a list of
    "<mint>:<decimals>:<worth> SOL:<band>"). Raises ``ParameterError`` for an unknown key (with the nearest known
    one), a missing one, a value that does not parse, or one that the parameters' own checks refuse with ``ValueError``.
    """
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind.__name__} must be a frozen dataclass to be read from a configuration")
    hints = get_type_hints(kind)
    known = {field.name: field for field in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, raw in table.items():
        if key not in known:
            raise ParameterError(f"{where}.{key}", f"unknown key{suggestion(key, known)}")
        parser = _PARSERS.get(hints[key])
        if parser is None:
            raise TypeError(f"{kind.__name__}.{key} has type {hints[key]}, which no configuration text is read into")
        try:
            values[key] = parser(raw)
        except UnitParseError as error:
            raise ParameterError(f"{where}.{key}", str(error)) from error
    for name, field in known.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ParameterError(f"{where}.{name}", "missing, and it has no default")
    try:
        return kind(**values)
    except ValueError as error:
        raise ParameterError(where, str(error)) from error


def installed() -> dict[str, EntryPoint]:
    """The strategies that installed packages offer, by name. Of a name that is offered twice, one of them: see ``load``."""
    return {point.name: point for point in entry_points(group=GROUP)}


def load(name: str) -> Strategy[Any]:
    """The strategy that an installed package offers as ``name``.

    Raises ``StrategyNotFound`` where none does, where its module does not import, or where two packages offer different ones:
    a package that is installed beside the keeper must not silently take the place of a strategy that handles money. Raises
    ``TypeError`` for what is not a ``Strategy`` of that name (the name is a metric label and marks journal entries).
    """
    points = entry_points(group=GROUP).select(name=name)
    values = sorted({point.value for point in points})
    if not values:
        raise StrategyNotFound(f"no installed package offers the strategy {name!r}{suggestion(name, installed())}")
    if len(values) > 1:
        raise StrategyNotFound(
            f"{name!r} is offered more than once ({', '.join(values)}); uninstall or rename all but one"
        )
    (point, *_) = points
    try:
        found = point.load()
    except Exception as error:
        raise StrategyNotFound(f"{point.value} of {name!r} does not load: {type(error).__name__}: {error}") from error
    if not isinstance(found, Strategy):
        raise TypeError(f"entry point {name!r} of group {GROUP} is {found!r}, not a keeper.strategy.Strategy")
    if found.name != name:
        raise TypeError(f"entry point {name!r} of group {GROUP} is a strategy that calls itself {found.name!r}")
    return found


def configure(name: str, table: Mapping[str, object], where: str) -> Configured[Any]:
    """Find ``name`` and read its parameters. Raises as ``load`` and ``read_params``."""
    strategy = load(name)
    return Configured(strategy, read_params(strategy.params, table, where))
