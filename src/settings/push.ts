import { itemsOf, parseHostPatterns, parseTrustedProxies } from './addresses.ts'
import { BadValue, type SettingReader } from './setting-reader.ts'

const KEY_BYTES = 32
const PREFIX = /^[A-Za-z0-9_.-]{1,100}$/

/** Push subscriptions: deliveries to HTTP endpoints. */
export function readPush (read: SettingReader) {
  const yesOrNo = (name: string, description: string): boolean => {
    return read.choice(name, ['false', 'true'], 'false', description) === 'true'
  }
  return {
    isEnabled: yesOrNo('PUSH_ENABLED', 'Whether this instance delivers push subscriptions, see [push](push.md)'),
    /** As hexadecimal digits, the newest first. */
    encryptionKeys: read.optionalSecret(
      'PUSH_ENCRYPTION_KEY',
      parseKeys,
      'The key with which secrets of subscriptions are encrypted in RabbitMQ: 32 random bytes as base64 or as ' +
      'hexadecimal digits (`openssl rand -base64 32`). To replace a key, write the new one, a comma, and the old one',
      'one key, or several separated by commas'
    ) ?? [],
    hasPlaintextSecrets: yesOrNo(
      'PUSH_PLAINTEXT_SECRETS',
      'Whether secrets of subscriptions may be stored in RabbitMQ without encryption, in place of a key'
    ),
    ...readEndpoints(read, yesOrNo),
    maxReaders: read.integer(
      'PUSH_MAX_READERS',
      { default: 10_000, min: 1, max: 100_000 },
      'Most subscriptions to streams kept at once for deliveries, beside those of `MAX_READERS`: one for each stream ' +
      'or partition that this instance delivers. What is beyond it is not delivered, and its state is `blocked`'
    ),
    streamPrefix: read.text(
      'PUSH_STREAM_PREFIX',
      'gateway.push',
      PREFIX,
      'letters, digits and ._-, up to 100 of them',
      'What the names of the streams begin with in which subscriptions are kept. The API does not show them. ' +
      'Instances with the same prefix and virtual host share subscriptions'
    ),
    heartbeatSeconds: read.integer(
      'PUSH_HEARTBEAT_SECONDS',
      { default: 2, min: 1, max: 60 },
      'Heartbeat of the connections by which instances share the deliveries. Another instance takes over from one ' +
      'that is frozen after about three of them'
    ),
    handoverMs: read.integer(
      'PUSH_HANDOVER_MS',
      { default: 5000, min: 0, max: 15_000 },
      'How long requests in flight may take to end before another instance takes over, or this one stops'
    )
  }
}

function readEndpoints (read: SettingReader, yesOrNo: (name: string, description: string) => boolean) {
  return {
    allowHttp: yesOrNo('PUSH_ALLOW_HTTP', 'Whether endpoints may be reached without TLS'),
    allowedHosts: read.parsed(
      'PUSH_ALLOWED_HOSTS',
      parseHosts,
      [],
      'host names, separated by commas',
      'Names of endpoints that may have addresses which are not public, such as `hooks.internal`'
    ),
    allowedNetworks: read.parsed(
      'PUSH_ALLOWED_NETWORKS',
      parseNetworks,
      [],
      'addresses and CIDRs, separated by commas',
      'Networks that are not public to which deliveries may go, such as `10.0.0.0/8`'
    ),
    maxConnectionsPerOrigin: read.integer(
      'PUSH_MAX_ENDPOINT_CONNECTIONS',
      { default: 256, min: 1, max: 10_000 },
      'Most connections to one endpoint (scheme, host and port) at once'
    )
  }
}

/** Refuses subscriptions whose secrets would lie in RabbitMQ in clear without anybody having decided so. */
export function refusePushWithoutKey (
  read: SettingReader,
  { isEnabled, encryptionKeys, hasPlaintextSecrets }: Pick<
    ReturnType<typeof readPush>, 'isEnabled' | 'encryptionKeys' | 'hasPlaintextSecrets'
  >
): void {
  if (isEnabled && encryptionKeys.length === 0 && !hasPlaintextSecrets) {
    read.reject(
      'PUSH_ENABLED',
      'needs PUSH_ENCRYPTION_KEY (for example from: openssl rand -base64 32), or PUSH_PLAINTEXT_SECRETS=true to ' +
      'store secrets of subscriptions in RabbitMQ without encryption'
    )
  }
}

function parseKeys (text: string): readonly string[] {
  return itemsOf(text).map((item) => {
    const key = Buffer.from(item, /^[0-9a-f]{64}$/i.test(item) ? 'hex' : 'base64')
    if (key.length !== KEY_BYTES) throw new BadValue(`must be ${KEY_BYTES} bytes as base64 or hexadecimal digits`)
    return key.toString('hex')
  })
}

function parseHosts (text: string): readonly string[] {
  const hosts = parseHostPatterns(text)
  if (hosts.some((host) => host.startsWith('*'))) throw new BadValue('must be host names without wildcards')
  return hosts
}

function parseNetworks (text: string): readonly string[] {
  return parseTrustedProxies(text).map(({ address, bits }) => `${address}/${bits}`)
}
