"""Run the API; SIGTERM drains: readiness turns false, requests under way are finished."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from hunter.cli.service import require_servers, run_service
from hunter.config import Config
from hunter.web.app import run_api


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No argument: settings come from the environment."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Serve until told to stop."""
    config = Config.from_env(environ)
    require_servers(config, "serve")
    return run_service(lambda stop: run_api(config, stop=stop), config, "api")
