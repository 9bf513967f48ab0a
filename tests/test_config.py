"""Settings: every field from the environment, every bad value named at once."""

from __future__ import annotations

import pytest

from hunter.config import Config, Secret, parse_server
from hunter.core.errors import Misconfigured


def _problems(**environ: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        Config.from_env(environ)
    return str(caught.value).splitlines()


def test_an_empty_environment_gives_a_working_development_configuration() -> None:
    config = Config.from_env({"PATH": "/bin"})

    assert config == Config()
    assert config.environment == "development"


def test_every_setting_can_be_read_back_from_its_shown_default() -> None:
    environ = {
        name: default
        for name, _, default, _ in Config().table()
        if default != "(not set)" and not default.endswith("***")
    }

    assert Config.from_env(environ) == Config()


def test_all_bad_values_are_reported_together_with_the_fix() -> None:
    problems = _problems(
        HUNTER_PORT="eighty",
        HUNTER_ENVIRONMENT="prod",
        HUNTER_LEASE_S="-1",
        HUNTER_ALLOW_TEST_NAMES="perhaps",
        HUNTER_DNS_SERVERS="ns.example.com",
    )

    assert problems == [
        "HUNTER_ALLOW_TEST_NAMES='perhaps': wants true or false",
        "HUNTER_DNS_SERVERS='ns.example.com': 'ns.example.com' is not an IP address, address:port or [address]:port",
        "HUNTER_ENVIRONMENT='prod': wants one of: development, production",
        "HUNTER_LEASE_S='-1': wants a number of seconds from 1 to 600",
        "HUNTER_PORT='eighty': wants a whole number from 1 to 65535",
    ]


def test_a_misspelt_setting_is_answered_with_the_nearest_real_one() -> None:
    assert _problems(HUNTER_DATABASE_ULR="x") == [
        "HUNTER_DATABASE_ULR: no such setting; did you mean HUNTER_DATABASE_URL?"
    ]
    assert _problems(HUNTER_ZZZZZZ="x") == [
        "HUNTER_ZZZZZZ: no such setting; `hunter config` lists all settings"
    ]


def test_a_secret_is_never_shown() -> None:
    config = Config(database_url=Secret("postgresql://u:hush@h/d"), admin_key=Secret("hush"))
    problems = _problems(HUNTER_DATABASE_URL="mysql://u:hush@h/d")

    assert "hush" not in repr(config)
    assert "hush" not in str(config.table())
    assert problems == [
        "HUNTER_DATABASE_URL=***: wants a URL starting postgresql:// or postgres://"
    ]


def test_production_refuses_what_is_unsafe() -> None:
    assert _problems(HUNTER_ENVIRONMENT="production") == [
        "HUNTER_ADMIN_KEY: production needs it",
        "HUNTER_KEY_PEPPER: production needs it",
        "HUNTER_DATABASE_URL: production needs it",
        "HUNTER_REDIS_URL: production needs it",
    ]
    unsafe = _problems(
        HUNTER_ENVIRONMENT="production",
        HUNTER_ADMIN_KEY="short",
        HUNTER_KEY_PEPPER="short",
        HUNTER_TRUSTED_PROXIES="::/0",
        HUNTER_CRASH="claim.taken:1",
        HUNTER_DATABASE_URL="postgresql://h/d",
        HUNTER_REDIS_URL="redis://h",
        HUNTER_ALLOW_TEST_NAMES="true",
        HUNTER_OUTBOUND_LOOPBACK="true",
        HUNTER_LOG_LEVEL="debug",
    )
    assert unsafe == [
        "HUNTER_ADMIN_KEY: production wants at least 24 characters",
        "HUNTER_KEY_PEPPER: production wants at least 32 characters",
        "HUNTER_KEY_PEPPER: must differ from HUNTER_ADMIN_KEY",
        "HUNTER_TRUSTED_PROXIES: trusts everybody; name the networks of your proxies",
        "HUNTER_ALLOW_TEST_NAMES: not in production",
        "HUNTER_OUTBOUND_LOOPBACK: not in production",
        "HUNTER_CRASH: not in production",
        "HUNTER_LOG_LEVEL=debug: not in production; use info",
    ]


def test_a_value_that_cannot_be_read_hides_no_other_fault() -> None:
    assert _problems(
        HUNTER_ENVIRONMENT="production", HUNTER_PORT="x", HUNTER_REDIS_URL="http://h"
    ) == [
        "HUNTER_PORT='x': wants a whole number from 1 to 65535",
        "HUNTER_REDIS_URL=***: wants a URL starting redis:// or rediss:// or unix://",
        "HUNTER_ADMIN_KEY: production needs it",
        "HUNTER_KEY_PEPPER: production needs it",
        "HUNTER_DATABASE_URL: production needs it",
    ]


@pytest.mark.parametrize("text", ["10.0.0.0/99", "proxy.example", "10.0.0.1 10.0.0.2"])
def test_a_trusted_proxy_is_a_network(text: str) -> None:
    (problem,) = _problems(HUNTER_TRUSTED_PROXIES=text)

    assert problem.startswith("HUNTER_TRUSTED_PROXIES=")
    given = {"HUNTER_TRUSTED_PROXIES": "10.0.0.1, fd00::/8"}
    assert Config.from_env(given).trusted_proxies == ("10.0.0.1/32", "fd00::/8")


def test_an_open_api_may_listen_on_loopback_only() -> None:
    assert _problems(HUNTER_HOST="0.0.0.0") == [
        "HUNTER_HOST=0.0.0.0: an open API may listen on loopback only; set HUNTER_ADMIN_KEY"
    ]
    assert Config.from_env({"HUNTER_HOST": "0.0.0.0", "HUNTER_ADMIN_KEY": "k"}).host == "0.0.0.0"


def test_three_heartbeats_must_fit_into_a_lease() -> None:
    assert _problems(HUNTER_HEARTBEAT_S="10") == [
        "HUNTER_HEARTBEAT_S=10: three beats must fit into HUNTER_LEASE_S=20"
    ]


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:DB8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_a_name_server_is_an_address_with_an_optional_port(
    text: str, server: tuple[str, int]
) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    "text", ["", "localhost", "192.0.2.1:0", "192.0.2.1:99999", "[::1", "[::1]x", "1.2.3"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|wants"):
        parse_server(text)


def test_a_crash_point_is_checked_and_refused_in_production() -> None:
    (unknown,) = _problems(HUNTER_CRASH="commit.lunch:1")
    (number,) = _problems(HUNTER_CRASH="commit.written:0")
    refused = _problems(HUNTER_CRASH="commit.written:2", HUNTER_ENVIRONMENT="production")

    assert "no such point; it knows accept.opened, " in unknown
    assert "wants point:n with n from 1" in number
    assert "HUNTER_CRASH: not in production" in refused


@pytest.mark.parametrize(
    "url", ["relay", "http://relay", "smtp://", "smtp://relay:0", "smtp://relay:99999"]
)
def test_a_relay_without_scheme_host_or_port_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Config.from_env({"HUNTER_SMTP_URL": url, "HUNTER_SMTP_FROM": "hunter@example.com"})

    assert "HUNTER_SMTP_URL=***" in str(refused.value)


def test_mail_needs_a_sender_and_production_needs_tls() -> None:
    with pytest.raises(Misconfigured, match="HUNTER_SMTP_FROM"):
        Config.from_env({"HUNTER_SMTP_URL": "smtps://relay"})
    plain = Config(
        environment="production", smtp_url=Secret("smtp+plain://relay"), smtp_from="a@b.example"
    )
    assert any("HUNTER_SMTP_URL" in each for each in plain.faults())


@pytest.mark.parametrize(("set_", "delay_s"), [({}, 5.0), ({"HUNTER_DRAIN_DELAY_S": "0"}, 0.0)])
def test_production_waits_for_load_balancers_unless_told_otherwise(
    set_: dict[str, str], delay_s: float
) -> None:
    needed = {
        "HUNTER_ENVIRONMENT": "production",
        "HUNTER_DATABASE_URL": "postgresql://h/d",
        "HUNTER_REDIS_URL": "redis://h",
        "HUNTER_ADMIN_KEY": "k" * 24,
        "HUNTER_KEY_PEPPER": "p" * 32,
    }

    assert Config.from_env(needed | set_).drain_delay_s == delay_s
    assert Config.from_env({}).drain_delay_s == 0.0
