import { setTimeout as delay } from 'node:timers/promises'
import { StreamsError, type ActiveConsumer, type Broker } from '../../streams/index.ts'

export interface SlotStreamsOptions {
  readonly broker: Broker
  readonly superStream: string
  /** How many partitions it gets when it is created. */
  readonly count: number
  /** A stream that is there, or will be soon. */
  readonly lockStream: string
}

const LOCK = 'push.create'
const LOCK_MS = 60_000
// RabbitMQ binds one partition after the other, also for a process that is gone since.
const SETTLED_MS = 3000
const LOOK_MS = 100

/**
 * The super stream whose partitions are the slots. Of several processes that create a super stream at the same moment
 * RabbitMQ lets all fail, and leaves streams behind. So one process at a time creates it: the single active consumer of
 * a stream that is there.
 *
 * Meanwhile RabbitMQ tells the others of some partitions and not of all. An instance that took those for all would put
 * subscriptions into other slots than the rest, and deliver what others deliver too.
 */
export class SlotStreams {
  readonly #options: SlotStreamsOptions

  constructor (options: SlotStreamsOptions) {
    this.#options = options
  }

  /**
   * The names of the partitions, which are created if need be. Their number is that of the super stream that is there.
   *
   * @throws StreamsError; the signal's reason
   */
  async ensure (signal: AbortSignal): Promise<readonly string[]> {
    const found = await this.#find()
    if (found !== undefined && this.#areAll(found)) return found
    return await this.#alone(async () => await this.#settled(signal) ?? await this.#create(), signal)
  }

  // An operator may have created it with fewer partitions: then they stay as they are.
  async #settled (signal: AbortSignal): Promise<readonly string[] | undefined> {
    let found = await this.#find()
    let sinceMs = performance.now()
    while (found !== undefined && !this.#areAll(found) && performance.now() - sinceMs < SETTLED_MS) {
      await delay(LOOK_MS, undefined, { signal })
      const now = await this.#find()
      if (now?.length !== found.length) sinceMs = performance.now()
      found = now
    }
    return found
  }

  #areAll (partitions: readonly string[]): boolean {
    const { superStream } = this.#options
    return this.#keys().every((key) => partitions.includes(`${superStream}-${key}`))
  }

  #keys (): string[] {
    return Array.from({ length: this.#options.count }, (_, slot) => String(slot))
  }

  async #find (): Promise<readonly string[] | undefined> {
    const { broker, superStream } = this.#options
    broker.superStreams.forget(superStream)
    try {
      const partitions = await broker.superStreams.partitions(superStream, 'read', () => {})
      return partitions.map(({ brokerName }) => brokerName)
    } catch (error) {
      if (error instanceof StreamsError && error.code === 'super_stream_not_found') return undefined
      throw error
    }
  }

  async #create (): Promise<readonly string[]> {
    const { broker, superStream } = this.#options
    const keys = this.#keys()
    const create = async (): Promise<readonly string[]> =>
      (await broker.superStreams.create(superStream, keys, {}, () => {})).partitions
    try {
      return await create()
    } catch (error) {
      if (!(error instanceof StreamsError) || error.code !== 'super_stream_differs') throw error
      // Of a creation that was cut short. There is nothing in them.
      for (const key of keys) await broker.streams.delete(`${superStream}-${key}`, true).catch(ignoreMissing)
      return await create()
    }
  }

  async #alone<T> (work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { broker, lockStream } = this.#options
    const member = await broker.consumers.joinForSeat(lockStream, LOCK)
    try {
      await whenActive(member, AbortSignal.any([signal, AbortSignal.timeout(LOCK_MS)]))
      return await work()
    } finally {
      member.end()
    }
  }
}

async function whenActive (member: ActiveConsumer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => { reject(new Error('it was not the turn of this process to create the slots')) }
    signal.addEventListener('abort', abort, { once: true })
    member.listen({
      activated: () => {
        signal.removeEventListener('abort', abort)
        resolve()
      },
      deactivated: async () => {},
      failed: reject
    })
  })
}

function ignoreMissing (error: unknown): void {
  if (!(error instanceof StreamsError) || error.code !== 'stream_not_found') throw error
}
