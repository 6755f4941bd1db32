# The registry with every adapter: no compiler, no pip and no test tool in it, and nobody in it is root.
FROM python:3.12.15-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY registry registry
COPY adapters adapters
COPY crawler crawler
COPY federation federation
COPY graphql graphql
COPY policies policies
RUN python -m venv /opt/hms-dta \
    && /opt/hms-dta/bin/pip install --no-cache-dir --disable-pip-version-check '.[hive,mongo,oidc,otel,postgres,redis,s3,trino,webhooks]' \
    && /opt/hms-dta/bin/pip uninstall --yes pip

FROM python:3.12.15-slim
# A volume that is mounted over /srv/registry takes its owner from here.
RUN useradd --uid 10001 --no-create-home --home-dir /srv/registry --shell /usr/sbin/nologin hms \
    && install --directory --owner=hms --group=hms /srv/registry
COPY --from=build /opt/hms-dta /opt/hms-dta
ENV PATH=/opt/hms-dta/bin:$PATH \
    HMS_DTA_HOME=/srv/registry \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /srv/registry
EXPOSE 7777
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=5 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7777/health', timeout=4)"]
# Publish it on loopback only, as in: docker run --publish 127.0.0.1:7777:7777
CMD ["hms-dta", "serve", "--host", "0.0.0.0", "--behind-loopback"]
