import type { FrameReader } from '../frame-reader.ts'
import type { Request } from './command.ts'

/** An address as the broker advertises it. */
export interface BrokerAddress { readonly host: string, readonly port: number }

export interface StreamMetadata {
  readonly stream: string
  /** When it is not ok, the rest is empty. */
  readonly responseCode: number
  /** Undefined while the stream has no running leader. */
  readonly leader: BrokerAddress | undefined
  readonly replicas: readonly BrokerAddress[]
}

/**
 * Streams [string] -> Brokers [Broker], Streams [StreamMetadata]
 *   Broker         => Reference uint16, Host string, Port uint32
 *   StreamMetadata => Stream string, ResponseCode uint16, Leader uint16, Replicas [uint16] // references to brokers
 *
 * The answer has no response code, but each stream has one. A missing leader or replica is a reference that
 * names no broker: the broker writes 65535.
 */
export const metadata: Request<{ streams: readonly string[] }, StreamMetadata[]> = {
  name: 'metadata',
  isWithoutResponseCode: true,
  write (writer, { streams }) { writer.array(streams, (to, stream) => to.string(stream)) },
  read (reader) {
    const brokers = new Map(reader.array((from) => [from.u16(), { host: from.string(), port: from.u32() }]))
    return reader.array((from) => readStream(from, brokers))
  }
}

function readStream (reader: FrameReader, brokers: ReadonlyMap<number, BrokerAddress>): StreamMetadata {
  const stream = reader.string()
  const responseCode = reader.u16()
  const leader = brokers.get(reader.u16())
  const replicas = reader.array((from) => brokers.get(from.u16())).filter((broker) => broker !== undefined)
  return { stream, responseCode, leader, replicas }
}
