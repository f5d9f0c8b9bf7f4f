import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { Deadline } from '../common/deadline.ts'
import { pause, within } from '../common/wait.ts'
import type { Membership, MembershipHandlers } from '../connections/membership.ts'
import type { Seat } from '../connections/seat.ts'
import type { StreamsError } from '../errors.ts'

/** Why a consumer is no longer active. `lost`: another member may be active already. */
export type Deactivation = 'asked' | 'lost'

export interface ActiveConsumerHandlers {
  /** From now on this is the active consumer: deliver from this offset on, and store offsets. */
  activated (nextOffset: number): void
  /**
   * From now on it is not: deliver nothing more. When it was asked to stop, no other member becomes active before this
   * settles, so that what was delivered may be stored first. That is waited for during `SETTLE_MS`. When the membership
   * is lost, nothing may be stored.
   */
  deactivated (why: Deactivation): Promise<void>
  /** It can no longer be a member. Called at most once, after `deactivated`, and nothing is called afterwards. */
  failed (error: StreamsError): void
}

/** Its membership of the group. */
type Member = Pick<Membership, 'leave' | 'seat'>

export interface ActiveConsumerOptions {
  /** Joins the group, each time when the membership was lost. */
  readonly join: (handlers: MembershipHandlers) => Promise<Member>
  /** The offset where the consumer reads on, asked when it becomes active. */
  readonly start: (signal: AbortSignal) => Promise<number>
  /** The offset where the consumer would read on now. Stores nothing. */
  readonly place: () => Promise<number>
  /** The pauses between attempts to join again. */
  readonly reconnectDelayMs: number
  readonly maxReconnectDelayMs: number
  readonly onEnd: (member: ActiveConsumer) => void
}

// The broker closes the connection, which other members share, when an update is not answered within a minute.
const SETTLE_MS = 20_000
// Between attempts to find out where to start.
const FIRST_PAUSE_MS = 50
const MAX_PAUSE_MS = 1000

/**
 * A member of the broker's group of single active consumers: of all members with the same stream and name, other
 * clients' included, the broker lets one be active. It stays a member when its connection is lost, and joins again.
 */
export class ActiveConsumer {
  readonly #options: ActiveConsumerOptions
  #handlers: ActiveConsumerHandlers | undefined
  #membership: Member | undefined
  // Aborted when the membership is lost or has ended.
  #seat = new AbortController()
  #isActive = false
  // Aborted when another member may become active.
  #active = new AbortController()
  #nextOffset = 0
  #hasEnded = false
  #begin: () => void = () => {}
  // Updates and losses are worked off one after the other, beginning with `listen`.
  #work: Promise<void>
  #settling: Promise<void> = Promise.resolve()
  readonly #unanswered = new Set<() => void>()

  private constructor (options: ActiveConsumerOptions) {
    this.#options = options
    this.#work = new Promise((resolve) => { this.#begin = resolve })
  }

  /** Settles when the broker has accepted the member, which is not active before `listen`. */
  static async join (options: ActiveConsumerOptions): Promise<ActiveConsumer> {
    const member = new ActiveConsumer(options)
    await member.#join()
    return member
  }

  /** Whether it is the active one. */
  get isActive (): boolean {
    return this.#isActive
  }

  /** While it is the active one: what it may do more than others. Each call makes a new one. */
  seat (): Seat | undefined {
    return this.#isActive ? this.#membership?.seat(this.#active.signal) : undefined
  }

  /** The offset where the consumer would read on now. @throws StreamsError `stream_not_found`, ... */
  async place (): Promise<number> {
    return await this.#options.place()
  }

  /** Call it once, right after `join`: an update of the broker waits for it. */
  listen (handlers: ActiveConsumerHandlers): void {
    this.#handlers = handlers
    this.#begin()
  }

  /**
   * Leaves the group, and another member becomes active. Deliver nothing more and store what is to be stored before.
   * Calling it twice is fine.
   */
  end (): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#isActive = false
    this.#leave()
    this.#begin()
    this.#options.onEnd(this)
  }

  /** Ends it for this reason, of which the handlers are told. */
  fail (error: StreamsError): void {
    if (this.#hasEnded) return
    this.#stop('lost')
    this.end()
    this.#handlers?.failed(error)
  }

  async #join (): Promise<void> {
    const seat = new AbortController()
    const membership = await this.#options.join({
      updated: (isActive, answer) => {
        const answerIt = (offset?: number): void => {
          this.#unanswered.delete(answerIt)
          answer(offset)
        }
        this.#unanswered.add(answerIt)
        this.#then(async () => { await this.#update(seat, isActive, answerIt) })
      },
      lost: () => { this.#lost(seat) }
    })
    if (this.#hasEnded) {
      membership.leave()
      return
    }
    this.#membership = membership
    this.#seat = seat
  }

  async #update (seat: AbortController, isActive: boolean, answer: (offset?: number) => void): Promise<void> {
    if (!isActive) this.#stop('asked')
    await this.#settling
    if (!isActive || seat.signal.aborted || this.#hasEnded) {
      if (!isActive) this.#active.abort()
      answer()
      return
    }
    const nextOffset = this.#isActive ? this.#nextOffset : await this.#start(seat)
    if (nextOffset === undefined) {
      answer()
      return
    }
    answer(nextOffset)
    if (this.#isActive) return
    this.#nextOffset = nextOffset
    this.#active = new AbortController()
    this.#isActive = true
    this.#handlers?.activated(nextOffset)
  }

  // Undefined when it is not to become active after all.
  async #start (seat: AbortController): Promise<number | undefined> {
    const { signal } = seat
    const deadline = new Deadline(SETTLE_MS)
    const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
    for (;;) {
      try {
        const nextOffset = await within(this.#options.start(signal), { timeoutMs: deadline.remainingMs, signal })
        if (nextOffset !== undefined) return signal.aborted ? undefined : nextOffset
      } catch (error) {
        const failure = classify(error)
        if (!failure.retryable && !signal.aborted) {
          this.fail(failure)
          return undefined
        }
      }
      if (signal.aborted) return undefined
      if (deadline.hasPassed) {
        // Another member may have more luck. The broker takes this one in again, behind the others.
        this.#leave()
        this.#then(async () => { await this.#rejoin() })
        return undefined
      }
      await pause(backoff.nextMs(), signal)
    }
  }

  #lost (seat: AbortController): void {
    seat.abort()
    this.#active.abort()
    this.#stop('lost')
    this.#then(async () => {
      await this.#settling
      await this.#rejoin()
    })
  }

  #stop (why: Deactivation): void {
    if (!this.#isActive) return
    this.#isActive = false
    if (why === 'lost') this.#active.abort()
    const settled = this.#handlers?.deactivated(why) ?? Promise.resolve()
    this.#settling = within(settled, { timeoutMs: SETTLE_MS }).catch(() => {})
  }

  async #rejoin (): Promise<void> {
    const { reconnectDelayMs, maxReconnectDelayMs } = this.#options
    const backoff = new Backoff(reconnectDelayMs, maxReconnectDelayMs)
    // The seat of a membership that is lost says nothing of the end.
    this.#seat = new AbortController()
    const { signal } = this.#seat
    for (;;) {
      await pause(backoff.nextMs(), signal)
      if (this.#hasEnded) return
      try {
        await this.#join()
        return
      } catch (error) {
        const failure = classify(error)
        if (failure.retryable && failure.code !== 'draining') continue
        this.fail(failure)
        return
      }
    }
  }

  // The broker gives what it has asked for to another member when the answer has come: answers go before the farewell.
  #leave (): void {
    this.#active.abort()
    for (const answer of this.#unanswered) answer()
    this.#seat.abort()
    this.#membership?.leave()
    this.#membership = undefined
  }

  #then (work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => { this.fail(classify(error)) })
  }
}
