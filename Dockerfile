# Builds edgestatd from this tree, and leaves only what runs.
#
#   docker build -t edgestatd .
#   docker run --init --network host -v /etc/edgestatd:/etc/edgestatd:ro edgestatd
#
# --network host: the statistics of /proc/net are those of the container's own network otherwise.
# --init: reaps what a program that was ended leaves behind.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY collectors ./collectors
RUN npm run build

FROM ${NODE_IMAGE} AS modules
WORKDIR /build
COPY package.json package-lock.json ./
# No package needs its install script to run here; those of optional addons would look for a compiler.
RUN npm ci --omit=dev --ignore-scripts

FROM ${NODE_IMAGE}
# The programs that collectors run: ip (namespaces of tcp). nsenter and cat are part of the base image.
RUN apt-get update \
  && apt-get install -y --no-install-recommends iproute2 \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /opt/edgestatd
COPY --from=modules /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
COPY config ./config
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 65534:65534
# The configuration is /etc/edgestatd/edgestatd.yaml where it is mounted, else config/edgestatd.yaml.
# A small young generation: what a run leaves behind is given back sooner.
ENTRYPOINT ["node", "--max-semi-space-size=4", "dist/src/bin.js", "run"]
