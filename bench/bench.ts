import { randomUUID } from 'node:crypto'
import { say } from '../scripts/setup/say.mjs'
import { BenchGateway } from './gateway.ts'
import { BenchWorker } from './workers/bench-worker.ts'

/** The RabbitMQ that everything is measured with. */
export interface BenchBroker {
  readonly streamUrl: string
  readonly managementUrl: string
  /** Of the Erlang VM; undefined when it was not started here. */
  readonly pid: number | undefined
}

/** The gateways, workers and streams of one case. `close` ends and deletes all of them. */
export class Bench {
  readonly broker: BenchBroker
  #filler: BenchGateway | undefined
  readonly #closers: Array<() => Promise<unknown>> = []

  constructor (broker: BenchBroker) {
    this.broker = broker
  }

  get streamPort (): number {
    return Number(new URL(this.broker.streamUrl).port)
  }

  async gateway (env: Record<string, string> = {}): Promise<BenchGateway> {
    const { streamUrl, managementUrl } = this.broker
    const gateway = await BenchGateway.start({
      RABBITMQ_STREAM_URL: streamUrl,
      RABBITMQ_MANAGEMENT_URL: managementUrl,
      ...env
    })
    this.#closers.push(() => gateway.close())
    return gateway
  }

  async worker (...args: Parameters<typeof BenchWorker.start>): Promise<BenchWorker> {
    const worker = await BenchWorker.start(...args)
    this.#closers.push(() => worker.close())
    return worker
  }

  /** Creates a stream. Its old segments are deleted, so that no run fills the disk. */
  async stream (gateway: BenchGateway, name: string = `bench-${randomUUID()}`): Promise<string> {
    await this.#create(`${gateway.url}/v1/streams/${name}`, { maxLengthBytes: 5_000_000_000 })
    return name
  }

  /** Creates a super stream, in the same way. Returns the names of its partitions. */
  async superStream (gateway: BenchGateway, name: string, partitions: number): Promise<string[]> {
    await this.#create(`${gateway.url}/v1/super-streams/${name}`, { partitions, maxLengthBytes: 1_000_000_000 })
    return Array.from({ length: partitions }, (_, index) => `${name}-${index}`)
  }

  async #create (url: string, args: object): Promise<void> {
    const body = JSON.stringify(args)
    const response = await fetch(url, { method: 'PUT', headers: { 'content-type': 'application/json' }, body })
    if (!response.ok) throw new Error(await response.text())
    this.#closers.push(() => fetch(url, { method: 'DELETE' }))
  }

  /**
   * Creates a stream with at least `count` messages and returns how many it has. They are written through another
   * gateway, so that the measured one has done nothing yet.
   */
  async filledStream (
    count: number,
    post: { path: string, contentType: string, body: string, messages: number }
  ): Promise<{ stream: string, messages: number }> {
    const gateway = (this.#filler ??= await this.gateway())
    const stream = await this.stream(gateway)
    return { stream, messages: await this.fill(gateway, stream, count, post) }
  }

  /** Publishes at least `count` messages to a stream. Returns how many. */
  async fill (
    gateway: BenchGateway, stream: string, count: number,
    post: { path: string, contentType: string, body: string, messages: number }
  ): Promise<number> {
    let messages = 0
    while (messages < count) {
      const response = await fetch(`${gateway.url}/v1/streams/${stream}/${post.path}`, {
        method: 'POST',
        headers: { 'content-type': post.contentType },
        body: post.body
      })
      if (!response.ok) throw new Error(await response.text())
      await response.arrayBuffer()
      messages += post.messages
    }
    return messages
  }

  async close (): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      // After an interruption a stream cannot be deleted, because its gateway has ended: the rest is closed anyway.
      await close().catch((error: unknown) => { say(`Could not clean up after a case: ${String(error)}`) })
    }
  }
}
