import { setTimeout as sleep } from 'node:timers/promises'
import {
  MessageBatch, StreamsError, type Broker, type Logger, type PublishResult, type StreamArguments
} from '../../streams/index.ts'
import type { RetryState } from '../delivery/delivery.ts'
import { delayAfter } from '../delivery/retry.ts'
import type { ErrorEntries, FailedMessage } from '../worker/error-entries.ts'
import { unlessAborted } from './abortable.ts'
import { encodeEntry, type EntryFacts, type EntryOwner } from './error-entry.ts'
import { isInTail } from './tail.ts'

const RETRY = { initialDelayMs: 200, maxDelayMs: 10_000, factor: 2 }
// What is kept of the header and the entry beside the message, at most: the batch then need not grow.
const BATCH_BYTES = 4096

export interface ErrorStreamOptions {
  readonly broker: Pick<Broker, 'publishing' | 'reading' | 'streams'>
  /** The API's name of the error stream. */
  readonly errorStream: string
  /** The API's name of the stream that messages come from: an error stream that is missing is created like it. */
  readonly source: string
  readonly owner: EntryOwner
  /** The redrive whose failures are written; empty otherwise. */
  readonly redrive: string
  /**
   * With a name an entry is not stored twice: its publishing id is the offset of the message, plus one. So the offsets
   * have to ascend as long as the name is the same. Undefined: an entry may be there twice.
   */
  readonly publisher: string | undefined
  /** Told why an entry cannot be written at the moment; null when it is written. */
  readonly blocked: (reason: string | null) => void
  readonly logger: Logger
}

/** The error stream of a unit, as its owner writes to it. */
export class ErrorStream implements ErrorEntries {
  readonly #options: ErrorStreamOptions
  #publisher: string | undefined
  // What fits into a frame, when an entry did not.
  #maxBytes = Infinity

  constructor (options: ErrorStreamOptions) {
    this.#options = options
    this.#publisher = options.publisher
  }

  /** See `ErrorEntries`. One call at a time when there is a publisher name. */
  async write (message: FailedMessage, state: RetryState, signal: AbortSignal): Promise<void> {
    const { owner, source: stream, redrive, blocked } = this.#options
    const { offset, timestamp, bytes, origin = { stream, offset, timestamp } } = message
    const facts = { owner, origin, redrive, failure: state }
    let mended: string | undefined
    for (let failures = 1; ; failures++) {
      const failure = await this.#attempt(bytes, facts, offset, signal)
      if (failure === undefined) break
      if (await this.#mend(failure, signal) && failure.code !== mended) {
        mended = failure.code
      } else {
        blocked(`the error stream cannot be written: ${failure.message}`)
        await sleep(delayAfter(failures, RETRY), undefined, { signal }).catch(() => {})
      }
    }
    blocked(null)
  }

  // Why the entry is not stored, or may not be; undefined: it is.
  async #attempt (
    bytes: Uint8Array, facts: EntryFacts, offset: number, signal: AbortSignal
  ): Promise<StreamsError | undefined> {
    signal.throwIfAborted()
    try {
      const { duplicates, failures: [failed], doubted } = await this.#publish(bytes, facts, offset, signal)
      if (failed !== undefined) return failed.error
      if (doubted !== undefined) return doubted.error
      if (duplicates > 0) await this.#checkDuplicate(bytes, facts, offset, signal)
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StreamsError) return error
      throw error
    }
  }

  async #publish (
    bytes: Uint8Array, facts: EntryFacts, offset: number, signal: AbortSignal
  ): Promise<PublishResult> {
    const { broker, errorStream } = this.#options
    const publisher = this.#publisher
    const batch = new MessageBatch(bytes.length + BATCH_BYTES)
    batch.addEncoded(encodeEntry(bytes, facts, this.#maxBytes), publisher === undefined ? undefined : offset + 1)
    return await unlessAborted(broker.publishing.publish(errorStream, batch, { publisher, signal }), signal)
  }

  // An owner before has written the entry and not stored the offset, or the publisher name has had higher offsets: then
  // the broker has dropped the entry.
  async #checkDuplicate (bytes: Uint8Array, facts: EntryFacts, offset: number, signal: AbortSignal): Promise<void> {
    const { broker, errorStream, logger } = this.#options
    if (await isInTail(broker.reading, errorStream, facts, signal)) return
    logger.warn(
      { errorStream, publisher: this.#publisher, offset },
      'an error entry was taken for a duplicate that is not there: entries are written without a publisher name'
    )
    this.#publisher = undefined
    const { failures: [failed] } = await this.#publish(bytes, facts, offset, signal)
    if (failed !== undefined) throw failed.error
  }

  // Whether what was in the way is out of it.
  async #mend (failure: StreamsError, signal: AbortSignal): Promise<boolean> {
    switch (failure.code) {
      case 'stream_not_found': return await this.#create(signal)
      case 'message_too_large': return this.#shorten(failure)
      default: return false
    }
  }

  #shorten ({ details }: StreamsError): boolean {
    const before = this.#maxBytes
    if (details !== undefined && 'limitBytes' in details) this.#maxBytes = Math.min(before, details.limitBytes)
    return this.#maxBytes < before
  }

  async #create (signal: AbortSignal): Promise<boolean> {
    const { broker, errorStream, source, logger } = this.#options
    try {
      await unlessAborted(broker.streams.create(errorStream, await this.#retention(source, signal)), signal)
      logger.info({ errorStream, source }, 'an error stream was created')
      return true
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StreamsError) return false
      throw error
    }
  }

  // Only the management API knows the arguments of a stream. Without it the broker's own defaults, and policies, hold.
  async #retention (source: string, signal: AbortSignal): Promise<StreamArguments> {
    const { broker } = this.#options
    try {
      const { arguments: args = {} } = await unlessAborted(broker.streams.describe(source), signal)
      const { maxLengthBytes, maxAge, maxSegmentSizeBytes } = args
      return {
        ...(typeof maxLengthBytes === 'number' && { maxLengthBytes }),
        ...(typeof maxAge === 'string' && { maxAge }),
        ...(typeof maxSegmentSizeBytes === 'number' && { maxSegmentSizeBytes })
      }
    } catch (error) {
      if (error instanceof StreamsError && error.code === 'stream_not_found') return {}
      throw error
    }
  }
}
