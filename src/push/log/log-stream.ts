import { MessageBatch, StreamsError, type Broker, type StreamArguments } from '../../streams/index.ts'
import { decodeRecord, type LogRecord } from './log-record.ts'

const PAGE_RECORDS = 1000
const PAGE_BYTES = 1024 * 1024

/** Records that follow each other. */
export interface LogPage {
  readonly records: readonly LogRecord[]
  /** Where the next page begins. */
  readonly nextOffset: number
  /** The log ended with the page when it was read. */
  readonly isEnd: boolean
  /** Retention has removed records between the offset that was asked for and the first record. */
  readonly hasGap: boolean
}

/** What became of a record that was written. */
export type Written =
  | { readonly isStored: true }
  | { readonly isStored: false, readonly mayBeStored: boolean, readonly error: StreamsError }

export interface LogStreamOptions {
  /** With the account of the gateway; names are the broker's. */
  readonly broker: Broker
  readonly stream: string
  /** Of the stream when it is created. */
  readonly args: StreamArguments
}

/** A stream in which the gateway keeps records for itself. */
export class LogStream {
  readonly name: string
  readonly #broker: Broker
  readonly #args: StreamArguments

  constructor ({ broker, stream, args }: LogStreamOptions) {
    this.name = stream
    this.#broker = broker
    this.#args = args
  }

  /** Creates the stream unless it is there. An operator may have given it other arguments. @throws StreamsError */
  async create (): Promise<void> {
    try {
      await this.#broker.streams.create(this.name, this.#args)
    } catch (error) {
      if (!(error instanceof StreamsError && error.code === 'stream_arguments_differ')) throw error
    }
  }

  /** The first offset that is still there. @throws StreamsError `stream_not_found`, ... */
  async firstOffset (): Promise<number> {
    return await this.#broker.consumers.resetTarget(this.name, { type: 'first' })
  }

  /**
   * @param waitMs how long to wait for a record when the log ends at the offset
   * @throws StreamsError `offset_out_of_range` when the log ends before the offset, ...; the signal's reason
   */
  async read (offset: number, waitMs: number, signal: AbortSignal): Promise<LogPage> {
    const request = { from: { type: 'offset', offset }, limit: PAGE_RECORDS, maxBytes: PAGE_BYTES, waitMs } as const
    const batch = await this.#broker.reading.read(this.name, request, signal)
    try {
      const records = batch.messages.map(decodeRecord)
      return { records, nextOffset: batch.nextOffset, isEnd: batch.endOfStream, hasGap: batch.gap !== undefined }
    } finally {
      batch.release()
    }
  }

  /** Writes records that belong together into one message each. Never throws. */
  async write (bodies: readonly Uint8Array[], signal?: AbortSignal): Promise<Written> {
    const batch = new MessageBatch()
    for (const body of bodies) batch.addData(body)
    try {
      const { failures } = await this.#broker.publishing.publish(this.name, batch, { signal })
      const failure = failures.find(({ status }) => status === 'unknown') ?? failures[0]
      if (failure === undefined) return { isStored: true }
      return { isStored: false, mayBeStored: failures.some(({ status }) => status === 'unknown'), error: failure.error }
    } catch (error) {
      if (error instanceof StreamsError) return { isStored: false, mayBeStored: false, error }
      return { isStored: false, mayBeStored: false, error: unavailable(error) }
    }
  }

  /** The next offset that is stored for a reference; undefined when no offset is stored. @throws StreamsError */
  async pointer (reference: string): Promise<number | undefined> {
    try {
      return Number((await this.#broker.consumers.storedOffset(this.name, reference)).nextOffset)
    } catch (error) {
      if (error instanceof StreamsError && error.code === 'consumer_offset_not_found') return undefined
      throw error
    }
  }

  /** Stores that the reference continues after the offset. It never goes back. @throws StreamsError */
  async point (reference: string, offset: number): Promise<void> {
    try {
      await this.#broker.consumers.storeOffset(this.name, reference, offset)
    } catch (error) {
      if (!(error instanceof StreamsError && error.code === 'offset_goes_back')) throw error
    }
  }
}

function unavailable (cause: unknown): StreamsError {
  return new StreamsError('broker_unavailable', 'the broker cannot be reached', { cause })
}
