import type { AuditLine } from './events.ts'

/** For how long equal refusals are summed. */
export const SUM_SECONDS = 10

// Refusals that differ from one another. What comes beyond is one line.
const MAX_DIFFERENT = 1000

interface Sum { readonly line: AuditLine, repeated: number }

/**
 * Refusals come by the thousand when somebody guesses or a program has an old key. The first of each kind is a line at
 * once. The others become one line with their number when `flush` is called, every `SUM_SECONDS`.
 */
export class RefusalSums {
  readonly #write: (line: AuditLine) => void
  readonly #sums = new Map<string, Sum>()
  #beyond = 0

  constructor (write: (line: AuditLine) => void) {
    this.#write = write
  }

  note (line: AuditLine & { readonly reason: string }): void {
    const kind = JSON.stringify([line.event, line.address, line.scheme, line.caller, line.reason])
    const sum = this.#sums.get(kind)
    if (sum !== undefined) {
      sum.repeated++
      return
    }
    if (this.#sums.size >= MAX_DIFFERENT) {
      this.#beyond++
      return
    }
    this.#sums.set(kind, { line, repeated: 0 })
    this.#write(line)
  }

  flush (): void {
    for (const { line, repeated } of this.#sums.values()) {
      // They belong to no single request.
      const { reqId: _reqId, operationId: _operationId, ...rest } = line
      if (repeated > 0) this.#write({ ...rest, repeated, seconds: SUM_SECONDS })
    }
    if (this.#beyond > 0) {
      this.#write({
        audit: true,
        event: 'auth.refused',
        reason: `more than ${MAX_DIFFERENT} different refusals`,
        repeated: this.#beyond,
        seconds: SUM_SECONDS
      })
    }
    this.#sums.clear()
    this.#beyond = 0
  }
}
