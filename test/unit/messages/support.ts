import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { toMessage } from '../../../src/messages/json-message.ts'
import { MessageScan } from '../../../src/messages/message-scan.ts'
import { MessageRead, MessageWrite } from '../../../src/messages/schemas.ts'
import { encodedLength, encodeMessage } from '../../../src/streams/amqp/index.ts'
import { messageToJsonText } from '../../../src/messages/index.ts'
import { JsonScanner } from '../../../src/text/json-scanner.ts'
import type { ParsedMessage } from '../../../src/messages/write-json.ts'
import type { ReadEncoding } from '../../../src/messages/index.ts'
import type { OutgoingMessage, ReadMessage } from '../../../src/streams/index.ts'

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true })
formats.default(ajv)

export const isMessageWrite = ajv.compile<MessageWrite>(MessageWrite)
export const isMessageRead = ajv.compile<MessageRead>(MessageRead)

const limits = { maxMessageValues: 1000, frameMaxBytes: 1024 * 1024 }

/** The message that a publish request makes of a JSON message, or of its text. */
export function written (json: unknown, pointer = ''): ParsedMessage {
  const bytes = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json))
  const span = new MessageScan(new JsonScanner(bytes), limits).scan(Infinity)
  if (span === undefined) throw new Error('the scan has not reached the end')
  return toMessage(bytes, span, 0, pointer, { limits, work: { units: Infinity } })
}

/** The message as a read delivers it. */
export function stored (message: OutgoingMessage): ReadMessage {
  const bytes = Buffer.alloc(encodedLength(message))
  encodeMessage(message, bytes, 0)
  return entry(bytes)
}

/** The message as a client reads it. Numbers in a JSON body are then numbers of JavaScript. */
export function readableMessage (message: ReadMessage, encoding: ReadEncoding): MessageRead {
  return JSON.parse(messageToJsonText(message, encoding))
}

export function entry (bytes: Uint8Array): ReadMessage {
  return { kind: 'entry', offset: 7, timestamp: 1_738_324_800_000, bytes }
}

export const unreadable = {
  kind: 'unreadable' as const,
  offset: 8,
  timestamp: 1_738_324_800_000,
  bytes: Buffer.from('packed'),
  records: 100,
  compression: 'zstd',
  reason: 'the "batch" is damaged'
} satisfies ReadMessage
