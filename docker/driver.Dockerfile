# The node driver: `docker build -f docker/driver.Dockerfile ...`; docker/README.md has the whole line.
#
# BUILD_IMAGE has Python with venv and pip. BASE_IMAGE has the same Python at the same path, and nothing else is needed of
# it: no shell, no pip, no mount(8). Both are arguments without a default, so that nobody gets a tag that moves.
ARG BUILD_IMAGE
ARG BASE_IMAGE

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
COPY docker/assemble.py /src/docker/
COPY requirements/image-build.txt /src/requirements/
RUN --mount=type=secret,id=ca.pem,required=false \
    --mount=type=cache,target=/root/.cache/pip \
    python3 /src/docker/assemble.py tools
ARG TARGETARCH
COPY requirements/image-driver.txt /src/requirements/
RUN --mount=type=secret,id=ca.pem,required=false \
    --mount=type=cache,target=/root/.cache/pip \
    python3 /src/docker/assemble.py dependencies driver ${TARGETARCH}
COPY LICENSE /src/
COPY shared /src/shared
COPY driver /src/driver
RUN python3 /src/docker/assemble.py packages driver

FROM ${BASE_IMAGE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="sscsi-driver" \
      org.opencontainers.image.description="Secrets Store CSI node driver" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/sscsi /opt/sscsi
COPY --from=build /sbom.cdx.json /src/LICENSE /usr/share/doc/sscsi/
ENV PATH=/opt/sscsi/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Root: it mounts for pods, and makes the folder of sockets.
USER 0:0
ENTRYPOINT ["/opt/sscsi/bin/daemon"]
