# Builds edgestatd from this tree. What is built runs as a number and not as root, on a read-only root file system,
# without a shell: docs/sidecar.md says how.
#
#   docker build -t edgestatd .
#   docker build -t edgestatd:tools --build-arg BASE_IMAGE=tools .      with the programs that some collectors run
#
# NODE_IMAGE builds, and gives the node binary: any Debian with node, npm and apt. BASE_IMAGE is what the result stands
# on: any system with a C library of the same age or newer and libstdc++. It needs nothing else, not even a shell.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12
ARG TOOLS_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
# tini: the first process of a container must wait for what others leave behind, and Node.js does not.
RUN apt-get update && apt-get install -y --no-install-recommends binutils tini
WORKDIR /opt/edgestatd
COPY package.json package-lock.json ./
# No package needs its install script to run here; those of optional addons would look for a compiler.
RUN npm ci --ignore-scripts
COPY src ./src
COPY collectors ./collectors
COPY scripts ./scripts
# A few files instead of a thousand, which a start would have to look up.
RUN node scripts/bundle.ts && npm prune --omit=dev --ignore-scripts
COPY LICENSE ./
COPY config ./config
# Gathers below /image what the result is made of, and nothing that does not run.
RUN node scripts/image-files.ts /opt/edgestatd /image

# What tcp (namespaces), htb and ovs (flows) run. See docs/sidecar.md for who needs it.
FROM ${TOOLS_IMAGE} AS tools
RUN apt-get update \
  && apt-get install -y --no-install-recommends iproute2 libstdc++6 openvswitch-common util-linux \
  && rm -rf /var/lib/apt/lists/*

FROM ${BASE_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="edgestatd" \
  org.opencontainers.image.description="Metrics of an edge node to StatsD and Graphite" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
# XDG_RUNTIME_DIR: the socket of `edgestatd status`. Engines make /dev/shm writable even where nothing else is.
# EDGESTATD_CONTAINER: what is missing is told with the mount that brings it.
ENV NODE_ENV=production \
  XDG_RUNTIME_DIR=/dev/shm \
  EDGESTATD_CONTAINER=true
WORKDIR /
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 65534:65534
# Whether a job succeeded and a sink takes what is sent, as the daemon itself says on its socket.
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=2 \
  CMD ["/usr/local/bin/edgestatd", "status", "--healthy"]
# A small young generation: what a run leaves behind is given back sooner.
ENTRYPOINT ["/usr/local/bin/tini", "--", "/usr/local/bin/node", "--max-semi-space-size=4", "/opt/edgestatd/dist/src/bin.js"]
CMD ["run"]
