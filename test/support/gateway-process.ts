import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { gatewayCommand } from '../../scripts/setup/gateway-command.mjs'
import { tiedToParent } from '../../scripts/setup/parents.mjs'

/** How a gateway process is started. */
export interface GatewayProcessOptions {
  /**
   * Settings. The port is a free one unless HTTP_PORT is among them. Of this process's environment only PATH is passed
   * on.
   */
  env: Record<string, string>
  /** What runs: the source by tsx, as in most tests, or the build. */
  entry?: 'src/server.ts' | 'dist/server.js'
  nodeOptions?: readonly string[]
  /** A command in place of that of the project, such as the one of the image. */
  command?: readonly string[]
  /** Where it runs, in place of the folder of this process. */
  cwd?: string
  /** Leaves the log lines of requests out of `output`: under load they would fill this process's memory. */
  forgetsRequests?: boolean
}

/**
 * A gateway in a process of its own: to be measured, starved, ended and killed. Whoever starts one ends it.
 */
export class GatewayProcess {
  readonly child: ChildProcess
  /** Settles when the process has ended and all of its output has been read. */
  readonly ended: Promise<{ code: unknown, signal: unknown }>
  readonly #changes = new EventTarget()
  #output = ''
  #address: string | undefined
  #openFilesAtStart = Infinity

  constructor ({
    env, entry = 'src/server.ts', nodeOptions = [], command = gatewayCommand({ entry, nodeOptions }), cwd,
    forgetsRequests = false
  }: GatewayProcessOptions) {
    // It ends with this process, however this process ends.
    const [program = '', ...args] = tiedToParent([...command])
    this.child = spawn(program, args, {
      cwd,
      env: { PATH: process.env['PATH'], HTTP_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      // A line may come in pieces; only a whole one shows whether it is about a request.
      let rest = ''
      stream?.on('data', (chunk: Buffer) => {
        if (forgetsRequests) {
          const lines = (rest + chunk.toString()).split('\n')
          rest = lines.pop() ?? ''
          this.#output += lines.filter((line) => !line.includes('"msg":"request"')).map((line) => `${line}\n`).join('')
        } else {
          this.#output += chunk.toString()
        }
        this.#changes.dispatchEvent(new Event('change'))
      })
    }
    this.ended = once(this.child, 'close').then(([code, signal]: unknown[]) => {
      this.#changes.dispatchEvent(new Event('change'))
      return { code, signal }
    })
  }

  /** Starts a gateway and waits until it listens, which its log says at LOG_LEVEL `info`. */
  static async start (options: GatewayProcessOptions): Promise<GatewayProcess> {
    const gateway = new GatewayProcess(options)
    await gateway.untilListening()
    return gateway
  }

  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  get url (): string {
    if (this.#address === undefined) throw new Error('the gateway does not listen yet')
    return this.#address
  }

  get port (): number {
    return Number(new URL(this.url).port)
  }

  get pid (): number {
    if (this.child.pid === undefined) throw new Error('the gateway was not started')
    return this.child.pid
  }

  get isRunning (): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Everything that it has written to standard output and standard error so far. */
  get output (): string {
    return this.#output
  }

  /** The lines of its log, parsed. Lines that are not JSON are left out. */
  get log (): Array<Record<string, unknown>> {
    return this.#output.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line)]
      } catch {
        return []
      }
    })
  }

  async untilListening (): Promise<void> {
    const [, address] = await this.said(/listening at (https?:\/\/[^\s"]+)/)
    this.#address = address
    this.#openFilesAtStart = this.openFiles
  }

  /** Waits until its output matches. @throws when it ends before that */
  async said (pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#output)
      if (match !== null) return match
      if (!this.isRunning) throw new Error(`the gateway ended after ${this.#output}`)
      await new Promise((resolve) => { this.#changes.addEventListener('change', resolve, { once: true }) })
    }
  }

  /** Sends a signal and waits for the end. When it has ended already, this only returns how. */
  async end (signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: unknown, signal: unknown }> {
    if (this.isRunning) this.child.kill(signal)
    return await this.ended
  }

  /** Resident memory now, bytes (Linux). */
  get residentBytes (): number {
    return this.#statusBytes('VmRSS')
  }

  /** The peak of its resident memory, bytes (Linux). */
  get peakResidentBytes (): number {
    return this.#statusBytes('VmHWM')
  }

  /** Open file descriptors (Linux). */
  get openFiles (): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Open file descriptors when it began to listen. */
  get openFilesAtStart (): number {
    return this.#openFilesAtStart
  }

  #statusBytes (field: string): number {
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(
      readFileSync(`/proc/${this.pid}/status`, 'utf8')
    )?.[1]
    if (kilobytes === undefined) throw new Error(`/proc has no ${field} of the gateway`)
    return Number(kilobytes) * 1024
  }
}
