# An image for workers of sweeps and studies. On CPUs by default; for accelerators:
#   docker build --build-arg EXTRAS=cuda -t jaxagent:cuda .
#   docker build --build-arg EXTRAS=tpu -t jaxagent:tpu .
# `optuna` for sweeps with that sampler, several joined by commas. BASE needs Python 3.11 or later
# with its venv module, and bash.
ARG BASE=docker.io/library/python:3.13-slim
FROM ${BASE}

ARG EXTRAS=
WORKDIR /opt/jaxagent
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY configs configs
COPY jaxagent jaxagent

# In an environment of its own, whatever else the base has. The constraints are the versions that
# the tests are run with.
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /
CMD ["jaxagent", "--help"]
