"""Reward tokens in the configuration: read exactly, refused with the remedy; and the band they are believed in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.strategy import ParameterError, read_params
from keeper.tactics.income import RewardToken
from keeper.units import SOL, Bps, Mint, Rate, TokenAmount
from keeper.view import Rung

JTO = "jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL"
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"


@dataclass(frozen=True)
class Params:
    rewards: tuple[RewardToken, ...] = ()


def read(*texts: object) -> tuple[RewardToken, ...]:
    return read_params(Params, {"rewards": list(texts)}, "strategies.mine").rewards


def test_mint_decimals_price_and_band_are_read_exactly() -> None:
    jto, bonk = read(f"{JTO}:9:0.0125 SOL:300 bps", f"{BONK}:5: 0.000000123 SOL : 5 %")
    assert jto == RewardToken(Mint(JTO, "", 9), Rate(125, 10_000), Bps(300))
    assert jto.mint.decimals == 9
    assert (bonk.reference, bonk.band) == (Rate(123, 10**5), Bps(500))  # 123 lamports for 100 000 base units
    assert str(jto.mint) == "jtoj..9mCL"
    assert read() == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("JTO", "write"),
        (f"{JTO}:9:0.0125:300 bps", "write"),
        (f"{JTO}:9:0.0125 SOL", "write"),
        (f"{JTO}:9:-1 SOL:300 bps", "write"),
        (f"{JTO}:9:1e3 SOL:300 bps", "write"),
        ("0OIl:9:1 SOL:300 bps", "write"),
        (f"{JTO}:9:0.0125 SOL:300", "300"),
        (f"{JTO}:9:0 SOL:300 bps", "above 0"),
        (f"{JTO}:9:1 SOL:0 bps", "1..9999"),
        (f"{JTO}:9:1 SOL:100 %", "1..9999"),
        (42, "not a reward token"),
    ],
)
def test_a_wrong_text_names_what_would_do(text: object, said: str) -> None:
    with pytest.raises(ParameterError, match=r"strategies\.mine\.rewards") as caught:
        read(text)
    assert said in str(caught.value)


def test_a_token_is_named_once_and_the_list_is_a_list() -> None:
    with pytest.raises(ParameterError, match="twice"):
        read(f"{JTO}:9:1 SOL:300 bps", f"{JTO}:9:2 SOL:300 bps")
    with pytest.raises(ParameterError, match="not a list"):
        read_params(Params, {"rewards": f"{JTO}:9:1 SOL:300 bps"}, "strategies.mine")


@given(
    price=st.builds(Rate, st.integers(1, 10**9), st.integers(1, 10**9)),
    band=st.integers(1, 9_999),
    sold=st.integers(1, 10**15),
    least=st.integers(0, 10**15),
    more=st.integers(0, 10**15),
)
def test_a_quote_is_believed_exactly_inside_the_band(price: Rate, band: int, sold: int, least: int, more: int) -> None:
    mint = Mint(JTO, "JTO", 9)
    rung = Rung(TokenAmount(mint, sold), TokenAmount(SOL, least + more), TokenAmount(SOL, least), "jupiter")
    fair, share = price.fraction() * sold, Fraction(band, 10_000)
    inside = fair * (1 - share) <= least and least + more <= fair * (1 + share)
    assert RewardToken(mint, price, Bps(band)).believes(rung) == inside
