import { parseRfc3339 } from '../../text/rfc3339.ts'
import { AccessError, notValid } from '../access-error.ts'
import type { Caller, Scheme } from '../caller.ts'
import { EntryCaller } from './entry-caller.ts'
import { meaningOf, type Entry } from './entry.ts'

/** Why no caller is found, for the log: "unknown", or the id of the entry and what is the matter with it. */
export type NotFound = 'unknown' | `${string} is disabled` | `${string} is not yet valid` | `${string} has expired`

export interface CallerRingOptions<E extends Entry> {
  readonly scheme: Scheme
  /** The virtual host of the streams; scopes of others grant nothing. */
  readonly virtualHost: string
  /** What an entry is found by. */
  readonly matchOf: (entry: E) => string
}

interface Member {
  readonly caller: EntryCaller
  readonly meaning: string
  readonly isDisabled: boolean
  readonly notBeforeMs: number
}

// Timers run by another clock than that of the day, which may be set. And Node.js has no timers of more than 24 days.
const MAX_PAUSE_MS = 60_000

/**
 * The callers of a file, found at once. A caller is the same object for as long as its entry stays as it is. `ended` of
 * a caller aborts when its entry expires, and when it is removed, disabled or changed.
 */
export class CallerRing<E extends Entry> {
  readonly #options: CallerRingOptions<E>
  #members: ReadonlyMap<string, Member> = new Map()
  #timer: NodeJS.Timeout | undefined

  constructor (options: CallerRingOptions<E>) {
    this.#options = options
  }

  find (match: string): Caller | NotFound {
    const member = this.#members.get(match)
    if (member === undefined) return 'unknown'
    const { caller } = member
    if (member.isDisabled) return `${caller.credentialId} is disabled`
    const nowMs = Date.now()
    if (nowMs < member.notBeforeMs) return `${caller.credentialId} is not yet valid`
    // Once ended it stays so, also when the clock is set back.
    if (!caller.hasEnded && nowMs < (caller.expiresMs ?? Infinity)) return caller
    return `${caller.credentialId} has expired`
  }

  /** Takes these entries in place of all others. */
  replaceBy (entries: readonly E[]): void {
    const before = this.#members
    const members = new Map<string, Member>()
    for (const entry of entries) {
      const match = this.#options.matchOf(entry)
      const meaning = meaningOf(entry)
      const known = before.get(match)
      members.set(match, known?.meaning === meaning ? known : this.#memberOf(entry, meaning))
    }
    this.#members = members
    for (const [match, member] of before) {
      const now = members.get(match)
      if (now !== member) member.caller.end(whyEnded(member.caller, now))
    }
    this.#watchExpiry()
  }

  /** Ends the timer. Callers stay as they are. */
  close (): void {
    clearTimeout(this.#timer)
  }

  #memberOf (entry: E, meaning: string): Member {
    const { scheme, virtualHost } = this.#options
    const { notBefore, disabled = false } = entry
    return {
      caller: new EntryCaller(entry, scheme, virtualHost),
      meaning,
      isDisabled: disabled,
      notBeforeMs: (notBefore === undefined ? undefined : parseRfc3339(notBefore)) ?? -Infinity
    }
  }

  /** One timer, for the next entry that expires. */
  #watchExpiry (): void {
    clearTimeout(this.#timer)
    const nowMs = Date.now()
    let nextMs = Infinity
    for (const { caller } of this.#members.values()) {
      const { expiresMs, hasEnded } = caller
      if (expiresMs === undefined || hasEnded) continue
      if (expiresMs <= nowMs) caller.end(notValid(`${caller.credentialId} has expired`))
      else nextMs = Math.min(nextMs, expiresMs)
    }
    if (nextMs === Infinity) return
    this.#timer = setTimeout(() => { this.#watchExpiry() }, Math.min(nextMs - nowMs, MAX_PAUSE_MS))
  }
}

function whyEnded ({ credentialId }: EntryCaller, now: Member | undefined): AccessError {
  if (now === undefined) return notValid(`${credentialId} was removed`)
  if (now.isDisabled) return notValid(`${credentialId} was disabled`)
  const message = 'the rights of the credential have changed; it may be used again'
  return new AccessError('unauthorized', message, { reason: `${credentialId} was changed` })
}
