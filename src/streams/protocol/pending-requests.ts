import type { Request } from './commands/command.ts'
import { CommandKey, describeCommand } from './commands/keys.ts'
import { MalformedFrameError, RequestTimeoutError, ResponseError, type ConnectionClosedError } from './errors.ts'
import type { FrameReader } from './frame-reader.ts'
import { ResponseCode } from './response-codes.ts'

interface Pending {
  readonly key: number
  /** The stream that the request is about. */
  readonly stream: string | undefined
  /** Reads the answer and settles the request. Throws when the answer cannot be read. */
  answer (reader: FrameReader): void
  fail (error: Error): void
}

const MAX_CORRELATION_ID = 0xffff_ffff

/** The requests that wait for their answers. */
export class PendingRequests {
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  /**
   * Registers a request and sends it.
   *
   * @param send called once, with the correlation id; when it throws, the request fails with that error
   * @param stream the stream that the request is about
   * @param timeoutMs 0: the request has no deadline of its own
   * @param timedOut called when the deadline has passed, before the request fails
   */
  add<Arguments, Answer> (
    request: Request<Arguments, Answer>,
    stream: string | undefined,
    timeoutMs: number,
    send: (correlationId: number) => void,
    timedOut?: () => void
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId()
      const expire = (): void => {
        if (!this.#pending.has(id)) return
        timedOut?.()
        settle()
        reject(new RequestTimeoutError(request.name, timeoutMs))
      }
      // In a turn of the event loop timers run before sockets are read. When this process was held up past the
      // deadline, the answer may already have arrived; setImmediate runs after the sockets, so that answer counts.
      const timer = timeoutMs > 0 ? setTimeout(() => { setImmediate(expire) }, timeoutMs) : undefined
      const settle = (): void => {
        clearTimeout(timer)
        this.#pending.delete(id)
      }
      this.#pending.set(id, {
        key: CommandKey[request.name],
        stream,
        answer (reader) {
          const code = request.isWithoutResponseCode === true ? ResponseCode.ok : reader.u16()
          if (code !== ResponseCode.ok) {
            settle()
            reject(new ResponseError(request.name, code))
            return
          }
          const answer = request.read(reader)
          settle()
          resolve(answer)
        },
        fail (error) {
          settle()
          reject(error)
        }
      })
      try {
        send(id)
      } catch (error) {
        settle()
        reject(error)
      }
    })
  }

  /** How many requests have no answer yet. */
  get count (): number {
    return this.#pending.size
  }

  /** The stream of the oldest request without an answer. Undefined when no request waits, or it names no stream. */
  get oldestStream (): string | undefined {
    const [oldest] = this.#pending.values()
    return oldest?.stream
  }

  /**
   * Passes the answer in the frame to its request. An answer without a request came after the deadline and is dropped.
   */
  answer (key: number, reader: FrameReader): void {
    const pending = this.#pending.get(reader.u32())
    if (pending === undefined) return
    if (pending.key !== key) {
      const answered = describeCommand(pending.key)
      throw new MalformedFrameError(`${describeCommand(key)} answers a request that was ${answered}`)
    }
    pending.answer(reader)
  }

  failAll (error: ConnectionClosedError): void {
    for (const pending of [...this.#pending.values()]) pending.fail(error)
  }

  #nextId (): number {
    do {
      this.#lastId = this.#lastId === MAX_CORRELATION_ID ? 1 : this.#lastId + 1
    } while (this.#pending.has(this.#lastId))
    return this.#lastId
  }
}
