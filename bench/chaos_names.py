"""What the chaos run asks about: generated companies, and names below wildcards when more are wanted."""

from __future__ import annotations

import random
from typing import Final

from hunter.local.zones import generate, zone_text

#: above this the zone would fill the name server's memory
MOST_COMPANIES: Final = 20_000
_POOLS: Final = (
    ("pool-a", "10 pool-a-example.mail.protection.outlook.com.", "v=spf1 include:spf.protection.outlook.com -all"),
    ("pool-b", "1 smtp.google.com.", "v=spf1 include:_spf.google.com ~all"),
    ("pool-c", "10 mx.yandex.net.", "v=spf1 include:_spf.yandex.net ~all"),
    ("pool-d", "10 mail.pool-d.example.", "v=spf1 mx -all"),
)  # fmt: skip


def names_and_zone(count: int, seed: int) -> tuple[list[str], str]:
    """`count` different names in random order, and the zone text that answers for them."""
    companies = list(generate(min(count, MOST_COMPANIES)))
    names = [company.domain for company in companies]
    names += [
        f"n{number}.{_POOLS[number % len(_POOLS)][0]}.example"
        for number in range(count - len(companies))
    ]
    random.Random(seed).shuffle(names)
    pools = [
        f'*.{pool}.example. MX {mx}\n*.{pool}.example. TXT "{spf}"\n' for pool, mx, spf in _POOLS
    ]
    return names, zone_text(companies) + "\n" + "".join(pools)
