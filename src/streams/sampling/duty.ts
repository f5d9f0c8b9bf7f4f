import { classify } from '../classify.ts'
import type { Logger } from '../common/logger.ts'
import type { ActiveConsumer } from '../consuming/active-consumer.ts'
import type { ActiveConsumers } from '../consuming/active-consumers.ts'
import { SAMPLER_GROUP } from '../consuming/sampler-group.ts'

export interface DutyOptions {
  members: ActiveConsumers
  logger: Logger
  /** It has begun or ended. */
  changed: () => void
}

/**
 * Which of several instances samples: the active member of a group on the first stream that they sample. An instance
 * that cannot join the group samples: a figure that two instances show is better than one that is missing.
 */
export class Duty {
  readonly #options: DutyOptions
  #place: { readonly stream: string, readonly member: ActiveConsumer } | undefined
  #isActive = false
  #isAlone = false

  constructor (options: DutyOptions) {
    this.#options = options
  }

  get isOn (): boolean {
    return this.#isActive || this.#isAlone
  }

  /**
   * Joins the group on the stream, unless it is there, and leaves the one before. To be called in every round, because
   * the first stream changes. Never throws.
   */
  async standFor (stream: string): Promise<void> {
    if (this.#place?.stream === stream) return
    this.end()
    const { members, logger } = this.#options
    try {
      const member = await members.join(stream, SAMPLER_GROUP, { type: 'first' })
      this.#place = { stream, member }
      this.#isAlone = false
      this.#listenTo(member)
    } catch (error) {
      const { message } = classify(error)
      if (!this.#isAlone) logger.info({ reason: message }, 'no group of samplers can be joined: this instance samples')
      this.#isAlone = true
    }
  }

  /** Leaves the group. Another instance becomes the one that samples. */
  end (): void {
    this.#place?.member.end()
    this.#place = undefined
    this.#isActive = false
  }

  #listenTo (member: ActiveConsumer): void {
    const set = (isActive: boolean): void => {
      if (this.#place?.member !== member) return
      this.#isActive = isActive
      this.#options.changed()
    }
    member.listen({
      activated: () => { set(true) },
      deactivated: async () => { set(false) },
      failed: () => {
        set(false)
        if (this.#place?.member === member) this.#place = undefined
      }
    })
  }
}
