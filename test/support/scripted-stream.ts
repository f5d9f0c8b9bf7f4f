import type { Test } from 'tap'
import type { Broker } from '../../src/streams/index.ts'
import {
  answerFrame,
  answerWith,
  frame,
  rawFrame,
  ScriptedBroker,
  type Answer,
  type Received
} from '../unit/protocol/scripted-broker.ts'
import type { CommandName } from '../../src/streams/protocol/index.ts'
import { openBroker, type TestBrokerOptions } from './streams.ts'

/** A subscription that the gateway has made. */
export interface Subscribed {
  readonly subscriptionId: number
  /** Where it starts; 0 for anything but an offset. */
  readonly offset: number
  /** Delivers a chunk to it. */
  deliver (...chunks: Buffer[]): void
}

/** Messages that the gateway has sent. */
export interface Published {
  readonly publisherId: number
  readonly publishingIds: readonly bigint[]
  confirm (...publishingIds: bigint[]): void
  fail (responseCode: number, ...publishingIds: bigint[]): void
}

export interface StreamScript {
  /** A subscription was made, with one credit: for one chunk. */
  subscribed? (subscribed: Subscribed): void
  /** The gateway gave more credit, for this many chunks. */
  credited? (subscribed: Subscribed, credit: number): void
  published? (published: Published): void
  /** What the broker says of the stream's end. Default: chunk 0 is the only one. */
  committedChunkId?: () => number
  answers?: Partial<Record<CommandName, Answer>>
}

/** A peer with one stream, all of whose answers the test decides, and a broker of the domain connected to it alone. */
export async function scriptedStream (
  t: Test,
  script: StreamScript,
  options: Partial<TestBrokerOptions> = {}
): Promise<{ peer: ScriptedBroker, broker: Broker }> {
  const subscriptions = new Map<string, Subscribed>()
  const peer: ScriptedBroker = await ScriptedBroker.start(t, {
    open: ({ correlationId, reply }) => {
      reply(answerFrame('open', correlationId, 1, (writer) => writer.map(new Map())))
    },
    metadata: (received) => { received.reply(metadataOf(received, peer.port)) },
    declarePublisher: ok('declarePublisher'),
    deletePublisher: ok('deletePublisher'),
    unsubscribe: ok('unsubscribe'),
    streamStats: ({ correlationId, reply }) => {
      const committed = BigInt(script.committedChunkId?.() ?? 0)
      const stats = [['first_chunk_id', 0n], ['last_chunk_id', committed], ['committed_chunk_id', committed]] as const
      reply(answerFrame('streamStats', correlationId, 1, (writer) => {
        return writer.array(stats, (to, [name, value]) => to.string(name).i64(value))
      }))
    },
    subscribe: (received) => {
      const subscribed = readSubscribe(received)
      subscriptions.set(`${received.socket.remotePort} ${subscribed.subscriptionId}`, subscribed)
      received.reply(answerFrame('subscribe', received.correlationId))
      script.subscribed?.(subscribed)
    },
    credit: ({ reader, socket }) => {
      const subscribed = subscriptions.get(`${socket.remotePort} ${reader.u8()}`)
      if (subscribed !== undefined) script.credited?.(subscribed, reader.u16())
    },
    publish: (received) => { script.published?.(readPublish(received)) },
    ...script.answers
  })
  const broker = openBroker(t, { hosts: [{ host: '127.0.0.1', port: peer.port }], management: undefined, ...options })
  return { peer, broker }
}

/** A chunk in a Deliver frame. */
export function deliverFrame (subscriptionId: number, chunk: Buffer): Buffer {
  return rawFrame('00080001' + subscriptionId.toString(16).padStart(2, '0'), chunk)
}

function ok (name: CommandName): Answer {
  return answerWith(name, 1)
}

function metadataOf ({ correlationId, reader }: Received, port: number): Buffer {
  const streams = reader.array((from) => from.string())
  return frame('metadata', (writer) => writer.u32(correlationId)
    .array([0], (to, reference) => to.u16(reference).string('127.0.0.1').u32(port))
    .array(streams, (to, stream) => to.string(stream).u16(1).u16(0).u32(0)))
    .fill(0x80, 4, 5)
}

function readSubscribe ({ reader, reply }: Received): Subscribed {
  const subscriptionId = reader.u8()
  reader.string()
  const offset = reader.u16() === 4 ? (reader.u64AsNumber() ?? 0) : 0
  return {
    subscriptionId,
    offset,
    deliver: (...chunks) => { reply(...chunks.map((chunk) => deliverFrame(subscriptionId, chunk))) }
  }
}

function readPublish ({ reader, reply }: Received): Published {
  const publisherId = reader.u8()
  const publishingIds: bigint[] = []
  for (let left = reader.u32(); left > 0; left--) {
    publishingIds.push(reader.u64())
    for (let bytes = reader.u32(); bytes > 0; bytes--) reader.u8()
  }
  return {
    publisherId,
    publishingIds,
    confirm: (...ids) => {
      reply(frame('publishConfirm', (writer) => writer.u8(publisherId).array(ids, (to, id) => to.u64(id))))
    },
    fail: (code, ...ids) => {
      reply(frame('publishError', (writer) => writer.u8(publisherId).array(ids, (to, id) => to.u64(id).u16(code))))
    }
  }
}
