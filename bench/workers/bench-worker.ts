import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Sample } from './worker.ts'

/** A worker, seen from the process that starts it. That process closes it; the worker also ends with that process. */
export class BenchWorker {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>

  private constructor (name: string) {
    const program = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
    this.#child = fork(program, { execArgv: ['--import', 'tsx', ...cpuProfile(name)] })
    this.#ended = once(this.#child, 'exit').then(([code]: unknown[]) => {
      throw new Error(`the worker ${name} ended with ${String(code)}`)
    })
    this.#ended.catch(() => {}) // after `close` the end is expected
  }

  /** Starts one and waits until it is connected and warm. */
  static async start (
    name: 'load' | 'js-client' | 'protocol-client' | 'bare-route' | 'polls' | 'many-streams' | 'slow-reader' | 'live' |
      'live-catch-up' | 'live-crawlers' | 'live-latency' | 'live-sink' | 'bare-live' | 'push-receiver' |
      'push-arrivals' | 'bare-push',
    config: object
  ): Promise<BenchWorker> {
    const worker = new BenchWorker(name)
    worker.#child.send(config)
    await worker.#message()
    return worker
  }

  get pid (): number {
    if (this.#child.pid === undefined) throw new Error('the worker was not started')
    return this.#child.pid
  }

  async round (seconds: number): Promise<Sample> {
    const answer = this.#message()
    this.#child.send(seconds)
    const sample = await answer
    if (!isSample(sample)) throw new Error('a worker did not answer with a sample')
    return sample
  }

  async close (): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }

  async #message (): Promise<unknown> {
    const [message]: unknown[] = await Promise.race([once(this.#child, 'message'), this.#ended])
    return message
  }
}

/** BENCH_CPU_PROFILE=DIR: the workers write CPU profiles there. */
function cpuProfile (name: string): string[] {
  const directory = process.env['BENCH_CPU_PROFILE']
  return directory === undefined
    ? []
    : ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${name}-${Date.now()}.cpuprofile`]
}

function isSample (value: unknown): value is Sample {
  return typeof value === 'object' && value !== null && 'count' in value && 'seconds' in value && 'latenciesMs' in value
}
