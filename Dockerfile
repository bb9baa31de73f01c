# One image for Dagster's web server and daemon, the web app and the HTTP service (compose.yaml).
# Replace the tag by a digest of your registry to pin the base image: PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /opt/apportion
COPY requirements/setup.txt requirements/service.txt requirements/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/setup.txt \
    && /opt/venv/bin/uv pip install --no-cache --python /opt/venv/bin/python --require-hashes \
        --compile-bytecode -r requirements/service.txt
COPY . .
RUN /opt/venv/bin/uv pip install --no-cache --python /opt/venv/bin/python --offline --no-deps \
        --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q app dagster_project \
    && mkdir -p dbt/target

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 apportion \
    && useradd --uid 10001 --gid apportion --no-create-home --shell /usr/sbin/nologin apportion \
    && install -d -o apportion -g apportion /data /var/lib/apportion
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/apportion /opt/apportion
# The root file system can be read-only: everything is written to these folders, to /tmp and to
# /opt/apportion/dbt/target.
ENV PATH=/opt/venv/bin:$PATH \
    APPORTION_DATA=/data \
    DAGSTER_HOME=/var/lib/apportion \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1
WORKDIR /opt/apportion
USER 10001:10001
CMD ["apportion", "--help"]
