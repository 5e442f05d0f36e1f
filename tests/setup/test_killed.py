"""Killed anywhere and started again: nothing is paid twice, nothing is forgotten, and the sum is what was shown at first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from keeper.engine.accounting import account
from keeper.engine.leadership import Lease
from keeper.journal.journal import Journal
from tests.setup.conftest import Operator


class Killed(BaseException):
    """kill -9 at this line: nothing below it runs."""


def kill_at(patch: pytest.MonkeyPatch, method: str, *, before: bool, times: int) -> None:
    """Let the process die at the first call of ``method`` in each of the next ``times`` runs."""
    real: Callable[..., Awaitable[Any]] = getattr(Journal, method)
    left = times

    async def deadly(self: Journal, *given: Any, **named: Any) -> Any:
        nonlocal left
        if left and before:
            left -= 1
            raise Killed(method)
        answer = await real(self, *given, **named)
        if left:
            left -= 1
            raise Killed(method)
        return answer

    async def kept(_: Lease) -> None:
        """The dead release nothing."""

    patch.setattr(Journal, method, deadly)
    patch.setattr(Lease, "give_up", kept)


@pytest.mark.parametrize(
    ("method", "before", "times"),
    [
        ("record_table", False, 1),  # the table is written down, and no transaction will ever create it
        ("record_intent", False, 2),
        ("record_attempt", False, 9),  # signed and durable, never sent
        ("resolve", True, 9),  # landed, and nobody has written that down
        ("resolve", False, 9),  # between any two transactions
        ("open_ledger", False, 1),
        ("forget_table", False, 1),
    ],
)
async def test_it_goes_on_where_it_was_killed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, method: str, before: bool, times: int
) -> None:
    start = operator.lamports()
    with monkeypatch.context() as patch:
        if method == "forget_table":
            kill_at(patch, "record_table", before=False, times=1)
            with pytest.raises(Killed):
                await operator.run()
        kill_at(patch, method, before=before, times=times)
        runs = 0
        for _ in range(12):
            runs += 1
            try:
                await operator.run()
            except Killed:
                continue
            break
    assert 1 < runs < 12
    shown = operator.asked[0]
    assert operator.lamports() - start == shown.change.value
    assert operator.transactions() == len(shown.bundles)
    assert len(await operator.tables()) == 1
    assert (await operator.run()).landed == ()
    assert (await account(operator.loaded(), accept=False, edges=operator.stage.edges)).differences == ()
    async with await operator.journal() as journal:
        assert await journal.unresolved() == ()


async def test_bytes_that_never_landed_are_proven_dead_and_made_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the first send, and away so long that the blockhash is dead: recovery says so, and setup begins again."""
    start = operator.lamports()
    with monkeypatch.context() as patch:
        kill_at(patch, "record_attempt", before=False, times=1)
        with pytest.raises(Killed):
            await operator.run()
    operator.stage.net.bank.advance_slot(400)
    operator.said.clear()
    await operator.run()
    async with await operator.journal() as journal:
        states = [one.state.value for one in await journal.attempts()]
    assert states == ["expired", *["landed"] * len(operator.asked[0].bundles)]
    assert operator.lamports() - start == operator.asked[0].change.value


async def test_an_epoch_that_is_over_signs_nothing_more(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper that takes over in the middle fences the setup out before its next write."""
    real, calls = Journal.record_intent, 0

    async def overtaken(self: Journal, *given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            operator.take_over()
        await real(self, *given)

    monkeypatch.setattr(Journal, "record_intent", overtaken)
    with pytest.raises(Exception, match="keeper-1"):
        await operator.run()
    assert operator.transactions() == 1
