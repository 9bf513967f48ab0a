# syntax=docker/dockerfile:1
# One image for API, worker, migrations and the command line: docker run hunter <command>
# `make image-recipe` walks these steps in a clean folder, where there is no Docker.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# the DNS engine is compiled from its Python source.
# Debian patches within the release; a pinned patch level would soon be gone from the mirrors
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.lock ./
# wheels by their hashes; the one package that has none is pure Python
RUN python -m venv /opt/hunter \
 && /opt/hunter/bin/pip install --only-binary :all: --no-binary quantile-python --require-hashes -r requirements.lock
COPY setup.cfg pyproject.toml README.md ./
COPY migrations ./migrations
COPY hunter ./hunter
RUN /opt/hunter/bin/python -m hunter.local.compile \
 && /opt/hunter/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /app/wheels . \
 && /opt/hunter/bin/pip install --no-deps --no-index /app/wheels/*.whl \
 && /opt/hunter/bin/python -m compileall -q /opt/hunter/lib \
 && /opt/hunter/bin/pip check
# not beside the source: what is looked at is what was installed
WORKDIR /opt/hunter
RUN /opt/hunter/bin/python -c "from hunter.resolver.variant import is_built; raise SystemExit(not is_built())"

FROM python:3.11-slim-bookworm
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hunter" \
      org.opencontainers.image.description="Lead intelligence from DNS" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin hunter
COPY --from=build /opt/hunter /opt/hunter
# nothing below is written to: the container runs with a read-only root and a /tmp
ENV PATH=/opt/hunter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HUNTER_DATA_DIR=/tmp/hunter
WORKDIR /opt/hunter
USER 10001:10001
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz/live', timeout=4)"]
ENTRYPOINT ["hunter"]
CMD ["serve"]
