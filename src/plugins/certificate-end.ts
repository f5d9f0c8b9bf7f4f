import type { FastifyBaseLogger } from 'fastify'

const DAY_MS = 24 * 60 * 60 * 1000
const WARNING_DAYS = 14
const CHECK_MS = 60 * 60 * 1000

/** Warns once a day before the certificate of the server ends, and afterwards. */
export class CertificateEnd {
  readonly #log: FastifyBaseLogger
  #validTo: Date | undefined
  #warnedMs = -Infinity
  #timer: NodeJS.Timeout | undefined

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  /** In seconds since 1970. */
  get seconds (): number {
    return (this.#validTo?.getTime() ?? 0) / 1000
  }

  /** Another certificate is in use. */
  set (validTo: Date): void {
    this.#validTo = validTo
    this.#warnedMs = -Infinity
    this.check()
  }

  start (): void {
    this.#timer = setInterval(() => { this.check() }, CHECK_MS)
  }

  close (): void {
    clearInterval(this.#timer)
  }

  /** @param nowMs when it is, in milliseconds since 1970 */
  check (nowMs = Date.now()): void {
    if (this.#validTo === undefined || nowMs - this.#warnedMs < DAY_MS) return
    const leftMs = this.#validTo.getTime() - nowMs
    if (leftMs > WARNING_DAYS * DAY_MS) return
    this.#warnedMs = nowMs
    const validTo = this.#validTo.toISOString()
    if (leftMs > 0) this.#log.warn({ validTo }, 'the TLS certificate ends in less than 14 days: renew it')
    else this.#log.warn({ validTo }, 'the TLS certificate has ended: clients refuse it')
  }
}
