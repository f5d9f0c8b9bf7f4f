import {
  dataBodyOf, dataSectionHeaderLength, splitAnnotations, withAnnotations, writeDataSectionHeader, type AmqpMap,
  type AmqpValue
} from '../../streams/index.ts'
import type { FailureClass } from '../delivery/failure.ts'

const PREFIX = 'x-push-'
const MAX_ERROR_BYTES = 1024
// How much of the error's text is left when the entry would not fit into a frame.
const ERROR_BYTES = [MAX_ERROR_BYTES, 512, 256, 128, 64, 0]
const UNKNOWN_FORMAT = 'unknown'

/** Of which subscription an entry of an error stream is. */
export interface EntryOwner {
  readonly subscription: string
  /** Of a subscription of a super stream; empty otherwise. */
  readonly superStream: string
}

/** Where a message has come from. */
export interface Origin {
  /** The API's name of the stream, or of the partition. */
  readonly stream: string
  readonly offset: number
  /** When its chunk was written, ms since 1970, by the broker's clock. */
  readonly timestamp: number
}

/** How a message has failed for good. */
export interface EntryFailure {
  readonly attempts: number
  readonly failure: FailureClass
  readonly status: number | undefined
  readonly error: string
  /** By the clock, ms since 1970. */
  readonly firstFailedAt: number
  readonly failedAt: number
}

/** What an entry of an error stream says. */
export interface ErrorEntry {
  /** The message as it was in its stream. */
  readonly original: Uint8Array
  readonly origin: Origin
  readonly owner: EntryOwner
  /** The redrive that has made the entry; empty when none has. */
  readonly redrive: string
  /** Undefined in an entry that had no room for it. */
  readonly failure: string | undefined
  readonly status: number | undefined
}

/** What is written of a message. */
export interface EntryFacts {
  readonly owner: EntryOwner
  readonly origin: Origin
  readonly redrive: string
  readonly failure: EntryFailure
}

/**
 * An entry of an error stream: the message as it is stored, with annotations. The message is never cut. What is not an
 * AMQP message becomes the body of one.
 *
 * @param maxBytes what fits: the text of the error is cut first, then nothing but the origin is left, then its offset
 */
export function encodeEntry (message: Uint8Array, facts: EntryFacts, maxBytes = Infinity): Buffer {
  for (const errorBytes of ERROR_BYTES) {
    const entry = annotated(message, [...originOf(facts), ...failureOf(facts, errorBytes)])
    if (entry.length <= maxBytes) return entry
  }
  const entry = annotated(message, originOf(facts))
  return entry.length <= maxBytes ? entry : annotated(message, [offsetOf(facts)])
}

/** Undefined when the bytes are not such an entry, or when it says nothing of its subscription. */
export function readEntry (bytes: Uint8Array): ErrorEntry | undefined {
  const split = splitAnnotations(bytes, isOurs)
  if (split === undefined || split.taken.length === 0) return undefined
  const values = new Map(split.taken.map(([key, value]) => [textOf(key), value]))
  const text = (name: string): string | undefined => textOf(values.get(PREFIX + name))
  const number = (name: string): number | undefined => numberOf(values.get(PREFIX + name))
  const subscription = text('subscription')
  const stream = text('stream')
  const offset = number('offset')
  const timestamp = number('timestamp')
  if (subscription === undefined || stream === undefined || offset === undefined || timestamp === undefined) {
    return undefined
  }
  return {
    original: text('format') === UNKNOWN_FORMAT ? dataBodyOf(split.rest) ?? split.rest : split.rest,
    origin: { stream, offset, timestamp },
    owner: { subscription, superStream: text('super-stream') ?? '' },
    redrive: text('redrive') ?? '',
    failure: text('class'),
    status: number('status')
  }
}

function isOurs (key: string): boolean {
  return key.startsWith(PREFIX)
}

function annotated (message: Uint8Array, annotations: AmqpMap): Buffer {
  const entry = withAnnotations(message, annotations, isOurs)
  if (entry !== undefined) return entry
  const data = Buffer.allocUnsafe(dataSectionHeaderLength(message.length) + message.length)
  data.set(message, writeDataSectionHeader(data, 0, message.length))
  const format = annotation('format', string(UNKNOWN_FORMAT))
  return withAnnotations(data, [...annotations, format], isOurs) ?? data
}

function originOf ({ owner, origin, redrive }: EntryFacts): AmqpMap {
  return [
    annotation('subscription', string(owner.subscription)),
    ...(owner.superStream === '' ? [] : [annotation('super-stream', string(owner.superStream))]),
    annotation('stream', string(origin.stream)),
    annotation('offset', { type: 'ulong', value: BigInt(origin.offset) }),
    annotation('timestamp', time(origin.timestamp)),
    ...(redrive === '' ? [] : [annotation('redrive', string(redrive))])
  ]
}

function failureOf ({ failure }: EntryFacts, errorBytes: number): AmqpMap {
  const { attempts, failure: failureClass, status, error, firstFailedAt, failedAt } = failure
  return [
    annotation('attempts', uint(attempts)),
    annotation('class', string(failureClass)),
    ...(status === undefined ? [] : [annotation('status', uint(status))]),
    ...(errorBytes === 0 ? [] : [annotation('error', string(cut(error, errorBytes)))]),
    annotation('first-failed-at', time(firstFailedAt)),
    annotation('failed-at', time(failedAt))
  ]
}

function offsetOf ({ origin }: EntryFacts): AmqpMap[number] {
  return annotation('offset', { type: 'ulong', value: BigInt(origin.offset) })
}

function annotation (name: string, value: AmqpValue): AmqpMap[number] {
  return [{ type: 'symbol', value: PREFIX + name }, value]
}

function string (value: string): AmqpValue {
  return { type: 'string', value }
}

function uint (value: number): AmqpValue {
  return { type: 'uint', value }
}

function time (ms: number): AmqpValue {
  return { type: 'timestamp', value: BigInt(Math.round(ms)) }
}

// A decoder that expects more drops the beginning of a character at the end.
function cut (text: string, bytes: number): string {
  return new TextDecoder().decode(Buffer.from(text).subarray(0, bytes), { stream: true })
}

function textOf (value: AmqpValue | undefined): string | undefined {
  return value?.type === 'string' || value?.type === 'symbol' ? value.value : undefined
}

function numberOf (value: AmqpValue | undefined): number | undefined {
  switch (value?.type) {
    case 'ulong': case 'timestamp': case 'uint': return Number(value.value)
    default: return undefined
  }
}
