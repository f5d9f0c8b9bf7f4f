import { Type, type TSchema } from '@sinclair/typebox'
import { byName } from '../api/by-name.ts'
import { JSON_FRAME, MERGED_JSON_FRAME, NDJSON_FRAME, type BatchFrame, type MergedEnd } from './batch-text.ts'
import { addNdjsonLine, type UnfinishedLine } from './incoming.ts'
import type { Destination } from './json-message.ts'
import { JsonRequest } from './json-request.ts'
import { mediaTypeOf } from './media-type.ts'
import { ConsumerBatchSchema } from './consumer-batch-schema.ts'
import { MergedBatchSchema } from './merged-schemas.ts'
import { BatchSchema, MessageWrite } from './schemas.ts'
import type { WholeBodyLimits, WholeRequest } from './whole-request.ts'

/** A media type of a request body, as the OpenAPI document shows it. */
export interface BodyFormat {
  readonly mediaType: string
  readonly schema: TSchema
}

/** How the messages of a request body are read: from the whole body, or line by line while it arrives. */
export type RequestCodec =
  | { readonly framing: 'whole', readonly decode: (body: Buffer, limits: WholeBodyLimits) => WholeRequest }
  | { readonly framing: 'lines', readonly addLine: AddLine }

/**
 * Adds the message of a line to a batch, if the line has one. Lines count from 0.
 *
 * @returns what is left to do when the work was used up before
 * @throws MessageFormatError
 */
type AddLine = (line: Buffer, lineNumber: number, to: Destination) => UnfinishedLine | undefined

/** A media type of an answer, as the OpenAPI document shows it, and how messages are joined in it. */
export interface AnswerFormat {
  readonly mediaType: string
  readonly schema: TSchema
  readonly example: unknown
  /** How the answer to a consumer is shown, where it differs. */
  readonly forConsumer?: Pick<AnswerFormat, 'schema' | 'example'>
  readonly frame: BatchFrame
  /** The answer to a read of a super stream. */
  readonly merged: Pick<AnswerFormat, 'schema' | 'example'> & { readonly frame: BatchFrame<MergedEnd> }
}

interface MessagesFormat {
  readonly mediaType: string
  /** Undefined: no publish is sent in it. */
  readonly request?: RequestCodec & { readonly schema: (maxMessages: number) => TSchema }
  /** Undefined: no read is answered in it. */
  readonly answer?: Omit<AnswerFormat, 'mediaType'>
}

/** The media type of lines. */
export const LINES_TYPE = 'text/plain'

/** In place of a media type: any. */
export const ANY_TYPE = '*/*'

/** A message as a read returns it, for the OpenAPI document. */
export const EXAMPLE_MESSAGE = {
  offset: 0,
  timestamp: '2026-01-31T12:00:00.000Z',
  body: { hello: 'world' },
  bodyEncoding: 'json',
  properties: { contentType: 'application/json' }
}

const EXAMPLE_PARTITION_MESSAGE = { partition: 'orders-0', ...EXAMPLE_MESSAGE }

const JSON_FORMAT = {
  mediaType: 'application/json',
  request: { framing: 'whole', decode: (body, limits) => new JsonRequest(body, limits), schema: jsonBodySchema },
  answer: {
    frame: JSON_FRAME,
    schema: byName(BatchSchema),
    example: { messages: [EXAMPLE_MESSAGE], nextOffset: 1, endOfStream: true },
    forConsumer: {
      schema: byName(ConsumerBatchSchema),
      example: { messages: [EXAMPLE_MESSAGE], nextOffset: 1, commitOffset: 0, endOfStream: true }
    },
    merged: {
      frame: MERGED_JSON_FRAME,
      schema: byName(MergedBatchSchema),
      example: {
        messages: [EXAMPLE_PARTITION_MESSAGE],
        nextCursor: 'AQAZARoC0kfXlw',
        endOfStream: true,
        gaps: [],
        unavailable: []
      }
    }
  }
} as const satisfies MessagesFormat

/**
 * The media types in which messages are published and read. A new one is one row more: publishing, reading, the
 * answers 406 and 415 and the OpenAPI document are made from this table.
 */
const FORMATS: readonly MessagesFormat[] = [
  JSON_FORMAT,
  {
    mediaType: 'application/x-ndjson',
    request: {
      framing: 'lines',
      addLine: addNdjsonLine,
      schema: () => Type.String({
        description: 'One message a line. Empty lines are skipped.',
        examples: ['{"body":{"n":1}}\n{"body":{"n":2}}\n']
      })
    },
    answer: {
      frame: NDJSON_FRAME,
      schema: Type.String({ description: 'One message a line.' }),
      example: `${JSON.stringify(EXAMPLE_MESSAGE)}\n`,
      merged: {
        frame: NDJSON_FRAME,
        schema: Type.String({ description: 'One message a line.' }),
        example: `${JSON.stringify(EXAMPLE_PARTITION_MESSAGE)}\n`
      }
    }
  }
]

// Some generators know no other type for a body that is not JSON.
const BYTES_TYPE = 'application/octet-stream'
const BYTES = Type.String({ format: 'binary' })

/** One message, whatever its media type, which is stored with it. */
export const RAW_BODY_FORMATS: readonly BodyFormat[] = [
  { mediaType: LINES_TYPE, schema: Type.String({ examples: ['hello'] }) },
  { mediaType: BYTES_TYPE, schema: BYTES },
  { mediaType: ANY_TYPE, schema: BYTES }
]

/** Each line is a message, whatever the media type of the body. */
export const LINES_BODY_FORMATS: readonly BodyFormat[] = [
  { mediaType: LINES_TYPE, schema: Type.String({ examples: ['first\nsecond\n'] }) },
  { mediaType: BYTES_TYPE, schema: BYTES },
  { mediaType: ANY_TYPE, schema: BYTES }
]

/**
 * The formats that a publish of several messages may be sent in.
 *
 * @param maxMessages of one body, where it is read whole
 */
export function bodyFormats (maxMessages: number): readonly BodyFormat[] {
  return FORMATS.flatMap(({ mediaType, request }) =>
    request === undefined ? [] : [{ mediaType, schema: request.schema(maxMessages) }]
  )
}

const REQUEST_CODECS: ReadonlyMap<string, RequestCodec> = new Map(
  FORMATS.flatMap(({ mediaType, request }) => request === undefined ? [] : [[mediaType, request]])
)

/** How a body is read, by its `Content-Type`: one of `bodyFormats`, with any parameters. Without one it is JSON. */
export function requestCodec (contentType = ''): RequestCodec {
  return REQUEST_CODECS.get(mediaTypeOf(contentType)) ?? JSON_FORMAT.request
}

/** The formats that a read may be answered in, the preferred one first. */
export const ANSWER_FORMATS: readonly AnswerFormat[] = FORMATS.flatMap(({ mediaType, answer }) =>
  answer === undefined ? [] : [{ mediaType, ...answer }]
)

function jsonBodySchema (maxMessages: number): TSchema {
  return Type.Object(
    { messages: Type.Array(byName(MessageWrite), { maxItems: maxMessages }) },
    {
      title: 'MessagesToPublish',
      description: 'The messages of one request.',
      additionalProperties: false,
      examples: [
        {
          messages: [
            { body: 'hello', bodyEncoding: 'text', properties: { messageId: 'm-1' } },
            { body: { hello: 'world' } }
          ]
        }
      ]
    }
  )
}
