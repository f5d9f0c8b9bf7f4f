# The image of the gateway. docs/deploy.md says how to run it.
FROM node:24.21.0-slim AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM base AS build
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npx tsc -p tsconfig.build.json

FROM base AS dependencies
RUN npm ci --omit=dev

FROM node:24.21.0-slim
# What scanners and registries show. `docker build --build-arg REVISION="$(git rev-parse HEAD)" .` says what was built.
ARG REVISION=
LABEL org.opencontainers.image.title="rabbitmq-stream-gateway" \
  org.opencontainers.image.description="HTTP gateway and REST API for RabbitMQ streams" \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.revision="$REVISION"
# All addresses in a container are its own. Its ports are reached from outside only where they are published.
ENV NODE_ENV=production HTTP_HOST=0.0.0.0 HTTP_PORT=8080
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A number, which Kubernetes can check. No user of a usual machine has it, and it owns no file: the process needs to
# write none, so the root file system may be read-only.
USER 65532:65532
EXPOSE 8080
# The program asks itself, by the settings that it runs with. Where clients need a certificate, set OPS_PORT.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "dist/server.js", "health"]
# The command of scripts/setup/gateway-command.mjs, which says why it has this option. What is written after the name of
# the image takes the place of `serve`: `docker run IMAGE check-config`.
ENTRYPOINT ["node", "--max-semi-space-size=16", "dist/server.js"]
CMD ["serve"]
