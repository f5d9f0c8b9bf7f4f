import { AmqpDecodeError, dataBodyOf, type ReadMessage } from '../../streams/index.ts'

const LINE_FEED = 0x0a

/** A record of a log: a line of JSON and, when there are more, the bytes after it. */
export interface LogRecord {
  readonly offset: number
  /** What the line says; undefined: the record is not one of the gateway's. */
  readonly head: unknown
  /** A copy. Empty without a line feed. */
  readonly payload: Buffer
  /** Its size in the log. */
  readonly bytes: number
}

const NOTHING = Buffer.alloc(0)

/** The body of a record. */
export function encodeRecord (head: object, payload?: Uint8Array): Buffer {
  const line = Buffer.from(JSON.stringify(head))
  return payload === undefined ? line : Buffer.concat([line, Buffer.of(LINE_FEED), payload])
}

/** Never throws: what is not a record has no head. */
export function decodeRecord ({ offset, bytes, kind }: ReadMessage): LogRecord {
  const body = kind === 'unreadable' ? undefined : bodyOf(bytes)
  if (body === undefined) return { offset, head: undefined, payload: NOTHING, bytes: bytes.length }
  const at = body.indexOf(LINE_FEED)
  const head = parsed(Buffer.from(at === -1 ? body : body.subarray(0, at)).toString())
  return { offset, head, payload: at === -1 ? NOTHING : Buffer.from(body.subarray(at + 1)), bytes: bytes.length }
}

function bodyOf (bytes: Uint8Array): Uint8Array | undefined {
  try {
    return dataBodyOf(bytes)
  } catch (error) {
    if (error instanceof AmqpDecodeError) return undefined
    throw error
  }
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
