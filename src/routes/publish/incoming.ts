import { Ajv } from 'ajv'
import { parseExactly } from '../../text/exact-json.ts'
import { decodeUtf8 } from '../../text/json.ts'
import { TextFault } from '../../text/text-fault.ts'
import { describeSchemaError } from '../../api/schema-error.ts'
import { invalidRequest, MAX_FIELD_ERRORS, type FieldError } from '../../api/problems.ts'
import type { MessageBatch } from '../../streams/index.ts'
import { MessageFormatError, parseMessage, type ParsedMessage } from '../../messages/index.ts'
import { MessageWrite } from '../../messages/schemas.ts'

// Not the validator of the app, which collects all errors: a message can be large, and each of a million unknown fields
// would be one. Here the first error of each message is enough.
const isMessage = new Ajv({ allErrors: false, allowUnionTypes: true, strictTuples: false }).compile<MessageWrite>(
  MessageWrite
)

/** A message, or what is wrong with it. @throws MessageFormatError */
function toMessage (json: unknown, exact: unknown, pointer: string): ParsedMessage {
  if (isMessage(json)) return parseMessage(json, pointer, bodyOf(exact))
  const [error] = isMessage.errors ?? []
  if (error === undefined) throw new MessageFormatError(pointer, 'is no message')
  const { pointer: within, message } = describeSchemaError(error)
  throw new MessageFormatError(pointer + within, message)
}

function bodyOf (message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'body' in message ? message.body : undefined
}

/** The rule for publishing ids: with a publisher name every message has one and they ascend; without, none has. */
export class PublishingIds {
  readonly #isNamed: boolean
  #last = -1

  constructor (publisher: string | undefined) {
    this.#isNamed = publisher !== undefined
  }

  /** @throws MessageFormatError */
  check (id: number | undefined, pointer: string): void {
    if (id === undefined) {
      if (this.#isNamed) throw new MessageFormatError(pointer, 'is required with a publisher name')
      return
    }
    if (!this.#isNamed) throw new MessageFormatError(pointer, 'needs a publisher name: ?publisher=')
    if (id <= this.#last) throw new MessageFormatError(pointer, 'must be higher than the one before')
    this.#last = id
  }
}

/**
 * Adds all messages of a JSON body to a batch, if all of them are good.
 *
 * @param exact the same messages with all digits of their numbers
 * @throws RequestError that names up to 20 bad ones
 */
export function addAll (
  messages: readonly unknown[],
  exact: readonly unknown[],
  ids: PublishingIds,
  batch: MessageBatch
): void {
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
  if (errors.length > 0) throw invalidRequest(errors)
}

/**
 * Adds the message of one line of NDJSON.
 *
 * @throws RequestError whose pointers start with the number of the line, from 0
 */
export function addLine (line: Buffer, lineNumber: number, ids: PublishingIds, batch: MessageBatch): void {
  const pointer = `/${lineNumber}`
  try {
    const { value, exact } = parseExactly(decodeUtf8(line))
    const { message, publishingId } = toMessage(value, exact, pointer)
    ids.check(publishingId, `${pointer}/publishingId`)
    batch.add(message, publishingId)
  } catch (error) {
    if (error instanceof MessageFormatError) {
      throw invalidRequest([{ pointer: error.pointer, message: error.message }], error)
    }
    if (error instanceof TextFault) throw invalidRequest([{ pointer, message: `the line ${error.message}` }], error)
    throw error
  }
}
