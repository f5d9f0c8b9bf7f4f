import { classify } from '../classify.ts'
import { StreamsError } from '../errors.ts'
import type { Connection } from '../protocol/index.ts'
import type { Pulse } from './pulse.ts'

/**
 * What the active member of a group has and no other member: the right to act, and the connection that the right came
 * on. The broker works off what a connection sends in its order, and nothing more of a connection that it has given up.
 * So what is stored over a seat is stored before another member becomes active, or not at all.
 */
export class Seat {
  /** Aborts when the seat is lost: another process may have it already. Store nothing from then on. */
  readonly lost: AbortSignal
  readonly #pulse: Pulse

  /** @param lost aborts before the broker is told that the member is no longer active */
  constructor (pulse: Pulse, lost: AbortSignal) {
    this.lost = lost
    this.#pulse = pulse
    pulse.keep(lost)
  }

  /** Whether no other member can be active, for certain. False also for a moment after the seat was taken. */
  isFresh (): boolean {
    return !this.lost.aborted && this.#pulse.isFresh()
  }

  /**
   * Stores an offset, whatever is stored. Settles when it is read back from the leader of the stream. If the leader is
   * lost then, an earlier one may be stored again.
   *
   * @param stream the broker's name
   * @throws StreamsError `stream_not_available` when it is not kept; `stream_not_found`, `broker_unavailable`, ...
   */
  async store (stream: string, consumer: string, offset: number): Promise<void> {
    const wanted = BigInt(offset)
    const storedOffset = await this.#request(async (connection) => {
      return await connection.storeAndQueryOffset(consumer, stream, wanted)
    })
    if (storedOffset === wanted) return
    const message = 'the broker did not keep the offset: another client stored one at the same moment, or the stream ' +
      'has no leader'
    throw storedOffset === undefined
      ? new StreamsError('stream_not_available', message, { sideEffects: 'possible' })
      : new StreamsError('stream_not_available', message, { sideEffects: 'possible', details: { storedOffset } })
  }

  /**
   * The offset that is stored; undefined when none is.
   *
   * @param stream the broker's name
   * @throws StreamsError `stream_not_found`, `broker_unavailable`, ...
   */
  async stored (stream: string, consumer: string): Promise<number | undefined> {
    const stored = await this.#request(async (connection) => await connection.queryOffset(consumer, stream))
    return stored === undefined ? undefined : Number(stored)
  }

  // The seat may be lost while the request waits for its turn.
  async #request (request: (connection: Connection) => Promise<bigint>): Promise<bigint | undefined> {
    try {
      return await this.#pulse.request(async (connection) => {
        if (this.lost.aborted) throw new StreamsError('broker_unavailable', 'the seat is lost')
        return await request(connection)
      })
    } catch (error) {
      const failure = classify(error, 'possible')
      if (failure.code === 'consumer_offset_not_found') return undefined
      throw failure
    }
  }
}
