import type { Test } from 'tap'
import {
  Connection,
  type Chunk,
  type ConnectionClosedError,
  type ConnectionOptions,
  type PublishingIds
} from '../../src/streams/protocol/index.ts'
import { handlers, optionsFromUrl } from '../unit/protocol/open-connection.ts'
import { testStreamUrl, uniqueName } from '../support/broker.ts'

export const none = new Map<string, string>()

/** Hands out what arrives in the order in which it came, and waits for what has not arrived yet. */
class Inbox<T> {
  readonly #items: T[] = []
  readonly #waiting: Array<(item: T) => void> = []

  put (item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#items.push(item)
    else waiting(item)
  }

  async take (): Promise<T> {
    return this.#items.shift() ?? await new Promise((resolve) => { this.#waiting.push(resolve) })
  }
}

interface Opened {
  readonly connection: Connection
  readonly confirms: Inbox<{ publisherId: number, ids: number[] }>
  readonly failures: Inbox<{ publisherId: number, publishingId: number, responseCode: number }>
  readonly chunks: Inbox<{ subscriptionId: number, chunk: Chunk, committedChunkId: number | undefined }>
  readonly metadataUpdates: Inbox<{ responseCode: number, stream: string }>
  readonly refusedCredits: Inbox<{ subscriptionId: number, responseCode: number }>
  readonly closings: Inbox<ConnectionClosedError>
}

/** A connection that is closed with the test, and an inbox for each kind of what the broker sends. */
export async function open (t: Test, options: Partial<ConnectionOptions> = {}): Promise<Opened> {
  const inboxes: Omit<Opened, 'connection'> = {
    confirms: new Inbox(),
    failures: new Inbox(),
    chunks: new Inbox(),
    metadataUpdates: new Inbox(),
    refusedCredits: new Inbox(),
    closings: new Inbox()
  }
  const { confirms, failures, chunks, metadataUpdates, refusedCredits, closings } = inboxes
  const connection = await Connection.open(optionsFromUrl(testStreamUrl(), {
    connectionName: t.name,
    handlers: handlers({
      confirmed: (publisherId, ids) => { confirms.put({ publisherId, ids: toArray(ids) }) },
      publishFailed: (publisherId, publishingId, responseCode) => {
        failures.put({ publisherId, publishingId, responseCode })
      },
      delivered: (subscriptionId, chunk, committedChunkId) => {
        chunks.put({ subscriptionId, chunk, committedChunkId })
      },
      metadataUpdated: (responseCode, stream) => { metadataUpdates.put({ responseCode, stream }) },
      creditRefused: (subscriptionId, responseCode) => { refusedCredits.put({ subscriptionId, responseCode }) },
      closed: (error) => { closings.put(error) }
    }),
    ...options
  }))
  t.teardown(async () => { await connection.close() })
  return { connection, ...inboxes }
}

/** A stream that is deleted with the test. */
export async function createStream (t: Test, connection: Connection): Promise<string> {
  const stream = uniqueName('protocol')
  await connection.createStream(stream, none)
  t.teardown(async () => {
    const { connection } = await open(t)
    await connection.deleteStream(stream).catch(() => {}) // the test may have done it
  })
  return stream
}

export function entry (publishingId: number, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(12)
  header.writeBigUInt64BE(BigInt(publishingId), 0)
  header.writeInt32BE(bytes.length, 8)
  return Buffer.concat([header, bytes])
}

export async function publish (opened: Opened, stream: string, count: number, publisherId = 0): Promise<void> {
  await opened.connection.declarePublisher(publisherId, '', stream)
  const messages = Array.from({ length: count }, (_, index) => entry(index, `message ${index}`))
  opened.connection.publish(publisherId, count, messages)
  for (let confirmed = 0; confirmed < count;) confirmed += (await opened.confirms.take()).ids.length
}

function toArray (ids: PublishingIds): number[] {
  return Array.from({ length: ids.length }, (_, index) => ids.at(index))
}
