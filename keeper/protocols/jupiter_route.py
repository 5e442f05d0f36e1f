"""Length of a Jupiter route plan, step by step.

A step is a variant of the program's ``Swap`` enum (one tag byte and the variant's Borsh fields), then percent u8, input
index u8, output index u8. Field widths are those of the program's published IDL, tags 0 to 160 as of August 2026; sources
disagree about later ones, so those are refused like any that come after.
"""

from __future__ import annotations

from keeper.protocols.layout import Reader

LAST_KNOWN_TAG = 160
_ONE_BYTE = """
8 12 15 16 17 18 21 23 24 27 28 39 58 60 61 64 85 89 94 95 104 106 107 110 116 117 119
121 125 127 129 132 136 141 145 151 152 153 160
"""
_WIDTHS = dict.fromkeys(map(int, _ONE_BYTE.split()), 1)
_WIDTHS |= dict.fromkeys((71, 86, 155), 2) | dict.fromkeys((42,), 3) | dict.fromkeys((33, 41), 4)
_WIDTHS |= dict.fromkeys((44, 45), 5) | dict.fromkeys((81, 82, 159), 8) | dict.fromkeys((87, 118, 157), 9)
_WIDTHS |= dict.fromkeys((43, 135), 10) | dict.fromkeys((29, 122), 16) | {126: 17, 123: 48}
_CANDIDATE_WIDTHS = (9, 1, 9)
_WHIRLPOOL_V2, _METEORA_DLMM_V2, _DEFI_TUNA, _DYNAMIC_V1, _RFQ_V2, _DYNAMIC_V2 = 47, 75, 103, 111, 120, 146
_STEP_TAIL = 3


def skip_route_plan(read: Reader) -> int:
    """Move ``read`` past a route plan and return its number of steps. Raises ``LayoutError`` for an unknown variant."""
    steps = read.count("route_plan")
    for step in range(steps):
        field = f"route_plan[{step}]"
        _skip_variant(read, field)
        read.raw(_STEP_TAIL, field)
    return steps


def _skip_slices(read: Reader, field: str) -> None:
    """RemainingAccountsInfo: a vector of (type u8, length u8)."""
    read.raw(2 * read.count(field), field)


def _skip_variant(read: Reader, field: str) -> None:
    tag = read.u8(f"{field}.swap")
    if tag > LAST_KNOWN_TAG or tag == _DYNAMIC_V2:
        raise read.fail(
            f"{field}.swap", "a swap variant known here (ask Jupiter for instructionVersion=V2)", f"variant {tag}"
        )
    if tag in (_WHIRLPOOL_V2, _DEFI_TUNA):
        read.boolean(field)
        if read.boolean(field):
            _skip_slices(read, field)
    elif tag == _METEORA_DLMM_V2:
        _skip_slices(read, field)
    elif tag == _DYNAMIC_V1:
        for _ in range(read.count(field)):
            candidate = read.u8(field)
            if candidate >= len(_CANDIDATE_WIDTHS):
                raise read.fail(field, "a candidate swap known here", f"variant {candidate}")
            read.raw(_CANDIDATE_WIDTHS[candidate], field)
        read.option(field, read.u8)
    elif tag == _RFQ_V2:
        read.u8(field)
        read.raw(read.count(field), field)
    else:
        read.raw(_WIDTHS.get(tag, 0), field)
