import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { tiedToParent } from '../setup/parents.mjs'
import { isListening } from '../setup/ports.mjs'
import { run, waitFor } from '../setup/process.mjs'
import { searchPath } from '../setup/programs.mjs'
import { Stop } from '../setup/say.mjs'
import { interruption } from '../setup/signals.mjs'
import { brokerEnvironment, writeConfiguration } from './configuration.mjs'

/** @typedef {import('./configuration.mjs').Ports} Ports */
/** @typedef {import('./ways.mjs').Way} Way */

/**
 * @typedef {object} NodeSettings
 * @property {Way} way
 * @property {string} directory its data, logs and configuration
 * @property {string} nodename
 * @property {Ports} ports
 * @property {string} cookie the Erlang cookie: the same for all nodes of a cluster
 * @property {string[]} peers the node names of the cluster, including its own; empty for a single node
 * @property {string | undefined} network of a cluster in containers
 * @property {string[]} configuration more lines for rabbitmq.conf
 * @property {string[]} plugins more plugins
 * @property {import('./configuration.mjs').Certificates} [tls]
 */

/** A private RabbitMQ node. It can be stopped, killed and started again, with the same ports and the same data. */
export class BrokerNode {
  #settings
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child
  /** @type {Promise<string> | undefined} how the current process ended */
  #ended

  /** @param {NodeSettings} settings */
  constructor (settings) {
    this.#settings = settings
  }

  get nodename () { return this.#settings.nodename }
  get directory () { return this.#settings.directory }
  /** The version of its RabbitMQ, e.g. 4.0.5. */
  get version () { return this.#settings.way.version }
  get streamPort () { return this.#settings.ports.stream }
  /** Undefined without certificates. */
  get streamTlsPort () { return this.#settings.ports.streamTls }
  get managementPort () { return this.#settings.ports.management }
  get amqpPort () { return this.#settings.ports.amqp }
  /** With the user guest and the virtual host `/`, like the other URLs. */
  get streamUrl () { return `rabbitmq-stream://guest:guest@127.0.0.1:${this.streamPort}/%2f` }
  get managementUrl () { return `http://guest:guest@127.0.0.1:${this.managementPort}` }
  get amqpUrl () { return `amqp://guest:guest@127.0.0.1:${this.amqpPort}/%2f` }
  /** The pid of the Erlang VM (in Docker: of the client that runs its container); undefined when none runs. */
  get pid () { return this.#child?.pid }
  /** Settles when the running process has ended, with how it ended. */
  get ended () { return this.#ended ?? Promise.resolve('it was not started') }

  /**
   * Starts the node and waits until it is ready: the management API answers and the stream port accepts.
   * @param {{ timeoutMs?: number }} [options]
   */
  async start ({ timeoutMs = 120_000 } = {}) {
    if (this.#child) return
    const { way, directory, ports, cookie, peers, configuration, plugins, tls } = this.#settings
    mkdirSync(directory, { recursive: true })
    writeConfiguration(directory, {
      ports,
      isInContainer: way.isInContainer,
      peers,
      extra: configuration,
      plugins,
      cookie,
      tls,
      inside: way.inside(directory)
    })
    const [program = '', ...args] = tiedToParent(way.server(this.#layout))
    const output = openSync(join(directory, 'log', 'output.log'), 'w')
    const child = spawn(program, args, {
      env: { ...process.env, PATH: searchPath() },
      stdio: ['ignore', output, output],
      // In a process group of its own: Ctrl-C reaches only the process that started it, which stops it in order.
      detached: true
    })
    closeSync(output)
    this.#child = child
    this.#ended = new Promise(resolve => {
      const end = (/** @type {string} */ how) => {
        if (this.#child === child) this.#child = undefined
        resolve(how)
      }
      child.once('error', error => end(error.message))
      child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
    })
    await this.#waitUntilReady(timeoutMs)
  }

  /**
   * Stops the node and waits for its end. A node that does not end within half a minute is killed. Does nothing when
   * the node does not run.
   */
  async stop () {
    if (!this.#child) return
    await this.kill('SIGCONT')
    await this.kill('SIGTERM')
    const deadline = setTimeout(() => { void this.kill('SIGKILL') }, 30_000)
    await this.ended
    clearTimeout(deadline)
  }

  /**
   * Sends a signal to the Erlang VM itself. After SIGKILL it waits for the end. After SIGSTOP the connections of the
   * node stay open and silent until SIGCONT.
   * @param {NodeJS.Signals} signal
   */
  async kill (signal) {
    const child = this.#child
    if (child?.pid === undefined) return
    await this.#settings.way.signal(this.#layout, child.pid, signal)
    if (signal === 'SIGKILL') await this.ended
  }

  /**
   * Runs rabbitmqctl against the node and returns its output.
   * @param {...string} args e.g. 'add_user', 'name', 'password'
   */
  ctl (...args) {
    return this.tool('rabbitmqctl', ...args)
  }

  /**
   * Runs one of RabbitMQ's programs against the node and returns its output.
   * @param {'rabbitmqctl' | 'rabbitmq-streams' | 'rabbitmq-diagnostics' | 'rabbitmq-queues' | 'rabbitmq-plugins' |
   *   'rabbitmq-upgrade'} program
   * @param {...string} args
   */
  async tool (program, ...args) {
    const command = this.command(program, args)
    const { code, stdout, tail } = await run(command, { timeoutMs: 120_000 })
    if (code !== 0) {
      throw new Error(`${program} ${args.join(' ')} on ${this.nodename} failed with exit code ${code}:\n${tail}`)
    }
    return stdout
  }

  /**
   * The command that runs one of RabbitMQ's programs against the node.
   * @param {string} program
   * @param {string[]} args
   */
  command (program, args) {
    return this.#settings.way.tool(this.#layout, program, args)
  }

  /**
   * Asks the management API.
   * @param {string} path e.g. /api/overview
   * @returns {Promise<unknown>}
   */
  async api (path) {
    const response = await fetch(new URL(path, `http://127.0.0.1:${this.managementPort}`), {
      headers: { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` },
      signal: AbortSignal.timeout(5000)
    })
    if (!response.ok) throw new Error(`GET ${path} on ${this.nodename} answered ${response.status}`)
    return await response.json()
  }

  /** The last lines of the node's logs. */
  logTail (lines = 30) {
    const logs = join(this.directory, 'log')
    return (existsSync(logs) ? readdirSync(logs) : [])
      .filter(name => name.endsWith('.log'))
      .map(name => join(logs, name))
      .map(path => `--- ${path}\n${readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')}`)
      .join('\n')
  }

  get #layout () {
    const { way, directory, nodename, ports, network } = this.#settings
    return {
      directory,
      nodename,
      ports: [ports.stream, ports.management, ports.amqp, ...ports.streamTls ? [ports.streamTls] : []],
      network,
      environment: brokerEnvironment(way.inside(directory), { nodename, ports })
    }
  }

  /** @param {number} timeoutMs */
  async #waitUntilReady (timeoutMs) {
    /** @type {string | undefined} */
    let ended
    void this.ended.then(how => { ended = how })
    const isReady = await waitFor(
      async () => ended !== undefined || interruption.aborted || await this.#isReady(),
      { timeoutMs, everyMs: 250 }
    )
    if (isReady && ended === undefined && !interruption.aborted) return
    const why = ended === undefined
      ? `was not ready after ${timeoutMs / 1000} seconds`
      : `ended while it started (${ended})`
    const tail = this.logTail()
    await this.stop()
    if (interruption.aborted) throw new Stop('Interrupted.')
    throw new Error(`The RabbitMQ node ${this.nodename} ${why}.\n${tail}`)
  }

  async #isReady () {
    try {
      await this.api('/api/overview')
      return await isListening(this.streamPort)
    } catch {
      return false
    }
  }
}
