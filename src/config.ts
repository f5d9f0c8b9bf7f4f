import {
  formatUnknown,
  SettingReader,
  type Environment,
  type ReadFile,
  type SettingDescription
} from './settings/setting-reader.ts'
import { parseManagementUrl, parseStreamUrl } from './settings/urls.ts'

const KIB = 1024
const MIB = 1024 * KIB

/**
 * The only list of settings: name, default, bounds and meaning of each, in the order of docs/configuration.md.
 * Units are the last word of a name.
 */
function readSettings (read: SettingReader) {
  const rabbitmq = {
    ...readRabbitmq(read),
    ...readPools(read)
  }
  const http = readHttp(read)
  const publish = readPublish(read)
  const readLimits = readReads(read)
  const operation = {
    logLevel: read.choice(
      'LOG_LEVEL',
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'info',
      'Least severe log lines that are written. `info` writes one line a request'
    ),
    drainDelayMs: read.integer(
      'DRAIN_DELAY_MS',
      { default: 0, min: 0, max: 300_000 },
      'After SIGTERM: how long requests are still accepted while `/health/ready` already answers 503, so that a load ' +
      'balancer can notice'
    ),
    drainTimeoutMs: read.integer(
      'DRAIN_TIMEOUT_MS',
      { default: 30_000, min: 100, max: 600_000 },
      'After SIGTERM: how long requests in flight may take before the process ends anyway, the delay above included'
    )
  }
  const hasCertificate = rabbitmq.tlsCert !== undefined
  if (hasCertificate !== (rabbitmq.tlsKey !== undefined)) {
    read.reject('RABBITMQ_TLS_CERT_PATH', 'and RABBITMQ_TLS_KEY_PATH go together')
  }
  if (rabbitmq.authMechanism === 'EXTERNAL' && !(rabbitmq.stream.isTls && hasCertificate)) {
    read.reject('RABBITMQ_AUTH_MECHANISM', 'EXTERNAL needs a rabbitmq-stream+tls:// URL and RABBITMQ_TLS_CERT_PATH')
  }
  if (http.connectionTimeoutMs <= readLimits.maxWaitSeconds * 1000) {
    read.reject(
      'HTTP_CONNECTION_TIMEOUT_MS',
      'must be longer than READ_MAX_WAIT_SECONDS, or waiting reads would be cut off'
    )
  }
  // Nothing moves on a connection while its publish waits for confirms; one with a publisher name may have waited as
  // long for its turn before, and asks for the broker's last id afterwards.
  if (http.connectionTimeoutMs <= publish.confirmTimeoutMs * 2 + 1000) {
    read.reject(
      'HTTP_CONNECTION_TIMEOUT_MS',
      'must be longer than twice PUBLISH_CONFIRM_TIMEOUT_MS and a second, or publishes would be cut off without an ' +
      'answer'
    )
  }
  // Node would take the longer of the two for the headers, and say nothing.
  if (http.requestTimeoutMs < http.headersTimeoutMs) {
    read.reject('HTTP_REQUEST_TIMEOUT_MS', 'must not be shorter than HTTP_HEADERS_TIMEOUT_MS, which it includes')
  }
  if (operation.drainTimeoutMs <= operation.drainDelayMs) {
    read.reject('DRAIN_TIMEOUT_MS', 'must be longer than DRAIN_DELAY_MS')
  }
  return { rabbitmq, http, publish, read: readLimits, ...operation }
}

function readRabbitmq (read: SettingReader) {
  return {
    stream: read.secret(
      'RABBITMQ_STREAM_URL',
      parseStreamUrl,
      'rabbitmq-stream://guest:guest@localhost:5552',
      'Where the broker is: `rabbitmq-stream://user:password@host:5552/vhost`, or `rabbitmq-stream+tls://` (default ' +
      'port 5551). Several hosts: `host1:5552,host2:5552` inside one URL, or several URLs, separated by commas'
    ),
    authMechanism: read.choice(
      'RABBITMQ_AUTH_MECHANISM',
      ['PLAIN', 'EXTERNAL'],
      'PLAIN',
      '`EXTERNAL` authenticates with the TLS client certificate and ignores the user of the URL'
    ),
    addressMode: read.choice(
      'RABBITMQ_ADDRESS_MODE',
      ['advertised', 'configured'],
      'advertised',
      '`advertised`: connect to the hosts that the broker names for each stream. `configured`: only to the hosts of ' +
      'the URL, for a load balancer or published container ports'
    ),
    tlsCa: read.file(
      'RABBITMQ_TLS_CA_PATH',
      "PEM file with the authorities that the broker is checked against, in place of the system's"
    ),
    tlsCert: read.file('RABBITMQ_TLS_CERT_PATH', 'PEM file with the client certificate'),
    tlsKey: read.file('RABBITMQ_TLS_KEY_PATH', 'PEM file with the key of the client certificate'),
    tlsServerName: read.optionalText(
      'RABBITMQ_TLS_SERVER_NAME',
      'Name expected in the certificate of the broker, when it is not the host of the URL'
    ),
    management: read.optionalSecret(
      'RABBITMQ_MANAGEMENT_URL',
      parseManagementUrl,
      '`http://user:password@host:15672`, or https. Without it streams cannot be listed, and lists of consumers and ' +
      'publishers hold only those of this process'
    ),
    managementCa: read.file(
      'RABBITMQ_MANAGEMENT_CA_PATH',
      'PEM file with the authorities that an https management API is checked against'
    ),
    streamNamePattern: read.text(
      'STREAM_NAME_PATTERN',
      '{name}',
      /^[^{}]*\{name\}[^{}]*$/,
      'text with {name} in it once',
      'How a stream of the API is called on the broker, for example `orders_{name}`'
    ),
    connectTimeoutMs: read.integer(
      'RABBITMQ_CONNECT_TIMEOUT_MS',
      { default: 10_000, min: 100, max: 300_000 },
      'Opening a connection, TLS and authentication included'
    ),
    requestTimeoutMs: read.integer(
      'RABBITMQ_REQUEST_TIMEOUT_MS',
      { default: 10_000, min: 100, max: 300_000 },
      'Any answer of the broker except a confirm'
    ),
    managementTimeoutMs: read.integer(
      'RABBITMQ_MANAGEMENT_TIMEOUT_MS',
      { default: 10_000, min: 100, max: 300_000 },
      'Any answer of the management API'
    ),
    heartbeatSeconds: read.integer(
      'RABBITMQ_HEARTBEAT_SECONDS',
      { default: 60, min: 1, max: 3600 },
      'Proposed heartbeat; the broker may choose a shorter one'
    ),
    reconnectDelayMs: read.integer(
      'RABBITMQ_RECONNECT_DELAY_MS',
      { default: 200, min: 10, max: 60_000 },
      'First pause after a connection was lost; it doubles with every failure'
    ),
    maxReconnectDelayMs: read.integer(
      'RABBITMQ_MAX_RECONNECT_DELAY_MS',
      { default: 10_000, min: 10, max: 600_000 },
      'Longest of these pauses'
    ),
    frameMaxBytes: read.integer(
      'RABBITMQ_FRAME_MAX_BYTES',
      { default: 1 * MIB, min: 8 * KIB, max: 64 * MIB },
      'Proposed largest frame; the broker may choose a smaller one. No message can be larger'
    )
  }
}

function readPools (read: SettingReader) {
  return {
    maxPublishers: read.integer(
      'MAX_PUBLISHERS',
      { default: 1000, min: 1, max: 100_000 },
      'Declared publishers kept at once, one for each stream and publisher name in use'
    ),
    publisherIdleMs: read.integer(
      'PUBLISHER_IDLE_MS',
      { default: 60_000, min: 100, max: 3_600_000 },
      'A publisher unused for so long is deleted'
    ),
    maxReaders: read.integer('MAX_READERS', { default: 500, min: 1, max: 100_000 }, 'Subscriptions kept at once'),
    readerIdleMs: read.integer(
      'READER_IDLE_MS',
      { default: 30_000, min: 100, max: 3_600_000 },
      'A subscription unread for so long is ended'
    ),
    connectionIdleMs: read.integer(
      'RABBITMQ_CONNECTION_IDLE_MS',
      { default: 60_000, min: 100, max: 3_600_000 },
      'A connection to the broker without publishers and subscriptions is closed after so long'
    ),
    readerWindowBytes: read.integer(
      'READER_WINDOW_BYTES',
      { default: 8 * MIB, min: 64 * KIB, max: 1024 * MIB },
      'How much one subscription may hold in advance'
    ),
    readBudgetBytes: read.integer(
      'READ_BUDGET_BYTES',
      { default: 256 * MIB, min: 1 * MIB, max: 1024 * 1024 * MIB },
      'How much all subscriptions and answers under way may hold together; above it reads are refused with 503 ' +
      '`overloaded`'
    ),
    publishBudgetBytes: read.integer(
      'PUBLISH_BUDGET_BYTES',
      { default: 128 * MIB, min: 1 * MIB, max: 1024 * 1024 * MIB },
      'How much may wait for confirms at once; above it publishes are refused with 503 `overloaded`'
    ),
    maxExpandedSubEntryBytes: read.integer(
      'MAX_EXPANDED_SUB_ENTRY_BYTES',
      { default: 64 * MIB, min: 1 * MIB, max: 1024 * MIB },
      'Largest expanded size of a compressed sub-entry batch; a larger one is returned as it is'
    )
  }
}

function readHttp (read: SettingReader) {
  return {
    host: read.text(
      'HTTP_HOST',
      '127.0.0.1',
      /^\S+$/,
      'a host name or an address',
      'Address to listen on. There is no authentication yet: on anything but a loopback address, put a proxy with ' +
      'authentication before it'
    ),
    port: read.integer(
      'HTTP_PORT',
      { default: 8080, min: 0, max: 65_535 },
      'Port to listen on; 0 takes a free one and logs it'
    ),
    maxBodyBytes: read.integer(
      'HTTP_MAX_BODY_BYTES',
      { default: 16 * MIB, min: 1 * KIB, max: 1024 * MIB },
      'Largest body that is read whole: JSON and single messages'
    ),
    maxStreamedBodyBytes: read.integer(
      'HTTP_MAX_STREAMED_BODY_BYTES',
      { default: 1024 * MIB, min: 1 * KIB, max: 1024 * 1024 * MIB },
      'Largest body that is published while it arrives: NDJSON and lines'
    ),
    bodyBudgetBytes: read.integer(
      'HTTP_BODY_BUDGET_BYTES',
      { default: 256 * MIB, min: 1 * KIB, max: 1024 * 1024 * MIB },
      'How much of bodies read whole may be held at once; above it requests are refused with 503 `overloaded`'
    ),
    maxHeaderBytes: read.integer(
      'HTTP_MAX_HEADER_BYTES',
      { default: 16 * KIB, min: 4 * KIB, max: 1 * MIB },
      'Largest request line and headers together'
    ),
    maxConnections: read.integer(
      'HTTP_MAX_CONNECTIONS',
      { default: 10_000, min: 1, max: 1_000_000 },
      'Connections kept at once; further ones are closed as they come'
    ),
    maxRequestsPerConnection: read.integer(
      'HTTP_MAX_REQUESTS_PER_CONNECTION',
      { default: 0, min: 0, max: 1_000_000_000 },
      'After so many requests a connection is closed, so that clients spread over instances; 0 is no limit'
    ),
    connectionTimeoutMs: read.integer(
      'HTTP_CONNECTION_TIMEOUT_MS',
      { default: 120_000, min: 1000, max: 3_600_000 },
      'A connection on which nothing moved for so long is closed, also in the middle of an answer'
    ),
    headersTimeoutMs: read.integer(
      'HTTP_HEADERS_TIMEOUT_MS',
      { default: 30_000, min: 100, max: 3_600_000 },
      'How long a client may take to send the headers'
    ),
    requestTimeoutMs: read.integer(
      'HTTP_REQUEST_TIMEOUT_MS',
      { default: 300_000, min: 1000, max: 3_600_000 },
      'How long a client may take to send the whole request'
    ),
    keepAliveTimeoutMs: read.integer(
      'HTTP_KEEP_ALIVE_TIMEOUT_MS',
      { default: 72_000, min: 0, max: 3_600_000 },
      'An idle connection is kept for so long; longer than the proxy before it keeps its own'
    )
  }
}

function readPublish (read: SettingReader) {
  return {
    confirmTimeoutMs: read.integer(
      'PUBLISH_CONFIRM_TIMEOUT_MS',
      { default: 30_000, min: 100, max: 600_000 },
      'How long a message may wait for its confirm; then its outcome is unknown'
    ),
    maxMessages: read.integer(
      'PUBLISH_MAX_MESSAGES',
      { default: 10_000, min: 1, max: 1_000_000 },
      'Most messages of a JSON body'
    ),
    maxStreamedMessages: read.integer(
      'PUBLISH_MAX_STREAMED_MESSAGES',
      { default: 1_000_000, min: 1, max: 100_000_000 },
      'Most messages of an NDJSON or lines body'
    ),
    maxLineBytes: read.integer(
      'PUBLISH_MAX_LINE_BYTES',
      { default: 8 * MIB, min: 1 * KIB, max: 1024 * MIB },
      'Longest line of an NDJSON or lines body'
    )
  }
}

function readReads (read: SettingReader) {
  return {
    maxMessages: read.integer(
      'READ_MAX_MESSAGES',
      { default: 10_000, min: 1, max: 10_000 },
      'Largest `limit` of a read'
    ),
    maxBytes: read.integer(
      'READ_MAX_BYTES',
      { default: 16 * MIB, min: 1 * KIB, max: 256 * MIB },
      'Largest `maxBytes` of a read'
    ),
    maxWaitSeconds: read.integer('READ_MAX_WAIT_SECONDS', { default: 60, min: 0, max: 600 }, 'Longest `wait` of a read')
  }
}

/** All settings, parsed. */
export type Config = Readonly<ReturnType<typeof readSettings>>

/**
 * Reads the settings once.
 *
 * @param readFile reads what a setting's path points to
 * @returns the settings, and one warning for each variable that looks like a setting and is none
 * @throws ConfigError that names every bad variable, and shows no value
 */
export function loadConfig (env: Environment, readFile: ReadFile): { config: Config, warnings: string[] } {
  const read = new SettingReader(env, readFile)
  const settings = readSettings(read)
  read.throwIfAnyIsBad()
  return { config: deepFreeze(settings), warnings: read.unknownVariables().map(formatUnknown) }
}

/** Every setting with its default and bounds, for the documentation. */
export function describeSettings (): readonly SettingDescription[] {
  const read = new SettingReader({}, () => '')
  readSettings(read)
  return read.descriptions
}

function deepFreeze<T extends object> (value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  }
  return Object.freeze(value)
}
