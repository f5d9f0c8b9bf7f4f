import type { Gateway } from '../support/gateway.ts'

interface Messages {
  messages: Array<{ offset: number, body: string }>
  nextOffset: number
}

/**
 * Publishers, with a name and without, and a reader, of a stream that is deleted and created anew again and again. They
 * continue over everything; only what begins and ends within one round counts.
 */
export class RecreatedStreamLoad {
  readonly confirmed = new Set<string>()
  readonly read = new Map<number, string>()
  readonly wrong: unknown[] = []
  readonly #gateway: Gateway
  readonly #path: string
  // In which round each line was sent. A line sent between two rounds may be in the old stream or in the new one.
  readonly #sent = new Map<string, number>()
  #round: number | undefined
  #isOver = false

  constructor (gateway: Gateway, stream: string) {
    this.#gateway = gateway
    this.#path = `/v1/streams/${stream}/messages`
  }

  /** The stream is there. */
  begin (round: number): void {
    this.confirmed.clear()
    this.read.clear()
    this.#round = round
  }

  /** The stream is about to be deleted. */
  end (): { confirmed: ReadonlySet<string>, read: ReadonlyMap<number, string> } {
    this.#round = undefined
    return this
  }

  stop (): void {
    this.#isOver = true
  }

  async run (): Promise<void> {
    const publishing = [this.#publish('a'), this.#publish('b'), this.#publish('c', 'p'), this.#publish('d', 'q')]
    await Promise.all([...publishing, this.#poll()])
  }

  async #publish (who: string, publisher?: string): Promise<void> {
    for (let id = 1; !this.#isOver; id++) {
      const round = this.#round
      const line = `${who}:${id}`
      if (round !== undefined) this.#sent.set(line, round)
      const query = publisher === undefined ? '' : `?publisher=${publisher}&firstPublishingId=${id}`
      const { status, json } = await this.#gateway.request('POST', `${this.#path}/lines${query}`, { body: line })
      if (status === 200 && round !== undefined && round === this.#round) this.confirmed.add(line)
      if (status !== 200) this.#check(json)
    }
  }

  async #poll (): Promise<void> {
    for (let offset = 0; !this.#isOver;) {
      const round = this.#round
      const { status, json } = await this.#gateway.get(`${this.#path}?offset=${offset}&limit=20&wait=1`)
      if (status !== 200) {
        this.#check(json)
        offset = 0
        continue
      }
      const { messages, nextOffset }: Messages = JSON.parse(JSON.stringify(json))
      offset = nextOffset
      if (round === undefined || round !== this.#round) continue
      // Until the broker has told the gateway that the old stream is gone, a read may answer with what was read ahead
      // of it. Afterwards it may not.
      const old = messages.filter(({ body }) => (this.#sent.get(body) ?? round) < round)
      for (const { offset, body } of messages) if (this.#sent.get(body) === round) this.read.set(offset, body)
      if (old.length > 0 && this.read.size > 0) this.wrong.push({ old, after: 'what the new stream has' })
    }
  }

  #check (json: unknown): void {
    const { status, retryable }: { status: number, retryable: boolean } = JSON.parse(JSON.stringify(json))
    if (!retryable && status !== 404 && status !== 416) this.wrong.push(json)
  }
}
