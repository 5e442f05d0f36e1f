"""What stands around the chain: the journal, the DEX, the websocket. Examined by ``keeper doctor`` alone: beside a keeper that
runs they have metrics of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from keeper.chain.stream import ChainEvent, ChainStream, SlotAdvanced
from keeper.doctor.finding import Finding, Status
from keeper.journal.inspection import inspect
from keeper.journal.records import JournalError
from keeper.units import SOL, SSOL, Bps, TokenAmount
from keeper.venues.door import DexVenue, VenueError

PROBE = TokenAmount(SOL, 10**9)
VENUE_SECONDS = 20.0
STREAM_SECONDS = 15.0


async def journal(url: str) -> Finding:
    """Whether the journal can be read and is one that this keeper may use."""
    try:
        found = await inspect(url)
    except JournalError as error:
        remedy = "follow the message, or correct journal.url"
        return Finding("journal", Status.FAIL, str(error), remedy, blocks=True)
    if found.schema is None:
        return Finding("journal", Status.PASS, f"{found.place} does not exist yet: the first start makes it")
    if not found.known:
        remedy = "run the keeper that migrated it, or a newer one"
        text = f"{found.place} is at schema {found.schema}, this keeper knows up to {found.newest}"
        return Finding("journal", Status.FAIL, text, remedy, blocks=True)
    later = "" if found.current else f"; the next start brings it to {found.newest}"
    return Finding("journal", Status.PASS, f"{found.place} is at schema {found.schema}{later}")


async def venues(asked: Sequence[DexVenue], slippage: Bps) -> AsyncIterator[Finding]:
    """Whether each DEX venue quotes one SOL in sSOL."""
    for venue in asked:
        name = f"venue:{venue.name}"
        remedy = f"check [venues.{venue.name.replace('-', '_')}] (base_url, api_key_file) and the venue's own state"
        try:
            async with asyncio.timeout(VENUE_SECONDS):
                quote = await venue.quote(PROBE, SSOL, slippage=slippage)
        except TimeoutError:
            yield Finding(name, Status.FAIL, f"no quote in {VENUE_SECONDS:.0f} s", remedy)
        except VenueError as error:
            yield Finding(name, Status.FAIL, f"{type(error).__name__}: {error}", remedy)
        else:
            yield Finding(name, Status.PASS, f"{quote.sell} brings {quote.receive}")


async def websocket(url: str, *, seconds: float = STREAM_SECONDS) -> Finding:
    """Whether slots are heard. Of the URL only the host is named: providers put their keys into the rest."""
    heard = asyncio.Event()

    def listen(event: ChainEvent) -> None:
        if isinstance(event, SlotAdvanced):
            heard.set()

    host = urlsplit(url).hostname or "the websocket"
    listening = asyncio.create_task(ChainStream(url, (), on_event=listen).run())
    try:
        async with asyncio.timeout(seconds):
            await heard.wait()
    except TimeoutError:
        remedy = "check cluster.websocket; without it the keeper only looks every engine.max_interval"
        return Finding("websocket", Status.FAIL, f"{host} told of no slot in {seconds:.0f} s", remedy)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return Finding("websocket", Status.PASS, f"{host} tells of slots")
