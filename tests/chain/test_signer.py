"""A keypair file that cannot be used says what is wrong and what to do, and never shows the key."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from solders.keypair import Keypair

from keeper.chain import KeypairFile, KeypairSigner, SignerError

KEYPAIR = Keypair.from_seed(bytes(range(32)))
NUMBERS = list(bytes(KEYPAIR))


def write(path: Path, content: object, mode: int = 0o600) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


async def test_signs_with_the_key_of_the_file(tmp_path: Path) -> None:
    signer = KeypairFile.load(write(tmp_path / "id.json", NUMBERS))
    assert signer.pubkey == KEYPAIR.pubkey()
    signature = await signer.sign(b"message")
    assert signature.verify(KEYPAIR.pubkey(), b"message")
    assert not signature.verify(KEYPAIR.pubkey(), b"other")


def test_the_secret_does_not_show_and_does_not_travel() -> None:
    signer = KeypairSigner(KEYPAIR)
    assert repr(signer) == f"KeypairSigner({KEYPAIR.pubkey()})"
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(signer)


@pytest.mark.parametrize(
    "content",
    [
        *("", "not json", "{}", "[1, 2, 3]", "[" * 3000, " " * 5000, json.dumps(str(KEYPAIR))),
        *(
            json.dumps(numbers)
            for numbers in ([256, *NUMBERS[1:]], [True, *NUMBERS[1:]], [1.0, *NUMBERS[1:]], [*NUMBERS, 1])
        ),
    ],
)
def test_not_a_keypair(tmp_path: Path, content: str) -> None:
    file = write(tmp_path / "id.json", content)
    with pytest.raises(SignerError, match="not a JSON list of 64 numbers") as caught:
        KeypairFile.load(file)
    assert str(file) in str(caught.value)
    assert str(NUMBERS[1:5])[1:-1] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_halves_that_do_not_belong_together(tmp_path: Path) -> None:
    other = list(bytes(Keypair.from_seed(bytes(32)).pubkey()))
    with pytest.raises(SignerError, match="damaged or edited") as caught:
        KeypairFile.load(write(tmp_path / "id.json", NUMBERS[:32] + other))
    assert str(KEYPAIR.pubkey()) in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o602, 0o610])
def test_a_key_that_others_can_reach_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path / "id.json", NUMBERS, mode)
    with pytest.raises(SignerError, match=rf"mode {mode:04o}\); close it with: chmod 600 {file}"):
        KeypairFile.load(file)


def test_group_read_only_where_it_was_allowed(tmp_path: Path) -> None:
    assert (
        KeypairFile.load(write(tmp_path / "id.json", NUMBERS, 0o440), allow_group_read=True).pubkey == KEYPAIR.pubkey()
    )
    for mode in (0o444, 0o460, 0o450):
        with pytest.raises(SignerError, match="chmod 600"):
            KeypairFile.load(write(tmp_path / f"{mode}.json", NUMBERS, mode), allow_group_read=True)


def test_missing_and_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(SignerError, match="does not exist; create it with: solana-keygen new -o"):
        KeypairFile.load(tmp_path / "none.json")
    with pytest.raises(SignerError, match="not a regular file"):
        KeypairFile.load(tmp_path)
    with pytest.raises(SignerError, match="cannot be looked at"):
        KeypairFile.load(write(tmp_path / "id.json", NUMBERS) / "below")
