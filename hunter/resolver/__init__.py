"""The DNS engine (one question) and the survey (one domain)."""

from hunter.resolver.variant import search_path

__path__ = search_path(__path__)
