import { setTimeout as delay } from 'node:timers/promises'
import type { Answer, Gateway } from '../support/gateway.ts'

/** What clients of one stream were answered: how often, and what should not have been answered. */
export interface Ledger { answers: number, readonly wrong: string[] }

/**
 * The clients of one stream: publishers with and without a name, consumers that commit, polls, and questions about its
 * offsets. They go on until they are stopped.
 *
 * @param mayAnswer whether the answer is a right one
 */
export class NeighbourLoad {
  readonly ledger: Ledger = { answers: 0, wrong: [] }
  readonly #gateway: Gateway
  readonly #path: string
  readonly #mayAnswer: (answer: Answer) => boolean
  #isOver = false

  constructor (gateway: Gateway, stream: string, mayAnswer: (answer: Answer) => boolean) {
    this.#gateway = gateway
    this.#path = `/v1/streams/${stream}`
    this.#mayAnswer = mayAnswer
  }

  stop (): void {
    this.#isOver = true
  }

  async run (): Promise<void> {
    await Promise.all([
      this.#forEver(async (id) => await this.#call('POST', '/messages/lines', `line ${id}`)),
      this.#forEver(async (id) => {
        await this.#call('POST', `/messages/lines?publisher=p&firstPublishingId=${id}`, `named ${id}`)
      }),
      this.#forEver(async () => { await this.#call('GET', '/messages?offset=last&limit=5') }),
      this.#forEver(async () => { await this.#call('GET', '/consumers/c/offset') }),
      this.#forEver(async () => { await this.#call('GET', '') }),
      this.#consume()
    ])
  }

  async #consume (): Promise<void> {
    let commit = ''
    await this.#forEver(async () => {
      const { status, json } = await this.#call('GET', `/consumers/c/messages?limit=20${commit}`)
      const { messages }: { messages?: Array<{ offset: number }> } = JSON.parse(JSON.stringify(json))
      const last = status === 200 ? messages?.at(-1)?.offset : undefined
      commit = last === undefined ? '' : `&commit=${last}`
    })
  }

  async #forEver (act: (id: number) => Promise<unknown>): Promise<void> {
    for (let id = 1; !this.#isOver; id++) {
      await act(id)
      await delay(10) // this is about answers, not about speed
    }
  }

  async #call (method: 'GET' | 'POST', path: string, body?: string): Promise<Answer> {
    const answer = await this.#gateway.request(method, this.#path + path, { ...(body !== undefined && { body }) })
    this.ledger.answers++
    if (!this.#mayAnswer(answer)) this.ledger.wrong.push(`${method} ${path} ${answer.status}: ${answer.text}`)
    return answer
  }
}
