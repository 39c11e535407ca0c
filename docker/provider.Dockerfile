# A provider: `docker build -f docker/provider.Dockerfile --build-arg PROVIDER=aws ...`; docker/README.md has the whole line.
#
# BUILD_IMAGE has Python with venv and pip. BASE_IMAGE has the same Python at the same path, and nothing else is needed of
# it: no shell, no pip, no compiler. Both are arguments without a default, so that nobody gets a tag that moves.
ARG BUILD_IMAGE
ARG BASE_IMAGE

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
COPY docker/assemble.py /src/docker/
COPY requirements/image-build.txt /src/requirements/
RUN --mount=type=secret,id=ca.pem,required=false \
    --mount=type=cache,target=/root/.cache/pip \
    python3 /src/docker/assemble.py tools
ARG PROVIDER
ARG TARGETARCH
COPY requirements/image-${PROVIDER}.txt /src/requirements/
RUN --mount=type=secret,id=ca.pem,required=false \
    --mount=type=cache,target=/root/.cache/pip \
    python3 /src/docker/assemble.py dependencies ${PROVIDER} ${TARGETARCH}
COPY LICENSE /src/
COPY shared /src/shared
COPY providers/${PROVIDER} /src/providers/${PROVIDER}
RUN python3 /src/docker/assemble.py packages ${PROVIDER}

FROM ${BASE_IMAGE}
ARG PROVIDER
# A user of its own for each provider, so that none can read another's memory: docker/images.py has the table.
ARG UID=65540
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="sscsi-provider-${PROVIDER}" \
      org.opencontainers.image.description="Secrets Store CSI provider: ${PROVIDER}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/sscsi /opt/sscsi
COPY --from=build /sbom.cdx.json /src/LICENSE /usr/share/doc/sscsi/
ENV PATH=/opt/sscsi/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER ${UID}:65532
ENTRYPOINT ["/opt/sscsi/bin/daemon"]
