# syntax=docker/dockerfile:1
# One image for API, worker, migrations and the command line: docker run hunter <command>

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# the DNS engine is compiled from its Python source
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /opt/hunter \
 && /opt/hunter/bin/pip install --require-hashes -r requirements.lock
COPY setup.cfg pyproject.toml README.md ./
COPY migrations ./migrations
COPY hunter ./hunter
RUN /opt/hunter/bin/pip install --no-deps --no-build-isolation -e . \
 && /opt/hunter/bin/python -m hunter.local.compile \
 && /opt/hunter/bin/python -c "from hunter.resolver.variant import is_built; raise SystemExit(not is_built())" \
 && /opt/hunter/bin/python -m compileall -q hunter /opt/hunter/lib \
 && /opt/hunter/bin/pip check

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="hunter" \
      org.opencontainers.image.description="Lead intelligence from DNS" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin hunter
COPY --from=build /opt/hunter /opt/hunter
COPY --from=build /app /app
# nothing below is written to: the container runs with a read-only root and a /tmp
ENV PATH=/opt/hunter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HUNTER_DATA_DIR=/tmp/hunter
WORKDIR /app
USER 10001:10001
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz/live', timeout=4)"]
ENTRYPOINT ["hunter"]
CMD ["serve"]
