import { classify, classifyResponseCode } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import type { StreamsError } from '../errors.ts'
import { ResponseCode, ResponseError } from '../protocol/index.ts'

/** What a stream is wanted for. */
export type Purpose = 'read' | 'write'

// Requests on their way at a time, for one list.
const AT_A_TIME = 100

/**
 * What RabbitMQ lets the user of the connections do. It is asked each time: RabbitMQ tells nobody when permissions
 * change. StreamStats and DeclarePublisher check the permission before they look for the stream, so that their answers
 * say nothing of a stream that the user may not know of. Metadata does so only from RabbitMQ 4.3.3 on.
 */
export class Permissions {
  readonly #connections: ConnectionPool

  constructor (connections: ConnectionPool) {
    this.#connections = connections
  }

  /** Whether the user may, also for a stream that does not exist. @throws StreamsError when the broker cannot tell */
  async may (purpose: Purpose, stream: string): Promise<boolean> {
    try {
      await (purpose === 'read' ? this.#askStats(stream) : this.#declare(stream))
      return true
    } catch (error) {
      if (!(error instanceof ResponseError)) throw classify(error)
      if (error.responseCode === ResponseCode.accessRefused) return false
      if (tellsOfTheStream(error.responseCode)) return true
      throw classify(error)
    }
  }

  /**
   * The same failure, when the user may know of it: a user without the permission must not learn that there is no such
   * stream.
   *
   * @throws StreamsError `access_refused` otherwise
   */
  async explained (purpose: Purpose, stream: string, failure: StreamsError): Promise<StreamsError> {
    if (failure.code !== 'stream_not_found' && failure.code !== 'stream_not_available') return failure
    return await this.may(purpose, stream) ? failure : classifyResponseCode(ResponseCode.accessRefused)
  }

  /**
   * The streams that the user may read or write, in the same order. Before RabbitMQ 4.3.3 those that it may only write
   * are missing.
   *
   * @throws StreamsError
   */
  async known (streams: readonly string[]): Promise<string[]> {
    try {
      const hidden = await this.#connections.ask('streams', undefined, async (connection) => {
        if (!metadataHides(connection.brokerVersion)) return undefined
        const answer = await connection.metadata(streams)
        const refused = answer.filter(({ responseCode }) => responseCode === ResponseCode.accessRefused)
        return new Set(refused.map(({ stream }) => stream))
      })
      return hidden === undefined ? await this.#readable(streams) : streams.filter((stream) => !hidden.has(stream))
    } catch (error) {
      throw classify(error)
    }
  }

  async #readable (streams: readonly string[]): Promise<string[]> {
    const readable: string[] = []
    for (let at = 0; at < streams.length; at += AT_A_TIME) {
      const some = streams.slice(at, at + AT_A_TIME)
      const answers = await Promise.all(some.map(async (stream) => await this.may('read', stream)))
      readable.push(...some.filter((_, index) => answers[index]))
    }
    return readable
  }

  async #askStats (stream: string): Promise<void> {
    await this.#connections.ask('offsets', stream, async (connection) => await connection.streamStats(stream))
  }

  async #declare (stream: string): Promise<void> {
    await this.#connections.repeat(async () => {
      const slot = await this.#connections.takeSlot('publish', undefined, { stream, lost () {} })
      await slot.enter(async () => { await slot.connection.declarePublisher(slot.id, '', stream) })
      slot.leave()
    })
  }
}

function tellsOfTheStream (code: number): boolean {
  return code === ResponseCode.streamDoesNotExist || code === ResponseCode.streamNotAvailable
}

function metadataHides (version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)
  if (major !== 4 || minor < 3) return major > 4
  return minor > 3 || patch >= 3
}
