"""Run a worker; SIGTERM drains: work under way is finished or handed back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from hunter.cli.service import require_servers, run_service
from hunter.config import Config
from hunter.worker.app import run_worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No argument: settings come from the environment."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Work until told to stop."""
    config = Config.from_env(environ)
    require_servers(config, "work")
    return run_service(lambda stop: run_worker(config, stop=stop), config, "worker")
