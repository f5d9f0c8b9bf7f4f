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

/**
 * The super stream whose partitions are the slots. Of several processes that create a super stream at the same moment
 * RabbitMQ lets all fail, and leaves streams behind. So one process at a time creates it: the single active consumer of
 * a stream that is there.
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
    const { broker, superStream } = this.#options
    broker.superStreams.forget(superStream)
    const found = await this.#find()
    if (found !== undefined) return found
    return await this.#alone(async () => {
      broker.superStreams.forget(superStream)
      return await this.#find() ?? await this.#create()
    }, signal)
  }

  async #find (): Promise<readonly string[] | undefined> {
    const { broker, superStream } = this.#options
    try {
      const partitions = await broker.superStreams.partitions(superStream, 'read', () => {})
      return partitions.map(({ brokerName }) => brokerName)
    } catch (error) {
      if (error instanceof StreamsError && error.code === 'super_stream_not_found') return undefined
      throw error
    }
  }

  async #create (): Promise<readonly string[]> {
    const { broker, superStream, count } = this.#options
    const keys = Array.from({ length: count }, (_, slot) => String(slot))
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
