"""Inputs put to a target without a fuzzer, on the engine as it is: compiled or interpreted.

`python -m tests.fuzz.replay TARGET FILE…` puts a finding again.
`python -m tests.fuzz.replay --mutations 20000 --seed 1 --folder .local/fuzz` puts every starting
point to every target, then changes recorded answers at random and puts them to the decoder.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from pathlib import Path

from tests.fuzz.targets import TARGETS, recorded_messages, seeds_of

#: bytes that mean much to a decoder: pointers, lengths, counts
_TELLING = (0x00, 0x01, 0x3F, 0x40, 0xC0, 0xC0, 0x0C, 0x7F, 0x80, 0xFF)
_HEADER_BYTES = 12


def mutate(chance: random.Random, messages: list[bytes]) -> bytes:
    """One message with up to six changes: bytes, cuts, repeats and parts of another message."""
    data = bytearray(chance.choice(messages))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(min(_HEADER_BYTES, len(data)), len(data) + 1)
        end = min(len(data), at + chance.randint(1, 12))
        match chance.randrange(7):
            case 0 | 1:
                data[at:end] = bytes([chance.choice(_TELLING)])
            case 2:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                del data[at:end]
            case 4:
                data[at:at] = data[at:end]
            case 5:
                other = chance.choice(messages)
                start = chance.randrange(len(other))
                data[at:] = other[start:]
            case _:
                # the number of records in a section
                data[7 + 2 * chance.randrange(3)] = chance.randrange(6)
        if len(data) <= _HEADER_BYTES:
            data = bytearray(chance.choice(messages))
    return bytes(data)


def put_mutations(count: int, seed: int, folder: Path) -> None:
    """Put changed messages to the decoder; what breaks it is saved, and raised."""
    chance = random.Random(seed)
    messages = recorded_messages()
    folder.mkdir(parents=True, exist_ok=True)
    current = folder / "compiled-current"
    # written first: compiled code may end the process
    with current.open("wb", buffering=0) as file:
        for _ in range(count):
            data = mutate(chance, messages)
            file.seek(0)
            file.truncate()
            file.write(data)
            try:
                TARGETS["decoder"].check(data)
            except BaseException:
                found = folder / f"compiled-{hashlib.sha256(data).hexdigest()[:16]}"
                current.rename(found)
                print(f"Test unit written to {found}", flush=True)
                raise
    current.unlink()


def main() -> None:
    """Read the command line; an input that breaks a rule ends it with a traceback."""
    parser = argparse.ArgumentParser(description="Put inputs to a fuzz target without a fuzzer.")
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--mutations", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".local/fuzz"))
    chosen = parser.parse_args()
    if chosen.target:
        for path in chosen.files:
            TARGETS[chosen.target].check(path.read_bytes())
            print(f"{path}: keeps the rules")
        return
    seeds = [(name, seed) for name in TARGETS for seed in seeds_of(name)]
    for name, seed in seeds:
        TARGETS[name].check(seed)
    put_mutations(chosen.mutations, chosen.seed, chosen.folder / "decoder")
    print(f"stat::number_of_executed_units: {len(seeds) + chosen.mutations}")


if __name__ == "__main__":
    main()
