import type { Dispatcher } from 'undici'
import { failureOf } from '../delivery/failure.ts'
import { retryAfterMs } from '../delivery/retry.ts'
import type { Attempt } from './attempt.ts'
import { GuardError } from './guard.ts'

const MAX_ANSWER_BYTES = 64 * 1024
const MAX_ERROR_BYTES = 1024
const OFFSET = /^\d{1,16}$/
const NEVER = 'never'

type Controller = Dispatcher.DispatchController
type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/**
 * Reads the answer to one request. The status decides: what happens to the connection after it changes nothing. At most
 * 64 KiB of the body are read, then the connection is dropped.
 */
export class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #settle: (attempt: Attempt) => void
  readonly #text: Buffer[] = []
  #controller: Controller | undefined
  #status: number | undefined
  #headers: Headers = {}
  #readBytes = 0
  #cut: Error | undefined
  #hasEnded = false

  /** @param settle called once */
  constructor (settle: (attempt: Attempt) => void) {
    this.#settle = settle
  }

  /** Gives the request up. What the endpoint has answered until now counts. */
  cut (reason: Error): void {
    if (this.#cut !== undefined) return
    this.#cut = reason
    this.#controller?.abort(reason)
    this.#end(reason)
  }

  /** The connection is there, and the request is written next. */
  onRequestStart (controller: Controller): void {
    this.#controller = controller
    if (this.#cut !== undefined) controller.abort(this.#cut)
  }

  onResponseStart (_controller: Controller, status: number, headers: Headers): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
  }

  onResponseData (controller: Controller, chunk: Buffer): void {
    const room = MAX_ERROR_BYTES - this.#readBytes
    if (room > 0) this.#text.push(Buffer.from(chunk.subarray(0, room)))
    this.#readBytes += chunk.length
    if (this.#readBytes > MAX_ANSWER_BYTES) controller.abort(new Error('the answer is longer than 64 KiB'))
  }

  onResponseEnd (): void {
    this.#end(undefined)
  }

  onResponseError (_controller: Controller, error: Error): void {
    this.#end(error)
  }

  #end (error: Error | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const status = this.#status
    if (status === undefined) return this.#settle(this.#unanswered(error))
    const header = (name: string): string | undefined => String(this.#headers[name] ?? '') || undefined
    const processed = header('webhook-processed')
    const isReadable = processed === undefined || OFFSET.test(processed)
    const isFinal = header('webhook-retry') === NEVER
    const failure = isReadable ? failureOf(status, isFinal) : 'ambiguous'
    this.#settle({
      failure,
      status,
      processed: processed !== undefined && isReadable ? Number(processed) : undefined,
      isFinal,
      retryAfterMs: retryAfterMs(header('retry-after'), Date.now()),
      error: failure && (isReadable ? this.#errorText(status) : `${status} with an unreadable webhook-processed`),
      isRefused: false
    })
  }

  #errorText (status: number): string {
    return `${status} ${Buffer.concat(this.#text).toString()}`.trim()
  }

  // Until the request is written, the endpoint has nothing of the message.
  #unanswered (error: Error | undefined): Attempt {
    return {
      failure: this.#controller === undefined ? 'endpoint' : 'ambiguous',
      status: undefined,
      processed: undefined,
      isFinal: false,
      retryAfterMs: undefined,
      error: error === undefined ? 'no answer' : textOf(error),
      isRefused: error instanceof GuardError
    }
  }
}

function textOf (error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  return `${error.message}${code}`.slice(0, MAX_ERROR_BYTES)
}
