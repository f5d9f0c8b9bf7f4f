import { setTimeout as delay } from 'node:timers/promises'
import { startBroker, type Broker, type BrokerNode } from '../../scripts/broker/index.mjs'
import { GatewayProcess } from '../support/gateway-process.ts'
import { clusterUrl } from '../support/broker.ts'
import { QUICKLY_IDLE } from '../support/leftovers.ts'
import { FaultProxy } from '../support/proxy.ts'

const MIB = 1024 * 1024
const BUDGETS = {
  PUBLISH_BUDGET_BYTES: 32 * MIB,
  READ_BUDGET_BYTES: 32 * MIB,
  HTTP_BODY_BUDGET_BYTES: 32 * MIB
} as const
/** What the engine lets gather under load before it collects it, budgets or not. */
const ENGINE_BYTES = 64 * MIB
/** All that a gateway may hold at once, by its settings, and what comes with it; on top of what it takes when idle. */
export const BUDGET_BYTES = Object.values(BUDGETS).reduce((sum, bytes) => sum + bytes, 0) + ENGINE_BYTES

/** Longer than DRAIN_TIMEOUT_MS. */
const MAX_END_MS = 60_000

interface Instance {
  process: GatewayProcess
  readonly url: string
}

/**
 * A RabbitMQ of one node behind a proxy, or of three nodes, and two gateways in front of it.
 */
export class World {
  readonly nodes: readonly BrokerNode[]
  /** Between the gateways and the one node. A cluster has no proxy: its nodes are known by their own addresses. */
  readonly proxy: FaultProxy | undefined
  readonly #broker: Broker
  readonly #env: Record<string, string>
  readonly #gateways: Instance[] = []
  /** The memory of a gateway that has just started, bytes. */
  idleBytes = 0
  /** The most memory of any gateway so far, bytes. */
  peakBytes = 0
  /** Lines of the gateways' logs that must not be. */
  readonly alarms: string[] = []

  private constructor (broker: Broker, proxy: FaultProxy | undefined) {
    this.#broker = broker
    this.nodes = broker.nodes
    this.proxy = proxy
    this.#env = {
      RABBITMQ_STREAM_URL: proxy === undefined
        ? clusterUrl(broker.nodes)
        : `rabbitmq-stream://guest:guest@127.0.0.1:${proxy.port}/%2f`,
      RABBITMQ_MANAGEMENT_URL: broker.node.managementUrl,
      RABBITMQ_ADDRESS_MODE: proxy === undefined ? 'advertised' : 'configured',
      RABBITMQ_HEARTBEAT_SECONDS: '2',
      RABBITMQ_MAX_RECONNECT_DELAY_MS: '1000',
      READER_WINDOW_BYTES: String(MIB),
      ...QUICKLY_IDLE,
      ...Object.fromEntries(Object.entries(BUDGETS).map(([name, bytes]) => [name, String(bytes)]))
    }
  }

  static async start ({ nodes, version }: { nodes: number, version: string | undefined }): Promise<World> {
    const broker = await startBroker({ nodes, ...version !== undefined && { version } })
    const proxy = nodes === 1 ? await FaultProxy.listen({ host: '127.0.0.1', port: broker.node.streamPort }) : undefined
    const world = new World(broker, proxy)
    try {
      for (let index = 0; index < 2; index++) {
        const process = await world.#startGateway()
        world.#gateways.push({ process, url: process.url })
      }
      const [first] = world.#gateways
      world.idleBytes = first?.process.residentBytes ?? 0
      return world
    } catch (error) {
      await world.close()
      throw error
    }
  }

  /** The gateways, by their addresses, which stay when they are started again. */
  get targets (): ReadonlyArray<{ readonly url: string }> {
    return this.#gateways
  }

  get gateways (): readonly GatewayProcess[] {
    return this.#gateways.map(({ process }) => process)
  }

  get node (): BrokerNode {
    return this.#broker.node
  }

  /** Ends a gateway and starts it again on its port. @returns how it ended */
  async restartGateway (index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<{ code: unknown, signal: unknown }> {
    const gateway = this.#gateways[index]
    if (gateway === undefined) throw new RangeError(`there is no gateway ${index}`)
    this.#look(gateway.process)
    const how = await gateway.process.end(signal)
    gateway.process = await this.#startGateway(new URL(gateway.url).port)
    return how
  }

  /** The node that leads a stream now, waited for. */
  async leaderOf (stream: string): Promise<BrokerNode> {
    for (let tries = 0; tries < 300; tries++) {
      const { leader } = await this.describe(stream)
      const node = this.nodes.find(({ streamPort }) => leader === `127.0.0.1:${streamPort}`)
      if (node !== undefined) return node
      await delay(100)
    }
    throw new Error(`the stream ${stream} has no leader`)
  }

  /** Waits until a stream has a leader and all its other members again. */
  async untilWhole (stream: string): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      const { leader, replicas } = await this.describe(stream)
      if (leader !== undefined && replicas === this.nodes.length - 1) return
      await delay(100)
    }
    throw new Error(`the stream ${stream} did not get all of its members back`)
  }

  async describe (stream: string): Promise<{ leader: string | undefined, replicas: number }> {
    try {
      const url = `${this.#gateways[0]?.url ?? ''}/v1/streams/${stream}`
      const response = await fetch(url, { signal: AbortSignal.timeout(5000) })
      const description: unknown = await response.json()
      if (typeof description !== 'object' || description === null) return { leader: undefined, replicas: 0 }
      const { leader, replicas } = { leader: undefined, replicas: [], ...description }
      return {
        leader: typeof leader === 'string' ? leader : undefined,
        replicas: Array.isArray(replicas) ? replicas.length : 0
      }
    } catch {
      return { leader: undefined, replicas: 0 }
    }
  }

  /** Waits until both gateways are ready. */
  async untilReady (timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (const { url } of this.#gateways) {
      while (!await isReady(url)) {
        if (performance.now() > deadline) throw new Error(`the gateway ${url} did not become ready again`)
        await delay(100)
      }
    }
  }

  /** Enters the peak memory and the log of the gateways that run now. */
  look (): void {
    for (const { process } of this.#gateways) this.#look(process)
  }

  /** Ends everything. A gateway that does not end by itself is killed, which shows in how it ended. */
  async close (): Promise<void> {
    await Promise.all(this.#gateways.map(async ({ process }) => {
      const late = setTimeout(() => { process.child.kill('SIGKILL') }, MAX_END_MS)
      await process.end()
      clearTimeout(late)
    }))
    await this.proxy?.close()
    await this.#broker.close()
  }

  async #startGateway (port = '0'): Promise<GatewayProcess> {
    const env = { ...this.#env, HTTP_PORT: port }
    return await GatewayProcess.start({ entry: 'dist/server.js', env, forgetsRequests: true })
  }

  #look (process: GatewayProcess): void {
    if (!process.isRunning) {
      this.alarms.push(`a gateway has ended by itself: ${process.output.slice(-1000)}`)
      return
    }
    this.peakBytes = Math.max(this.peakBytes, process.peakResidentBytes)
    for (const line of process.output.split('\n')) {
      if (!/unhandled|uncaught|internal_error|MaxListenersExceeded/i.test(line)) continue
      if (!this.alarms.includes(line)) this.alarms.push(line)
    }
  }
}

async function isReady (url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5000) })).status === 200
  } catch {
    return false
  }
}
