import { Channel } from './channel.ts'
import { unknownCommand } from './commands/command.ts'
import { exchangeCommandVersions, type CommandVersions } from './commands/exchange-command-versions.ts'
import { CommandKey, maxVersion } from './commands/keys.ts'
import { open } from './commands/open.ts'
import { peerProperties } from './commands/peer-properties.ts'
import { saslAuthenticate, saslHandshake } from './commands/sasl.ts'
import { tune, type Tuning } from './commands/tune.ts'
import { connectFaultOf, type Progress } from './connect-diagnosis.ts'
import { CONNECT_FAULTS } from './connect-fault.ts'
import {
  AuthenticationError, ConnectionClosedError, FrameSizeError, ProtocolError, ResponseError, UnsupportedBrokerError
} from './errors.ts'
import type { Authentication, ConnectionOptions } from './options.ts'
import { ResponseCode } from './response-codes.ts'
import { startConnecting } from './socket.ts'

/** A channel that the broker has opened, and what the broker said about itself. */
export interface OpenChannel {
  readonly channel: Channel
  /** What both sides agreed on; 0: no heartbeats. */
  readonly heartbeatSeconds: number
  readonly brokerVersion: string
  readonly peerProperties: ReadonlyMap<string, string>
  /** The answer to Open. */
  readonly connectionProperties: ReadonlyMap<string, string>
  /** By key. The broker does not know a command that is missing here. */
  readonly commandVersions: ReadonlyMap<number, CommandVersions>
}

const OLDEST_BROKER = { major: 3, minor: 13 } as const
/** The steps have no deadlines of their own: `connectTimeoutMs` holds for all of them together. */
const NO_TIMEOUT = 0

/**
 * Connects and performs PeerProperties, SaslHandshake, SaslAuthenticate, Tune, Open and ExchangeCommandVersions.
 *
 * @throws AuthenticationError, UnsupportedBrokerError, ConnectionClosedError, the reason of the signal
 */
export async function openChannel (options: ConnectionOptions, signal: AbortSignal | undefined): Promise<OpenChannel> {
  signal?.throwIfAborted()
  const connecting = startConnecting(options.host, options.port, options.tls)
  const channel = new Channel(connecting)
  const tuned = listenForTune(channel)
  const progress: Progress =
    { isWithTls: options.tls !== undefined, isConnected: false, isAuthenticating: false, hasTimedOut: false }
  const connected = new Promise<void>((resolve, reject) => {
    connecting.socket.once(connecting.connectedEvent, () => {
      progress.isConnected = true
      resolve()
    })
    tuned.catch(reject)
  })
  const timer = setTimeout(() => {
    progress.hasTimedOut = true
    channel.fail(`the connection to the broker was not open within ${options.connectTimeoutMs} ms`)
  }, options.connectTimeoutMs)
  const abort = (): void => {
    channel.destroy(new ConnectionClosedError('us', 'opening the connection was aborted', { cause: signal?.reason }))
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await connected
    const opened = await performHandshake(channel, tuned, options, progress)
    channel.throwIfNotOpen()
    return opened
  } catch (error) {
    channel.destroy(new ConnectionClosedError('us', 'the connection could not be opened', { cause: error }))
    signal?.throwIfAborted()
    throw diagnosed(error, progress)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

// What a peer of another protocol said means nothing as a frame: the error says what the peer is.
function diagnosed (error: unknown, progress: Progress): unknown {
  const fault = connectFaultOf(error, progress)
  if (fault === undefined || !(error instanceof ProtocolError)) return error
  if (!(error instanceof ConnectionClosedError)) return Object.assign(error, { connectFault: fault })
  const diagnosis = error.cause instanceof FrameSizeError
    ? new ConnectionClosedError(error.closedBy, CONNECT_FAULTS[fault], { cause: error.cause })
    : error
  return Object.assign(diagnosis, { connectFault: fault })
}

// Rejects when the channel closes. The listener is set from the start, because Tune may arrive in the same read as the
// answer before it.
function listenForTune (channel: Channel): Promise<Tuning> {
  return new Promise((resolve, reject) => {
    channel.listen({
      received (key, version, reader) {
        if (key !== CommandKey.tune) throw unknownCommand(key, version)
        resolve(tune.read(reader, version))
      },
      closed: reject,
      drained () {},
      silent () {}
    })
  })
}

async function performHandshake (
  channel: Channel,
  tuned: Promise<Tuning>,
  options: ConnectionOptions,
  progress: Progress
): Promise<OpenChannel> {
  const properties = await channel.request(peerProperties, { properties: ourProperties(options) }, NO_TIMEOUT)
  const brokerVersion = properties.get('version') ?? ''
  refuseOldBroker(brokerVersion)
  progress.isAuthenticating = true
  await authenticate(channel, options.authentication)

  const tuning = agree(await tuned, options)
  channel.send(tune, tuning)
  channel.tune(tuning)
  const connectionProperties = await channel.request(open, { virtualHost: options.virtualHost }, NO_TIMEOUT)
    .catch((error: unknown) => { throw asRefusal('the broker refused the virtual host', error) })
  channel.opened()

  // A broker that does not know this command closes the connection, so its version is checked before.
  const commands = await channel.request(exchangeCommandVersions, { commands: UNDERSTOOD }, NO_TIMEOUT)
  const commandVersions = new Map(commands.map((command) => [command.key, command]))
  const { heartbeatSeconds } = tuning
  return {
    channel, heartbeatSeconds, brokerVersion, peerProperties: properties, connectionProperties, commandVersions
  }
}

function ourProperties ({ client, connectionName }: ConnectionOptions): ReadonlyMap<string, string> {
  return new Map([
    ['product', client?.product ?? 'RabbitMQ stream client'],
    ['version', client?.version ?? 'unknown'],
    ['platform', client?.platform ?? 'Node.js'],
    ['connection_name', connectionName]
  ])
}

function refuseOldBroker (version: string): void {
  const [, major = NaN, minor = NaN] = (/^(\d+)\.(\d+)/.exec(version) ?? []).map(Number)
  const isSupported = major > OLDEST_BROKER.major || (major === OLDEST_BROKER.major && minor >= OLDEST_BROKER.minor)
  if (isSupported) return
  throw new UnsupportedBrokerError(
    `RabbitMQ ${OLDEST_BROKER.major}.${OLDEST_BROKER.minor} or newer is needed; the version of this broker is ` +
    (version === '' ? 'not known' : version)
  )
}

async function authenticate (channel: Channel, authentication: Authentication): Promise<void> {
  const { mechanism } = authentication
  try {
    const offered = await channel.request(saslHandshake, undefined, NO_TIMEOUT)
    if (!offered.includes(mechanism)) {
      throw new AuthenticationError(
        `the broker does not offer ${mechanism}, only ${offered.join(', ')}`,
        saslHandshake.name,
        ResponseCode.saslMechanismNotSupported
      )
    }
    // PLAIN as in RFC 4616. With EXTERNAL the broker uses only the certificate.
    const data = authentication.mechanism === 'PLAIN' ? `\0${authentication.username}\0${authentication.password}` : ''
    await channel.request(saslAuthenticate, { mechanism, data: Buffer.from(data) }, NO_TIMEOUT)
  } catch (error) {
    throw asRefusal('the broker refused to authenticate', error)
  }
}

function asRefusal (message: string, error: unknown): unknown {
  return error instanceof ResponseError ? new AuthenticationError(message, error.command, error.responseCode) : error
}

function agree (theirs: Tuning, { frameMaxBytes, heartbeatSeconds }: ConnectionOptions): Tuning {
  return {
    frameMaxBytes: smaller(theirs.frameMaxBytes, frameMaxBytes),
    heartbeatSeconds: smaller(theirs.heartbeatSeconds, heartbeatSeconds)
  }
}

// 0 from the broker means that it sets no limit.
function smaller (theirs: number, ours: number): number {
  return theirs === 0 ? ours : Math.min(theirs, ours)
}

// The commands that the broker sends by itself. It uses the highest version that both sides name, which differs from 1
// only for Deliver so far.
export const UNDERSTOOD: readonly CommandVersions[] = [
  CommandKey.publishConfirm, CommandKey.publishError, CommandKey.deliver, CommandKey.metadataUpdate,
  CommandKey.consumerUpdate
].map((key) => ({ key, min: 1, max: maxVersion(key) }))
