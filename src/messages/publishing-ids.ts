import { MessageFormatError } from './format-error.ts'

/** The rule for publishing ids: with a publisher name every message has one and they ascend; without, none has one. */
export class PublishingIds {
  readonly #isNamed: boolean
  #last = -1

  /** @param publisher the publisher name of the request */
  constructor (publisher: string | undefined) {
    this.#isNamed = publisher !== undefined
  }

  /**
   * Checks the id of the next message.
   *
   * @throws MessageFormatError at `pointer`
   */
  check (id: number | undefined, pointer: string): void {
    if (id === undefined) {
      if (this.#isNamed) throw new MessageFormatError(pointer, 'is required with a publisher name')
      return
    }
    if (!this.#isNamed) throw new MessageFormatError(pointer, 'needs a publisher name: ?publisher=')
    if (id <= this.#last) throw new MessageFormatError(pointer, 'must be higher than the one before')
    this.#last = id
  }
}
