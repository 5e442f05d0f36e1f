"""Logs are single lines of JSON with their context, from our code and from libraries alike, without secrets."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from keeper.telemetry import bind, configure_logs
from keeper.telemetry.logs import LogSettingsError
from keeper.telemetry.secrecy import REDACTED, Redactor
from keeper.units import Lamports, Slot


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield io.StringIO()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_units_as_integers(stream: io.StringIO) -> None:
    configure_logs("json", stream=stream)
    structlog.get_logger("keeper.test").info("landed", fee=Lamports(5_000), ratio=0.5)
    (line,) = lines(stream)
    assert line["event"] == "landed"
    assert line["fee"] == 5_000
    assert line["level"] == "info"
    assert line["logger"] == "keeper.test"
    assert line["time"].endswith("Z")


def test_the_standard_library_goes_the_same_way(stream: io.StringIO) -> None:
    configure_logs("json", stream=stream)
    logging.getLogger("sqlalchemy").warning("pool %s", "empty", extra={"size": 3})
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["size"]) == ("pool empty", "sqlalchemy", 3)


async def test_bound_fields_follow_into_tasks_and_end_with_the_context(stream: io.StringIO) -> None:
    configure_logs("json", stream=stream)
    log = structlog.get_logger()

    async def work() -> None:
        log.info("inside")

    with bind(strategy="arbitrage", slot=Slot(9)):
        await asyncio.create_task(work())
    log.info("outside")
    inside, outside = lines(stream)
    assert (inside["strategy"], inside["slot"]) == ("arbitrage", 9)
    assert "strategy" not in outside


def test_configuring_twice_does_not_write_twice_and_the_level_holds(stream: io.StringIO) -> None:
    configure_logs("json", "debug", stream=stream)
    configure_logs("json", "warning", stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("library").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_a_traceback_shows_no_local_variable_and_no_secret(stream: io.StringIO) -> None:
    configure_logs("json", stream=stream, secrets=["hunter2-hunter2"])

    def fails() -> None:
        local_key = "never-show-" + "this"
        raise ValueError(f"bad header hunter2-hunter2, {len(local_key)}")

    try:
        fails()
    except ValueError:
        structlog.get_logger().exception("request_failed")
    (line,) = lines(stream)
    assert "ValueError: bad header [redacted]" in line["exception"]
    assert "never-show-this" not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_known_and_named_and_shaped_secrets_never_appear(stream: io.StringIO, style: Any) -> None:
    configure_logs(style, stream=stream, secrets=["s3cr3t-value"])
    log = structlog.get_logger()
    log.info("using s3cr3t-value", api_key="AAAAAA", nested={"private_key": "BBBBBB", "list": ["s3cr3t-value"]})
    log.info("get %s", "https://user:CCCCCC@rpc.example/x?api-key=DDDDDD&x=1")
    log.info("wss", url="wss://solana.example/0123456789abcdef0123456789abcdef/")
    log.info("key", keypair_file="/run/secrets/id.json", bytes=list(range(64)), raw=bytes(range(64)))
    log.info("loaded " + json.dumps(list(range(64))))
    logging.getLogger("httpx2").warning("HTTP Request: GET %s", "https://h.example/?token=EEEEEE")
    text = stream.getvalue()
    for secret in ("s3cr3t", "AAAAAA", "BBBBBB", "CCCCCC", "DDDDDD", "0123456789abcdef", "EEEEEE", "61, 62", "x3e?"):
        assert secret not in text, secret
    assert REDACTED in text


def test_what_an_operator_needs_is_not_redacted() -> None:
    redactor = Redactor()
    for text in (
        "signature 5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW landed",
        "http://127.0.0.1:8899/swap/v2/build?inputMint=So11111111111111111111111111111111111111112&amount=5",
        "[1, 2, 3]",
    ):
        assert redactor.text(text) == text
    assert redactor.event({"keypair_file": "/run/id.json"}) == {"keypair_file": "/run/id.json"}
    assert redactor.value({"slot": 5, "token": "glowSOL", "none": None}) == {
        "slot": 5,
        "token": "glowSOL",
        "none": None,
    }


def test_wrong_settings_say_what_would_do(stream: io.StringIO) -> None:
    with pytest.raises(LogSettingsError, match="use debug, info"):
        configure_logs("json", "loud", stream=stream)
    with pytest.raises(LogSettingsError, match="use json or console"):
        configure_logs("yaml", stream=stream)  # type: ignore[arg-type]  # the check behind the type
