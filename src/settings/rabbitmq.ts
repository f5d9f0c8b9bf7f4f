import type { SettingReader } from './setting-reader.ts'
import { KIB, MIB } from './units.ts'
import { parseManagementUrl, parseStreamUrl } from './urls.ts'

/** How the broker is reached. */
export function readRabbitmq (read: SettingReader) {
  return {
    ...readBroker(read),
    ...readTls(read),
    ...readManagement(read),
    ...readNames(read),
    ...readConnections(read)
  }
}

function readBroker (read: SettingReader) {
  return {
    stream: read.secret(
      'RABBITMQ_STREAM_URL',
      parseStreamUrl,
      'rabbitmq-stream://guest:guest@localhost:5552',
      'The address of the broker: `rabbitmq-stream://user:password@host:5552/vhost`, or `rabbitmq-stream+tls://` ' +
      '(default port 5551). Several hosts: `host1:5552,host2:5552` inside one URL, or several URLs, separated by commas'
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
    )
  }
}

function readTls (read: SettingReader) {
  return {
    tlsCa: read.file(
      'RABBITMQ_TLS_CA_PATH',
      "PEM file with the authorities that the broker is checked against, in place of the system's"
    ),
    tlsCert: read.file('RABBITMQ_TLS_CERT_PATH', 'PEM file with the client certificate'),
    tlsKey: read.file('RABBITMQ_TLS_KEY_PATH', 'PEM file with the key of the client certificate'),
    tlsServerName: read.optionalText(
      'RABBITMQ_TLS_SERVER_NAME',
      'Name expected in the certificate of the broker, when it is not the host of the URL'
    )
  }
}

function readManagement (read: SettingReader) {
  return {
    management: read.optionalSecret(
      'RABBITMQ_MANAGEMENT_URL',
      parseManagementUrl,
      '`http://user:password@host:15672`, or https. Without it streams cannot be listed, and lists of consumers and ' +
      'publishers have only the names that this process has seen'
    ),
    managementCa: read.file(
      'RABBITMQ_MANAGEMENT_CA_PATH',
      'PEM file with the authorities that an https management API is checked against'
    )
  }
}

function readNames (read: SettingReader) {
  return {
    streamNamePattern: read.text(
      'STREAM_NAME_PATTERN',
      '{name}',
      /^[^{}]*\{name\}[^{}]*$/,
      'text with {name} in it once',
      'The name on the broker of a stream of the API, for example `orders_{name}`'
    ),
    superStreamMaxPartitions: read.integer(
      'SUPER_STREAM_MAX_PARTITIONS',
      { default: 64, min: 1, max: 1000 },
      'Most partitions of a super stream that is created'
    )
  }
}

function readConnections (read: SettingReader) {
  return {
    connectTimeoutMs: read.integer(
      'RABBITMQ_CONNECT_TIMEOUT_MS',
      { default: 10_000, min: 100, max: 300_000 },
      'Longest time to open a connection, TLS and authentication included'
    ),
    requestTimeoutMs: read.integer(
      'RABBITMQ_REQUEST_TIMEOUT_MS',
      { default: 10_000, min: 100, max: 300_000 },
      'Longest time to wait for an answer of the broker, except a confirm'
    ),
    managementTimeoutMs: read.integer(
      'RABBITMQ_MANAGEMENT_TIMEOUT_MS',
      { default: 10_000, min: 100, max: 300_000 },
      'Longest time to wait for an answer of the management API'
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
