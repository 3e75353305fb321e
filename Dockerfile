# The registry as an image: `podman build --tag data-registry .`; docs/kubernetes.md says which other targets there are.
# The checkout is not in it: mount or clone one at /registry.

# Debian or Ubuntu, with a python3 of at least 3.11 on PATH, and its venv.
ARG BASE=docker.io/library/python:3.11-slim

# Each set of packages is made with pip from outside, so that none is in the result.
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_PYTHON=/opt/registry/bin/python
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/registry
ENV PATH=/opt/pip/bin:$PATH
WORKDIR /source

# The project by itself: a small layer on top of a large one that changes with the locks alone.
FROM build AS project
COPY envs/build.txt envs/
RUN pip install --require-hashes --requirement envs/build.txt
COPY . .
RUN pip install --no-index --no-deps --no-build-isolation --root /layer .

FROM build AS client-packages
COPY envs/client.txt envs/
RUN pip install --require-hashes --requirement envs/client.txt

FROM build AS model-packages
COPY envs/model.txt envs/
RUN pip install --require-hashes --no-deps --requirement envs/model.txt

FROM model-packages AS registry-packages
COPY envs/requirements.txt envs/
RUN pip install --require-hashes --requirement envs/requirements.txt

FROM registry-packages AS dagster-packages
COPY envs/antlr.txt envs/dagster.txt envs/
RUN pip install --require-hashes --requirement envs/dagster.txt \
    && pip install --require-hashes --no-deps --requirement envs/antlr.txt

FROM model-packages AS kubernetes-packages
COPY envs/kubernetes.txt envs/
RUN pip install --require-hashes --requirement envs/kubernetes.txt

FROM model-packages AS ray-packages
COPY envs/ray.txt envs/
RUN pip install --require-hashes --requirement envs/ray.txt

FROM ${BASE} AS system
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
# Whatever is mounted here was meant to be, whoever owns it.
RUN git config --system --add safe.directory '*' \
    && useradd --no-log-init --uid 1000 --gid 0 --create-home registry \
    && install --directory --owner 1000 --group 0 --mode 0775 /registry
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
USER 1000:0
# SIGTERM reaches every process: as the first one of a container a shell would not heed it, nor hand it on.
ENTRYPOINT ["tini", "-g", "--"]

FROM system AS client
COPY --from=client-packages /opt/registry /opt/registry
COPY --from=project /layer /
CMD ["registry", "--help"]

FROM system AS kubernetes
COPY --from=kubernetes-packages /opt/registry /opt/registry
COPY --from=project /layer /
CMD ["registry", "run"]

# wget: with it KubeRay asks whether a node is well.
FROM system AS ray
USER 0
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
USER 1000:0
COPY --from=ray-packages /opt/registry /opt/registry
COPY --from=project /layer /
CMD ["registry", "run"]

# The page of Dagster, and what runs at its times. It keeps what it knows in the checkout that it tells of.
FROM system AS dagster
COPY --from=dagster-packages /opt/registry /opt/registry
COPY --from=project /layer /
ENV DAGSTER_HOME=/registry/.cache/dagster
CMD ["sh", "-c", "mkdir -p \"$DAGSTER_HOME\" && cp --no-clobber deploy/stack/dagster.yaml \"$DAGSTER_HOME\" && exec dagster dev --host 127.0.0.1 --port 3000"]

FROM system AS registry
COPY --from=registry-packages /opt/registry /opt/registry
COPY --from=project /layer /
CMD ["registry", "run"]
