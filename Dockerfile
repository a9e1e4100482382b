# One image for `relay run`, `relay api` and `relay migrate`.
ARG PYTHON=python:3.13-slim

FROM $PYTHON AS build
WORKDIR /src
# Without pip inside: nothing in the image can install anything into it.
RUN python -m venv --without-pip /opt/relay
COPY requirements.runtime.lock ./
RUN python -m pip --python /opt/relay install --no-cache-dir --require-hashes -r requirements.runtime.lock
COPY pyproject.toml README.md LICENSE schema.sql ./
COPY relay ./relay
RUN python -m pip --python /opt/relay install --no-cache-dir --no-deps .

FROM $PYTHON
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="outbox-relay" \
      org.opencontainers.image.description="Transactional outbox from PostgreSQL to Kafka: in order per key, nothing lost." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# Byte code is compiled already, and the root file system may be read-only.
ENV PATH=/opt/relay/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/relay /opt/relay
# A number, so that runAsNonRoot can be checked; any other uid works as well: nothing is written.
USER 65532:65532
EXPOSE 8090 9464
# Longer than `relay migrate` waits for its locks: it listens nowhere. Kubernetes has its own probes.
HEALTHCHECK --interval=30s --timeout=5s --start-period=310s CMD ["relay", "live"]
ENTRYPOINT ["relay"]
CMD ["run"]
