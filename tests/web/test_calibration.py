"""GET /calibration, and what a lead says of its confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hunter.knowledge.load import load_knowledge
from tests.web.conftest import Client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from hunter.core.judgement import Judgement

URL = "/api/v1/calibration"


async def test_the_table_of_a_calibrated_market_has_bins_with_counts(client: Client) -> None:
    found: dict[str, Any] = await (await client.get(URL)).json()

    (at,) = [each for each in found["markets"] if each["market"] == "at"]
    assert at["basis"].startswith("calibrated on ")
    assert at["labels"] == at["metrics"]["n"] == sum(each["n"] for each in at["bins"])
    assert len(at["bins"]) == 10
    assert found["version"] == load_knowledge().calibration.version
    assert found["licence"] == "MIT"
    assert set(found["intervals"]) == {"brier", "log_loss", "ece", "precision_top"}
    assert found["other_markets"] == "uncalibrated, from public corpus AT"


async def test_a_market_without_labels_says_uncalibrated(client: Client) -> None:
    found = await (await client.get(URL, params={"market": "tr"})).json()

    (tr,) = found["markets"]
    assert tr["basis"] == "uncalibrated, from public corpus AT; 0 labels of market tr"
    assert (tr["labels"], tr["metrics"], tr["bins"]) == (0, None, [])


async def test_a_market_that_is_none_is_refused(client: Client) -> None:
    answer = await client.get(URL, params={"market": "Türkiye"})

    assert answer.status == 422


async def test_a_lead_says_what_its_confidence_rests_on(
    client: Client, add_lead: Callable[..., Awaitable[Judgement]]
) -> None:
    await add_lead("firma.com.tr")
    await add_lead("gemeinde.at")

    for path in ("firma.com.tr", "firma.com.tr/score-breakdown"):
        found = await (await client.get(f"/api/v1/leads/{path}")).json()
        assert found["confidence_basis"].startswith("uncalibrated, from public corpus AT")
    found = await (await client.get("/api/v1/leads/gemeinde.at")).json()
    assert found["confidence_basis"].startswith("calibrated on ")
