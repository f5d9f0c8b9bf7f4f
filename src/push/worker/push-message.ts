import { ENTRY_LENGTH_BYTES, type ReadMessage, type ReadPiece, type Unreadable } from '../../streams/index.ts'
import type { Deliverable } from '../delivery/delivery.ts'

/** A message on its way to an endpoint. Its bytes are a copy, so that it holds nothing of the reader it came from. */
export interface PushMessage extends Deliverable {
  /** When its chunk was written, ms since 1970, by the broker's clock. */
  readonly timestamp: number
  /** As it is stored. */
  readonly bytes: Uint8Array
  readonly place: Place
  /** Where it was at first, when it is read from another stream: endpoints see this place. */
  readonly origin?: Origin
}

/** Where a message was. */
export interface Origin {
  /** The API's name. */
  readonly stream: string
  readonly offset: number
  /** When its chunk was written, ms since 1970, by the broker's clock. */
  readonly timestamp: number
}

/** The offset and the time that an endpoint sees. */
export function shownPlace ({ offset, lastOffset, timestamp, origin }: PushMessage) {
  return origin === undefined ? { offset, lastOffset, timestamp } : { ...origin, lastOffset: origin.offset }
}

/** Where the bytes lie: in a copy of several messages, each behind its length; or records that cannot be told apart. */
type Place =
  | { readonly kind: 'run', readonly data: Buffer, readonly start: number, readonly end: number }
  | Unreadable

/** Copies messages. */
export function copyOf (pieces: readonly ReadPiece[]): PushMessage[] {
  const messages: PushMessage[] = []
  for (const piece of pieces) {
    if (piece.kind === 'run') addRun(piece, messages)
    else messages.push(unreadable(piece))
  }
  return messages
}

/** The messages as a read returns them. Those that lie one behind the other stay together. */
export function piecesOf (messages: readonly PushMessage[]): ReadPiece[] {
  const pieces: ReadPiece[] = []
  let run: { data: Buffer, start: number, end: number, offset: number, timestamp: number, count: number } | undefined
  for (const message of messages) {
    const { place } = message
    const { offset, timestamp } = shownPlace(message)
    if (place.kind === 'unreadable') {
      run = undefined
      pieces.push(place)
    } else if (run?.data === place.data && run.end === place.start && run.offset + run.count === offset) {
      run.end = place.end
      run.count++
    } else {
      const { data, start, end } = place
      const next = { kind: 'run' as const, data, start, end, offset, timestamp, count: 1 }
      pieces.push(next)
      run = next
    }
  }
  return pieces
}

/** The message as a read returns it. */
export function readMessageOf (message: PushMessage): ReadMessage {
  const { bytes, place } = message
  const { offset, timestamp } = shownPlace(message)
  return place.kind === 'unreadable' ? place : { kind: 'entry', offset, timestamp, bytes }
}

function addRun (run: Extract<ReadPiece, { kind: 'run' }>, into: PushMessage[]): void {
  const { offset, timestamp, count } = run
  const data = Buffer.from(run.data.subarray(run.start, run.end))
  let start = 0
  for (let index = 0; index < count; index++) {
    const from = start + ENTRY_LENGTH_BYTES
    const end = from + data.readUInt32BE(start)
    const at = offset + index
    const place = { kind: 'run', data, start, end } as const
    into.push({ offset: at, lastOffset: at, timestamp, bytes: data.subarray(from, end), place })
    start = end
  }
}

function unreadable (piece: Unreadable): PushMessage {
  const { offset, timestamp, records } = piece
  const bytes = Buffer.from(piece.bytes)
  return { offset, lastOffset: offset + records - 1, timestamp, bytes, place: { ...piece, bytes } }
}
