import { Ajv } from 'ajv'
import { MAX_FIELD_ERRORS, type FieldError } from '../api/field-error.ts'
import { describeSchemaError } from '../api/schema-error.ts'
import type { MessageBatch } from '../streams/index.ts'
import { parseExactly } from '../text/exact-json.ts'
import { pointerTo } from '../text/json-pointer.ts'
import { decodeUtf8 } from '../text/json.ts'
import { TextFault } from '../text/text-fault.ts'
import { MessageFormatError } from './format-error.ts'
import type { PublishingIds } from './publishing-ids.ts'
import { MessageWrite } from './schemas.ts'
import { parseMessage, type ParsedMessage } from './write-json.ts'

/** The messages of a body that was read whole. */
export interface WholeBody {
  readonly count: number
  /**
   * Adds all messages to a batch. When one of them is bad, the batch is incomplete and must not be published.
   *
   * @returns one error for each bad message, at most MAX_FIELD_ERRORS; none when all messages were added
   */
  readonly addTo: (batch: MessageBatch, ids: PublishingIds) => readonly FieldError[]
}

/**
 * Reads a JSON body `{"messages": [...]}`. The messages themselves are checked by `addTo`.
 *
 * @throws TextFault when it is not JSON
 * @throws MessageFormatError when it is not an object with an array of messages
 */
export function decodeJsonBody (body: Buffer): WholeBody {
  const { value, exact } = body.length === 0 ? NOTHING : parseExactly(decodeUtf8(body))
  const messages = messagesOf(value)
  const exactMessages = messagesOf(exact)
  return { count: messages.length, addTo: (batch, ids) => addAll(messages, exactMessages, ids, batch) }
}

/**
 * Adds the message of one line of NDJSON to a batch.
 *
 * @throws MessageFormatError whose pointer starts with the number of the line, from 0
 */
export function addNdjsonLine (line: Buffer, lineNumber: number, ids: PublishingIds, batch: MessageBatch): void {
  const pointer = `/${lineNumber}`
  const { value, exact } = parseLine(line, pointer)
  const { message, publishingId } = toMessage(value, exact, pointer)
  ids.check(publishingId, `${pointer}/publishingId`)
  batch.add(message, publishingId)
}

const NOTHING = { value: undefined, exact: undefined }

function messagesOf (body: unknown): readonly unknown[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new MessageFormatError('', 'must be an object')
  }
  const unknown = Object.keys(body).find((name) => name !== 'messages')
  if (unknown !== undefined) throw new MessageFormatError(pointerTo('', unknown), 'is unknown')
  const messages = 'messages' in body ? body.messages : undefined
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new MessageFormatError('/messages', 'must be an array of at least one message')
  }
  return messages
}

function addAll (
  messages: readonly unknown[],
  exact: readonly unknown[],
  ids: PublishingIds,
  batch: MessageBatch
): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [index, json] of messages.entries()) {
    const pointer = `/messages/${index}`
    try {
      const { message, publishingId } = toMessage(json, exact[index], pointer)
      ids.check(publishingId, `${pointer}/publishingId`)
      if (errors.length === 0) batch.add(message, publishingId)
    } catch (error) {
      if (!(error instanceof MessageFormatError)) throw error
      errors.push({ pointer: error.pointer, message: error.message })
      if (errors.length === MAX_FIELD_ERRORS) break
    }
  }
  return errors
}

function parseLine (line: Buffer, pointer: string) {
  try {
    return parseExactly(decodeUtf8(line))
  } catch (error) {
    throw error instanceof TextFault ? new MessageFormatError(pointer, `the line ${error.message}`) : error
  }
}

// Not the validator of the app: that one collects all errors, and a large message may have a million unknown fields.
// Here the first error of each message is enough.
const isMessage = new Ajv({ allErrors: false, allowUnionTypes: true, strictTuples: false }).compile<MessageWrite>(
  MessageWrite
)

function toMessage (json: unknown, exact: unknown, pointer: string): ParsedMessage {
  if (isMessage(json)) return parseMessage(json, pointer, bodyOf(exact))
  const [error] = isMessage.errors ?? []
  if (error === undefined) throw new MessageFormatError(pointer, 'is not a valid message')
  const { pointer: within, message } = describeSchemaError(error)
  throw new MessageFormatError(pointer + within, message)
}

function bodyOf (message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'body' in message ? message.body : undefined
}
