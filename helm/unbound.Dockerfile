# unbound for the worker pods of helm/hunter (unbound.enabled), from Debian's package:
#   docker build -f helm/unbound.Dockerfile -t registry.example/unbound:1.17.1 helm
# The chart brings the configuration and says how to start, stop and probe it.
FROM debian:bookworm-slim

# Debian patches 1.17.1 within the release; a pinned patch level would soon be gone from the mirrors
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends unbound \
    && rm -rf /var/lib/apt/lists/*

USER 10001:10001
EXPOSE 5353/udp 5353/tcp
CMD ["unbound", "-d", "-c", "/etc/unbound/unbound.conf"]
