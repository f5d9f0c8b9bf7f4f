FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npx tsc -p tsconfig.build.json && npm prune --omit=dev

FROM node:24-slim
# All addresses in a container are its own. Whoever runs it decides which ports are published.
ENV NODE_ENV=production HTTP_HOST=0.0.0.0 HTTP_PORT=8080
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
EXPOSE 8080
# It asks its own machine: the certificate of TLS is for another name. Where clients need a certificate, set OPS_PORT.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "-e", "\
  const { OPS_PORT, HTTP_PORT, HTTP_TLS_CERT_PATH } = process.env; \
  const { get } = require(HTTP_TLS_CERT_PATH && !OPS_PORT ? 'https' : 'http'); \
  get({ host: '127.0.0.1', port: OPS_PORT || HTTP_PORT, path: '/health/ready', rejectUnauthorized: false }, \
    ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# The command of scripts/setup/gateway-command.mjs, which says why it has this option.
CMD ["node", "--max-semi-space-size=16", "dist/server.js"]
