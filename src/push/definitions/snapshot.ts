import { createHash, randomUUID, type Hash } from 'node:crypto'
import { encodeRecord, type LogRecord } from '../log/log-record.ts'
import { isCount, isString, listOf, oneOf, shape } from '../log/shape.ts'
import type { Subscription } from './command.ts'
import { isSubscription } from './command-check.ts'

/** All definitions after a command. */
export interface State {
  /** What lies at or before this offset in the log has been applied. */
  readonly asOf: number
  readonly subscriptions: readonly Subscription[]
  /** Of the commands that are remembered, the oldest first. */
  readonly commandIds: readonly string[]
}

const PART_BYTES = 256 * 1024
// Snapshots that are written at the same time: more than one only when an owner has lost its seat meanwhile.
const MAX_UNFINISHED = 4
const MAX_BYTES = 64 * 1024 * 1024

const isBegin = shape({ type: oneOf('snapshot-begin'), snapshot: isString, asOf: isCount })
const isPart = shape({ type: oneOf('snapshot-part'), snapshot: isString, index: isCount })
const isEnd = shape({ type: oneOf('snapshot-end'), snapshot: isString, parts: isCount, digest: isString })
const isIds = shape({ commandIds: listOf(isString) })

/** The records of a snapshot in their order, made one by one. */
export function * snapshotRecords ({ asOf, subscriptions, commandIds }: State): Generator<Buffer> {
  const snapshot = randomUUID()
  yield encodeRecord({ type: 'snapshot-begin', snapshot, asOf })
  const hash = createHash('sha256')
  let parts = 0
  for (const part of partsOf(linesOf(subscriptions, commandIds))) {
    hash.update(part)
    yield encodeRecord({ type: 'snapshot-part', snapshot, index: parts++ }, part)
  }
  yield encodeRecord({ type: 'snapshot-end', snapshot, parts, digest: hash.digest('hex') })
}

function * linesOf (subscriptions: readonly Subscription[], commandIds: readonly string[]): Generator<Buffer> {
  for (const subscription of subscriptions) yield Buffer.from(`${JSON.stringify(subscription)}\n`)
  yield Buffer.from(`${JSON.stringify({ commandIds })}\n`)
}

function * partsOf (lines: Iterable<Buffer>): Generator<Buffer> {
  let waiting: Buffer[] = []
  let bytes = 0
  for (const line of lines) {
    waiting.push(line)
    bytes += line.length
    if (bytes < PART_BYTES) continue
    let rest = Buffer.concat(waiting)
    for (; rest.length >= PART_BYTES; rest = rest.subarray(PART_BYTES)) yield rest.subarray(0, PART_BYTES)
    waiting = [rest]
    bytes = rest.length
  }
  if (bytes > 0) yield Buffer.concat(waiting)
}

/** A snapshot that is whole: its parts have the digest that its end names. */
export interface Snapshot {
  readonly asOf: number
  readonly text: Buffer
}

interface Unfinished {
  readonly asOf: number
  readonly parts: Buffer[]
  readonly hash: Hash
  bytes: number
}

/** Finds the snapshots among the records of a log. What is cut in the middle or was changed is no snapshot. */
export class SnapshotFinder {
  readonly #unfinished = new Map<string, Unfinished>()

  /** @returns the snapshot that ends with the record */
  take ({ head, payload }: LogRecord): Snapshot | undefined {
    if (isPart(head)) this.#add(head.snapshot, head.index, payload)
    else if (isBegin(head)) this.#begin(head.snapshot, head.asOf)
    else if (isEnd(head)) return this.#end(head.snapshot, head.parts, head.digest)
    return undefined
  }

  #begin (id: string, asOf: number): void {
    if (this.#unfinished.has(id)) return
    this.#unfinished.set(id, { asOf, parts: [], hash: createHash('sha256'), bytes: 0 })
    const [oldest] = this.#unfinished.size > MAX_UNFINISHED ? this.#unfinished.keys() : []
    if (oldest !== undefined) this.#unfinished.delete(oldest)
  }

  // A part that was written twice, because its confirm was lost, counts once.
  #add (id: string, index: number, payload: Buffer): void {
    const snapshot = this.#unfinished.get(id)
    if (snapshot === undefined || index < snapshot.parts.length) return
    snapshot.bytes += payload.length
    if (index > snapshot.parts.length || snapshot.bytes > MAX_BYTES) {
      this.#unfinished.delete(id)
      return
    }
    snapshot.parts.push(payload)
    snapshot.hash.update(payload)
  }

  #end (id: string, parts: number, digest: string): Snapshot | undefined {
    const snapshot = this.#unfinished.get(id)
    this.#unfinished.delete(id)
    if (snapshot === undefined || snapshot.parts.length !== parts) return undefined
    if (snapshot.hash.digest('hex') !== digest) return undefined
    return { asOf: snapshot.asOf, text: Buffer.concat(snapshot.parts) }
  }
}

/** Whether a record is a part of a snapshot, of whatever. */
export function isOfSnapshot ({ head }: LogRecord): boolean {
  return isPart(head) || isBegin(head) || isEnd(head)
}

/** What a snapshot says; undefined when this version of the gateway does not understand all of it. */
export function stateOf ({ asOf, text }: Snapshot): State | undefined {
  const subscriptions: Subscription[] = []
  const commandIds: string[] = []
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at)
    const line = parsed(text.subarray(at, end === -1 ? text.length : end))
    at = end === -1 ? text.length : end + 1
    if (isSubscription(line)) subscriptions.push(line)
    else if (isIds(line)) commandIds.push(...line.commandIds)
    else return undefined
  }
  return { asOf, subscriptions, commandIds }
}

function parsed (line: Buffer): unknown {
  try {
    return JSON.parse(line.toString())
  } catch {
    return undefined
  }
}
