import { SettingReader, type Environment, type ReadFile, type SettingDescription } from './settings/setting-reader.ts'
import { readAccess } from './settings/access.ts'
import { ANY_ORIGIN, isLoopback } from './settings/addresses.ts'
import { readApiKeys, refuseKeysWithoutUse } from './settings/api-keys.ts'
import { readAudit } from './settings/audit.ts'
import { readClientCertificates, refuseCertificateCombinations } from './settings/client-certificates.ts'
import { readHttp } from './settings/http.ts'
import { readLag, refuseUnlisted } from './settings/lag.ts'
import { readLive } from './settings/live.ts'
import { readPublish, readReads } from './settings/messages.ts'
import { readOperation } from './settings/operation.ts'
import { readOperationsPort, refuseSamePort } from './settings/operations-port.ts'
import { readPools } from './settings/pools.ts'
import { readPush, refusePushWithoutKey } from './settings/push.ts'
import { readQuotas } from './settings/quotas.ts'
import { readRabbitmq } from './settings/rabbitmq.ts'
import { readRabbitmqUsers } from './settings/rabbitmq-users.ts'
import { readTracing } from './settings/tracing.ts'
import { readTokens, refuseTokenCombinations } from './settings/tokens.ts'
import { warnOfVariables } from './settings/unknown-variables.ts'

/**
 * All settings: the name, default, bounds and meaning of each, in the order of docs/configuration.md. The last word of
 * a name is its unit.
 */
function readSettings (read: SettingReader) {
  const settings = {
    rabbitmq: { ...readRabbitmq(read), ...readPools(read) },
    http: readHttp(read),
    operationsPort: readOperationsPort(read),
    access: readAccess(read),
    apiKeys: readApiKeys(read),
    clientCertificates: readClientCertificates(read),
    rabbitmqUsers: readRabbitmqUsers(read),
    quotas: readQuotas(read),
    audit: readAudit(read),
    tokens: readTokens(read),
    publish: readPublish(read),
    read: readReads(read),
    live: readLive(read),
    push: readPush(read),
    lag: readLag(read),
    ...readOperation(read),
    ...readTracing(read)
  }
  refuseCombinations(read, settings)
  return settings
}

/** All settings, parsed. */
export type Config = Readonly<ReturnType<typeof readSettings>>

/**
 * Reads the settings once.
 *
 * @param readFile reads the file that a setting names
 * @returns the settings, and a warning for each variable that looks like a setting and is not one
 * @throws ConfigError that names every bad variable, and shows no value
 */
export function loadConfig (env: Environment, readFile: ReadFile): { config: Config, warnings: string[] } {
  const read = new SettingReader(env, readFile)
  const settings = readSettings(read)
  read.throwIfAnyIsBad()
  return { config: deepFreeze(settings), warnings: warnOfVariables(env, read.descriptions) }
}

/**
 * Reads the settings to say everything about them at once.
 *
 * @returns what is wrong with each bad variable, and the warnings of `loadConfig`; neither shows a value
 */
export function checkConfig (env: Environment, readFile: ReadFile): { problems: string[], warnings: string[] } {
  const read = new SettingReader(env, readFile)
  readSettings(read)
  return { problems: [...read.problems], warnings: warnOfVariables(env, read.descriptions) }
}

/** Every setting with its default and bounds, for the documentation. */
export function describeSettings (): readonly SettingDescription[] {
  const read = new SettingReader({}, () => '')
  readSettings(read)
  return read.descriptions
}

/** Notes settings that are bad in combination. */
function refuseCombinations (read: SettingReader, settings: Config): void {
  refuseOpenness(read, settings)
  refuseKeysWithoutUse(read, settings.access.ways)
  refuseCertificateCombinations(read, { ways: settings.access.ways, tls: settings.http.tls })
  refuseUnlisted(read, settings.lag, settings.rabbitmq.management)
  refuseTokenCombinations(read, settings.tokens, settings.access.ways, settings.http.maxHeaderBytes)
  const { rabbitmq, http, publish, read: reads, drainTimeoutMs, drainDelayMs } = settings
  const hasCertificate = rabbitmq.tlsCert !== undefined
  if (hasCertificate !== (rabbitmq.tlsKey !== undefined)) {
    read.reject('RABBITMQ_TLS_CERT_PATH', 'and RABBITMQ_TLS_KEY_PATH go together')
  }
  if (rabbitmq.authMechanism === 'EXTERNAL' && !(rabbitmq.stream.isTls && hasCertificate)) {
    read.reject('RABBITMQ_AUTH_MECHANISM', 'EXTERNAL needs a rabbitmq-stream+tls:// URL and RABBITMQ_TLS_CERT_PATH')
  }
  if (http.connectionTimeoutMs <= reads.maxWaitSeconds * 1000) {
    read.reject(
      'HTTP_CONNECTION_TIMEOUT_MS',
      'must be longer than READ_MAX_WAIT_SECONDS: otherwise waiting reads would be cut off'
    )
  }
  // Nothing moves on a connection while its publish waits for confirms. A publish under a publisher name may have
  // waited for its turn just as long before, and asks for the broker's last id afterwards.
  if (http.connectionTimeoutMs <= publish.confirmTimeoutMs * 2 + 1000) {
    read.reject(
      'HTTP_CONNECTION_TIMEOUT_MS',
      'must be longer than twice PUBLISH_CONFIRM_TIMEOUT_MS and a second: otherwise publishes would be cut off ' +
      'without an answer'
    )
  }
  // Node would silently use the longer of the two for the headers.
  if (http.requestTimeoutMs < http.headersTimeoutMs) {
    read.reject('HTTP_REQUEST_TIMEOUT_MS', 'must not be shorter than HTTP_HEADERS_TIMEOUT_MS, which it includes')
  }
  refusePushWithoutKey(read, settings.push)
  refuseSamePort(read, { port: http.port, operations: settings.operationsPort.port })
  if (drainTimeoutMs <= drainDelayMs) {
    read.reject('DRAIN_TIMEOUT_MS', 'must be longer than DRAIN_DELAY_MS')
  }
}

/** Nothing is open to everybody by accident. */
function refuseOpenness (read: SettingReader, { http, access: { ways } }: Config): void {
  if (ways === undefined && !isLoopback(http.host)) {
    read.reject(
      'AUTH',
      `is needed, because HTTP_HOST ${http.host} is reached from beyond this machine: AUTH=api-keys (or jwt, mtls, ` +
      'rabbitmq) asks callers who they are, AUTH=none lets everybody read, write and delete streams'
    )
  }
  if (http.corsOrigins.includes(ANY_ORIGIN) && (ways ?? []).length === 0) {
    read.reject('CORS_ORIGINS', 'must not be *: without authentication every web page could read and delete streams')
  }
}

function deepFreeze<T extends object> (value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  }
  return Object.freeze(value)
}
