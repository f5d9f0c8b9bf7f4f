import { classify } from '../classify.ts'
import { Lease } from '../common/lease.ts'
import type { Entries } from '../entries.ts'
import { StreamsError } from '../errors.ts'
import type { MessageBatch } from '../message-batch.ts'
import type { Compression, Connection } from '../protocol/index.ts'
import type { Compressor } from './compressor.ts'
import { maxEntryBytes, refuseUnsendableBatch } from './message-size.ts'
import { callerLeft, type PublishResult } from './outcome.ts'
import { Pack } from './pack.ts'
import {
  PublishSession, tooManyUnconfirmed, type SessionOptions, type StreamedSession
} from './publish-session.ts'

// The next one is compressed while one is sent.
const MAX_UNDER_WAY = 2
// How long messages wait for others to share an entry with.
const LINGER_MS = 100

/** One publish request whose messages are packed into compressed entries, in their order. */
export class PackingSession implements StreamedSession {
  readonly #options: SessionOptions
  readonly #compression: Compression
  readonly #compressor: Compressor
  // Sends the entries.
  readonly #session: PublishSession
  #pack: Pack | undefined
  #linger: NodeJS.Timeout | undefined
  // The messages of the batches before.
  #count = 0
  #underWay = 0
  #hasSealed = false
  // Settles when the last entry was taken by the session that sends them, one after the other.
  #sent: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  #wake: () => void = () => {}

  constructor (options: SessionOptions, compression: Compression, compressor: Compressor) {
    this.#options = options
    this.#compression = compression
    this.#compressor = compressor
    this.#session = new PublishSession(options)
  }

  /** See `StreamedSession`. It may also throw that earlier messages could not be sent; then nothing behind them was. */
  async write (batch: MessageBatch): Promise<void> {
    const { publisher, signal } = this.#options
    if (signal?.aborted === true) throw callerLeft()
    // Deduplication counts entries, and Publish v2 has no sub-entry batches.
    const isNamed = publisher.reference !== undefined || batch.publishingIds !== undefined
    if (isNamed || batch.hasFilterValues) {
      throw new StreamsError('invalid_argument', 'compressed messages have no publishing ids and no filter values')
    }
    const connection = await this.#open()
    refuseUnsendableBatch(batch, this.#count, connection)
    for (let from = 0; from < batch.count;) from = await this.#add(batch, from, maxEntryBytes(connection))
    this.#count += batch.count
  }

  /** See `StreamedSession`. */
  async flush (): Promise<void> {
    await this.#sealLast()
    this.#throwFailure()
  }

  /** See `StreamedSession`. */
  async finish (): Promise<PublishResult> {
    await this.#sealLast()
    this.#pack?.lease.end()
    return await this.#session.finish()
  }

  async #open (): Promise<Connection> {
    try {
      return await this.#options.publisher.open()
    } catch (error) {
      throw classify(error)
    }
  }

  /** @returns the index after the messages that it has added, which may be the same index */
  async #add (batch: MessageBatch, from: number, maxBytes: number): Promise<number> {
    this.#throwFailure()
    const { budget } = this.#options
    const pack = this.#pack ??= new Pack(Lease.of(budget))
    const to = pack.fits(batch, from, maxBytes)
    const bytes = batch.entries(from, to).length
    if (to === from || (pack.count > 0 && !pack.lease.tryGrow(bytes))) {
      // Also where memory is short: what waits for memory must not hold any that only a later entry would give back.
      this.#seal()
      while (this.#underWay >= MAX_UNDER_WAY) await this.#roomAgain()
      return from
    }
    if (pack.count === 0) await this.#holdFirst(pack.lease, bytes)
    pack.add(batch, from, to)
    if (this.#linger === undefined) this.#startLinger()
    return to
  }

  // A request that has already sent something waits for room, see `PublishSession`.
  async #holdFirst (lease: Lease, bytes: number): Promise<void> {
    if (lease.tryGrow(bytes)) return
    const { budget, confirmTimeoutMs, signal } = this.#options
    if (this.#hasSealed && await lease.growLater(bytes, confirmTimeoutMs, signal)) return
    throw tooManyUnconfirmed(budget)
  }

  #startLinger (): void {
    this.#linger = setTimeout(() => {
      if (this.#underWay < MAX_UNDER_WAY) this.#seal()
      else this.#startLinger()
    }, LINGER_MS)
  }

  // No message is added any longer: it is compressed, and sent after the ones before.
  #seal (): void {
    clearTimeout(this.#linger)
    this.#linger = undefined
    const pack = this.#pack
    if (pack === undefined || pack.count === 0) return
    this.#pack = undefined
    this.#hasSealed = true
    this.#underWay++
    const packed = pack.entries(this.#compression, this.#compressor, this.#options.signal)
    this.#sent = this.#send(packed, pack.lease, this.#sent)
    this.#sent.catch((error: unknown) => { this.#failure ??= { error } })
  }

  async #send (packed: Promise<Entries>, lease: Lease, before: Promise<void>): Promise<void> {
    try {
      const entries = await packed
      await before
      await this.#session.write(entries, lease)
    } finally {
      lease.end()
      this.#underWay--
      this.#wake()
    }
  }

  async #sealLast (): Promise<void> {
    if (this.#failure === undefined) this.#seal()
    clearTimeout(this.#linger)
    await this.#sent.catch(() => {}) // noted already
  }

  #throwFailure (): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #roomAgain (): Promise<void> {
    await new Promise<void>((resolve) => { this.#wake = resolve })
  }
}
