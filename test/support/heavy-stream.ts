import { EventEmitter, once } from 'node:events'
import rhea from 'rhea'
import { MessageBatch, type Broker, type OutgoingMessage } from '../../src/streams/index.ts'
import { encodedLength, encodeMessage } from '../../src/streams/amqp/index.ts'
import { Connection } from '../../src/streams/protocol/index.ts'
import { handlers, optionsFromUrl } from '../unit/protocol/open-connection.ts'
import { testAmqpUrl, testStreamUrl } from './broker.ts'

/** Publishes messages one by one: each is a chunk of its own. */
export async function storeMessages (
  broker: Broker, stream: string, messages: Iterable<OutgoingMessage>
): Promise<void> {
  for (const message of messages) {
    const batch = new MessageBatch()
    batch.add(message)
    await broker.publishing.publish(stream, batch)
  }
}

/** A message as it is stored. */
export function encoded (message: OutgoingMessage): Buffer {
  const bytes = Buffer.alloc(encodedLength(message))
  encodeMessage(message, bytes, 0)
  return bytes
}

/** Stores a message over AMQP 1.0, which takes up to 16 MiB, as it is. The stream protocol takes one frame. */
export async function storeByAmqp (stream: string, message: OutgoingMessage): Promise<void> {
  const { hostname, port, username, password } = new URL(testAmqpUrl())
  const connection = rhea.create_container().connect({
    host: hostname, port: Number(port), username, password, reconnect: false
  })
  const sender = connection.open_sender(`/queues/${stream}`)
  await once(sender, 'sendable')
  const accepted = once(sender, 'accepted')
  Reflect.apply(sender.send, sender, [encoded(message), undefined, 0])
  await accepted
  connection.close()
  await once(connection, 'connection_close')
}

/** A compressed sub-entry batch. */
export interface SubEntries {
  readonly compression: number
  readonly body: Buffer
  readonly count: number
  /** When it is expanded. */
  readonly length: number
}

/** The records of a sub-entry batch before it is compressed. */
export function recordsOf (messages: readonly OutgoingMessage[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => {
    const bytes = encoded(message)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return [length, bytes]
  }))
}

/** Stores a sub-entry batch, as a client does that compresses it. */
export async function storeSubEntries (
  stream: string, { compression, body, count, length }: SubEntries
): Promise<void> {
  const confirms = new EventEmitter()
  const connection = await Connection.open(optionsFromUrl(testStreamUrl(), {
    handlers: handlers({
      confirmed () { confirms.emit('confirmed') },
      publishFailed (...[, , code]) { confirms.emit('error', new Error(`refused with ${code}`)) }
    })
  }))
  await connection.declarePublisher(0, '', stream)
  const header = Buffer.alloc(19)
  header.writeBigUInt64BE(1n, 0)
  header.writeUInt8(0x80 | (compression << 4), 8)
  header.writeUInt16BE(count, 9)
  header.writeUInt32BE(length, 11)
  header.writeUInt32BE(body.length, 15)
  const confirmed = once(confirms, 'confirmed')
  connection.publish(0, 1, [header, body])
  await confirmed
  await connection.close()
}
