import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Config } from './config.ts'
import { serverOptions } from './http/server-limits.ts'
import access from './plugins/access.ts'
import audit from './plugins/audit.ts'
import bodies from './plugins/bodies.ts'
import broker from './plugins/broker.ts'
import browserGuard from './plugins/browser-guard.ts'
import compression from './plugins/compression.ts'
import connections from './plugins/connections.ts'
import errors, { sendFrameworkProblem } from './plugins/errors.ts'
import lag from './plugins/lag.ts'
import lifecycle from './plugins/lifecycle.ts'
import live from './plugins/live.ts'
import metrics from './plugins/metrics.ts'
import openapi from './plugins/openapi.ts'
import openness from './plugins/openness.ts'
import operationsPort from './plugins/operations-port.ts'
import push from './plugins/push.ts'
import proxies, { cutPrefix } from './plugins/proxies.ts'
import quotas from './plugins/quotas.ts'
import reloads from './plugins/reloads.ts'
import requests, { requestId } from './plugins/requests.ts'
import routeAccess from './plugins/route-access.ts'
import { socketProblemSender } from './plugins/socket-errors.ts'
import startReport from './plugins/start-report.ts'
import tracing from './plugins/tracing.ts'
import tls, { tlsServer } from './plugins/tls.ts'
import validation, { AJV_OPTIONS } from './plugins/validation.ts'
import { consumerMessageRoutes } from './routes/read/consumer-messages.ts'
import { consumerRoutes } from './routes/consumers.ts'
import { eventRoutes } from './routes/read/events.ts'
import { healthRoutes } from './routes/health.ts'
import { historyRoutes } from './routes/history.ts'
import { mergedConsumerMessageRoutes } from './routes/read/merged-consumer-messages.ts'
import { mergedMessageRoutes } from './routes/read/merged-messages.ts'
import { messageRoutes } from './routes/read/messages.ts'
import { problemRoutes } from './routes/problems.ts'
import { publishRoutes } from './routes/publish/publish.ts'
import { publisherRoutes } from './routes/publishers.ts'
import { rootRoutes } from './routes/root.ts'
import { streamRoutes } from './routes/streams.ts'
import { subscriptionRoutes } from './routes/subscriptions/subscriptions.ts'
import { superStreamRoutes } from './routes/super-streams.ts'
import { superStreamConsumerRoutes } from './routes/super-stream-consumers.ts'
import { whoamiRoutes } from './routes/whoami.ts'
import { VERSION } from './version.ts'

/**
 * The whole application, not yet listening: plugins, then routes. It connects to the broker when it first needs it.
 *
 * @param auditFile takes the lines of the audit log, where they are not in the log
 */
export async function buildApp (
  config: Config,
  logger: FastifyBaseLogger,
  auditFile?: FastifyBaseLogger
): Promise<FastifyInstance> {
  const app = fastify(appOptions(config, logger))
  await addPlugins(app, config, auditFile)
  await addRoutes(app, config)
  app.refuseOtherMethods()
  return app
}

async function addPlugins (
  app: FastifyInstance, config: Config, auditFile: FastifyBaseLogger | undefined
): Promise<void> {
  await app.register(routeAccess)
  await app.register(proxies, config.http)
  await app.register(requests)
  await app.register(errors, config.http)
  if (config.tracing === 'otlp') await app.register(tracing, config)
  await app.register(browserGuard, { ...config.http, isAuthenticated: isAuthenticated(config) })
  await app.register(validation)
  await app.register(bodies, config.http)
  await app.register(compression, config.http)
  await app.register(lifecycle, config)
  await app.register(broker, config)
  await app.register(startReport, config)
  await app.register(metrics)
  await app.register(live, config)
  await app.register(push, config)
  await app.register(lag, config)
  await app.register(reloads)
  await app.register(connections, config.http)
  if (config.http.tls !== undefined) await app.register(tls, config.http.tls)
  await app.register(operationsPort, config)
  await app.register(access, config)
  await app.register(quotas, config)
  await app.register(audit, { config, file: auditFile })
  await app.register(openness, config)
  await app.register(openapi, config.access)
}

async function addRoutes (app: FastifyInstance, config: Config): Promise<void> {
  const prefix = '/v1'
  await app.register(streamRoutes, { prefix })
  await app.register(historyRoutes, { prefix })
  await app.register(superStreamRoutes, { prefix, maxPartitions: config.rabbitmq.superStreamMaxPartitions })
  await app.register(publishRoutes, { prefix, limits: publishLimits(config) })
  await app.register(messageRoutes, { prefix, limits: config.read })
  await app.register(mergedMessageRoutes, { prefix, limits: config.read })
  await app.register(eventRoutes, { prefix, limits: config.read })
  await app.register(consumerRoutes, { prefix })
  await app.register(consumerMessageRoutes, { prefix, limits: config.read })
  await app.register(superStreamConsumerRoutes, { prefix })
  await app.register(mergedConsumerMessageRoutes, { prefix, limits: config.read })
  await app.register(publisherRoutes, { prefix })
  await app.register(subscriptionRoutes, { prefix })
  await app.register(whoamiRoutes, { prefix, virtualHost: config.rabbitmq.stream.virtualHost })
  await app.register(healthRoutes)
  await app.register(problemRoutes)
  await app.register(rootRoutes, { version: VERSION, hidden: hiddenLinks(config) })
}

// A name of 255 bytes, each percent-encoded.
const MAX_PARAM_LENGTH = 255 * 3

function publishLimits ({ http, publish, rabbitmq: { frameMaxBytes } }: Config) {
  return { ...http, ...publish, frameMaxBytes }
}

function isAuthenticated ({ access: { ways = [] } }: Config): boolean {
  return ways.length > 0
}

function hiddenLinks ({ access: { docs }, operationsPort: { port } }: Config) {
  return [
    ...docs === 'off' ? ['documentation', 'openapi'] as const : [],
    ...port === undefined ? [] : ['metrics'] as const
  ]
}

function appOptions ({ http }: Config, loggerInstance: FastifyBaseLogger) {
  return {
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    // A logger for each request costs as much as writing its line. The gateway's lines name their request themselves;
    // the few lines of Fastify's own do not.
    childLoggerFactory: (logger: FastifyBaseLogger) => logger,
    ajv: AJV_OPTIONS,
    frameworkErrors: sendFrameworkProblem,
    clientErrorHandler: socketProblemSender(http.pathPrefix),
    ...(http.pathPrefix !== '' && { rewriteUrl: cutPrefix(http.pathPrefix) }),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    http: serverOptions(http),
    // Fastify looks at `https` for the address that it logs.
    ...(http.tls !== undefined && { serverFactory: tlsServer(http.tls, http), https: {} }),
    bodyLimit: http.maxBodyBytes,
    connectionTimeout: http.connectionTimeoutMs,
    requestTimeout: http.requestTimeoutMs,
    keepAliveTimeout: http.keepAliveTimeoutMs,
    maxRequestsPerSocket: http.maxRequestsPerConnection,
    // While the app closes, requests on open connections are still answered, each with `connection: close`.
    return503OnClosing: false
  }
}
