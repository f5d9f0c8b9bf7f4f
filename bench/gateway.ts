import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { gatewayCommand } from '../scripts/setup/gateway-command.mjs'
import { freePorts } from '../scripts/setup/ports.mjs'
import { tiedToParent } from '../scripts/setup/parents.mjs'
import { waitFor } from '../scripts/setup/process.mjs'

const START_TIMEOUT_MS = 30_000
const END_TIMEOUT_MS = 15_000

/**
 * The gateway that is measured: the build with its default settings, in a process of its own. It writes its log to the
 * null device, so that the figures do not include a reader of the log.
 */
export class BenchGateway {
  readonly port: number
  readonly #child: ChildProcess

  private constructor (port: number, env: Record<string, string>) {
    this.port = port
    const [program = '', ...args] = tiedToParent(gatewayCommand({ nodeOptions: cpuProfile() }))
    this.#child = spawn(program, args, {
      env: { PATH: process.env['PATH'], HTTP_PORT: String(port), ...env },
      stdio: ['ignore', 'ignore', 'inherit']
    })
  }

  static async start (env: Record<string, string>): Promise<BenchGateway> {
    const [port = 0] = await freePorts(1)
    const gateway = new BenchGateway(port, env)
    const isReady = await waitFor(async () => {
      if (gateway.#child.exitCode !== null) throw new Error('the gateway ended while it started')
      return await fetch(`${gateway.url}/health/ready`).then(({ ok }) => ok, () => false)
    }, { timeoutMs: START_TIMEOUT_MS, everyMs: 50 })
    if (isReady !== true) throw new Error('the gateway was not ready in time')
    return gateway
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  get pid (): number {
    if (this.#child.pid === undefined) throw new Error('the gateway was not started')
    return this.#child.pid
  }

  /** The value of a metric, by its name without the prefix of the gateway. */
  async metric (name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    return Number(new RegExp(`^rabbitmq_stream_gateway_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? NaN)
  }

  /** Ends it as a crash does. Returns when it was sent the signal, ms by the clock of all processes. */
  kill (): number {
    const atMs = performance.timeOrigin + performance.now()
    this.#child.kill('SIGKILL')
    return atMs
  }

  async close (): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const deadline = setTimeout(() => { this.#child.kill('SIGKILL') }, END_TIMEOUT_MS)
    await exit
    clearTimeout(deadline)
  }
}

/** BENCH_CPU_PROFILE=DIR: the gateways write CPU profiles there. */
function cpuProfile (): string[] {
  const directory = process.env['BENCH_CPU_PROFILE']
  return directory === undefined
    ? []
    : ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=gateway-${Date.now()}.cpuprofile`]
}
