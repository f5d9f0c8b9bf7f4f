import { request as httpRequest, Agent, type IncomingMessage } from 'node:http'
import { fieldOf } from './live-client.ts'

/**
 * A worker that shares the partitions of a super stream with others by `singleActive`: it takes messages, and stores
 * what it has taken now and then. It keeps a ledger: `faults` is empty when the messages of each key came in order.
 */
export class SharedWorker {
  /** The partitions for which it is the active one. */
  readonly active = new Set<string>()
  /** The numbers of the messages, in the order in which they came. */
  readonly processed: number[] = []
  readonly faults: string[] = []
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true })
  readonly #done = new Map<string, number>()
  readonly #stored = new Map<string, number>()
  readonly #last = new Map<unknown, number>()
  readonly #offsets = new Map<string, number[]>()
  #response: IncomingMessage | undefined
  #isEnded = false
  #isStoring = false
  readonly #storesItself: boolean

  /**
   * @param owner ends it
   * @param query with `autoCommit=true` it leaves it to the gateway to store
   */
  constructor (
    owner: { teardown: (end: () => void) => unknown },
    gateway: string, superStream: string, consumer: string, query = ''
  ) {
    this.#url = `${gateway}/v1/super-streams/${superStream}/consumers/${consumer}`
    this.#storesItself = query === ''
    owner.teardown(() => { this.kill() })
    const path = `${this.#url}/messages?singleActive=true&follow=true${query}`
    const request = httpRequest(path, { agent: false }, (response) => {
      this.#response = response
      let rest = ''
      response.setEncoding('utf8')
      response.on('error', () => { this.kill() })
      response.on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '' && !this.#isEnded) this.#take(JSON.parse(line))
      })
    })
    request.on('error', () => { this.kill() })
    request.end()
  }

  /** How many messages it has taken that are not stored, as far as it knows. */
  get uncommitted (): number {
    let count = 0
    for (const [partition, offsets] of this.#offsets) {
      const stored = this.#stored.get(partition) ?? -1
      count += offsets.filter((offset) => offset > stored).length
    }
    return count
  }

  /** Cuts its connection, with what it has in hand. */
  kill (): void {
    this.#isEnded = true
    this.active.clear()
    this.#response?.destroy()
    this.#agent.destroy()
  }

  #take (line: unknown): void {
    const isActive = fieldOf(line, '$active')
    const isInactive = fieldOf(line, '$inactive')
    if (isActive !== undefined) this.active.add(String(fieldOf(isActive, 'partition')))
    else if (isInactive !== undefined) this.active.delete(String(fieldOf(isInactive, 'partition')))
    else if (fieldOf(line, 'body') !== undefined) this.#process(line)
  }

  #process (message: unknown): void {
    const partition = String(fieldOf(message, 'partition'))
    const offset = Number(fieldOf(message, 'offset'))
    const body = fieldOf(message, 'body')
    const [key, number] = [fieldOf(body, 'key'), Number(fieldOf(body, 'number'))]
    const last = this.#last.get(key) ?? -1
    if (number <= last) this.faults.push(`${number} came after ${last}`)
    if (!this.active.has(partition)) this.faults.push(`a message of ${partition}, which it does not have`)
    this.#last.set(key, number)
    this.processed.push(number)
    this.#done.set(partition, offset)
    this.#offsets.set(partition, [...(this.#offsets.get(partition) ?? []).slice(-2000), offset])
    if (this.#storesItself) void this.#store()
  }

  async #store (): Promise<void> {
    if (this.#isStoring) return
    this.#isStoring = true
    while (this.#done.size > 0 && !this.#isEnded) {
      const offsets = Object.fromEntries(this.#done)
      this.#done.clear()
      const status = await this.#put({ offsets }).catch(() => 0)
      if (status !== 200) continue
      for (const [partition, offset] of Object.entries(offsets)) this.#stored.set(partition, offset)
    }
    this.#isStoring = false
  }

  async #put (body: object): Promise<number> {
    return await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' }
      const request = httpRequest(`${this.#url}/offset`, { method: 'PUT', agent: this.#agent, headers }, (response) => {
        response.resume()
        response.on('end', () => { resolve(response.statusCode ?? 0) })
        response.on('error', reject)
      })
      request.on('error', reject)
      request.end(JSON.stringify(body))
    })
  }
}
