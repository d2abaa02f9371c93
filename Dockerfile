# One image per service, with only what that service needs:
#   docker build --build-arg SERVICE=activity --build-arg PORT=8101 --tag mycelium-activity .
FROM python:3.11.14-slim-bookworm AS packages

ARG SERVICE
COPY deploy/locks/${SERVICE}.txt /tmp/lock.txt
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: --require-hashes -r /tmp/lock.txt


FROM python:3.11.14-slim-bookworm

RUN pip uninstall --yes --root-user-action ignore pip setuptools wheel \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin mycelium

ARG SERVICE
ARG PORT
ENV SERVICE=${SERVICE} PORT=${PORT} HOST=0.0.0.0 PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1

WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY shared shared
COPY services/__init__.py services/
COPY services/${SERVICE} services/${SERVICE}
RUN python -m compileall -q shared services

USER 10001
EXPOSE ${PORT}

# Ready, not only alive: compose starts what depends on it then. Docker itself ends nothing for being unhealthy.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=4)"]

CMD ["sh", "-c", "exec python -m services.${SERVICE}"]
