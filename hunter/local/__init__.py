"""Embedded servers for `make run`, `make demo` and the tests."""
