import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tryLock, unlock } from '../setup/lock.mjs'
import { stateDirectory } from '../setup/paths.mjs'
import { freePorts, isPortFree } from '../setup/ports.mjs'
import { isAlive, waitFor } from '../setup/process.mjs'
import { say, Stop } from '../setup/say.mjs'
import { interruption } from '../setup/signals.mjs'
import { BrokerNode } from './node.mjs'
import { chooseWay } from './ways.mjs'

export { BrokerNode } from './node.mjs'

/**
 * @typedef {object} Broker
 * @property {BrokerNode} node the first node, or the only one
 * @property {BrokerNode[]} nodes
 * @property {() => Promise<void>} close stops all nodes and deletes what is not kept; closing twice is fine
 */

/**
 * Starts a private RabbitMQ, one node or a cluster, and waits until it is ready. Closing it deletes its data. It ends
 * with the process that started it, even when that process is killed.
 * @param {object} [options]
 * @param {string} [options.version] a series: '4.0' or '4.3'; without it any RabbitMQ that is new enough
 * @param {number} [options.nodes]
 * @param {string[]} [options.configuration] more lines for rabbitmq.conf
 * @param {import('./configuration.mjs').Certificates} [options.tls] the stream protocol over TLS too, on a port of its
 *   own
 * @param {string[]} [options.plugins] more plugins
 * @returns {Promise<Broker>}
 */
export async function startBroker ({ version, nodes: count = 1, configuration = [], tls, plugins = [] } = {}) {
  const way = await chooseWay(version)
  removeLeftovers()
  const id = `${process.pid}-${randomBytes(3).toString('hex')}`
  const directory = join(runsDirectory, id)
  const ports = await choosePorts(count, tls !== undefined)
  const nodenames = ports.map((_, index) => nameOf(way, `run-${id}-${index + 1}`))
  const cookie = newCookie()
  const network = count > 1 ? `network-${id}` : undefined
  const nodes = ports.map((ports, index) => new BrokerNode({
    way,
    directory: join(directory, String(index + 1)),
    nodename: nodenames[index] ?? '',
    ports,
    cookie,
    peers: count > 1 ? nodenames : [],
    network,
    configuration,
    plugins,
    ...tls && { tls }
  }))
  let isClosed = false
  const close = async () => {
    if (isClosed) return
    isClosed = true
    await Promise.all(nodes.map(node => node.stop()))
    rmSync(directory, { recursive: true, force: true })
    await way.dispose(network)
  }
  await way.prepare(network)
  try {
    await Promise.all(nodes.map(node => node.start()))
    await waitForCluster(nodes)
  } catch (error) {
    await close()
    throw error
  }
  return { node: firstOf(nodes), nodes, close }
}

/**
 * Starts the private RabbitMQ of this checkout, whose data, name and ports are kept from one start to the next.
 * @param {import('./ways.mjs').Way} way
 * @returns {Promise<Broker>}
 */
export async function startKeptBroker (way) {
  const directory = keptDirectory(way)
  const lock = `${directory}.lock`
  await takeNodeLock(lock)
  try {
    await way.prepare(undefined)
    const memory = await recall(directory, way)
    const node = new BrokerNode({ way, directory, ...memory, peers: [], network: undefined, ...plain })
    say(`Starting a private RabbitMQ: ${way.description} ...`)
    await node.start()
    remember(directory, { ...memory, pid: node.pid })
    return {
      node,
      nodes: [node],
      close: async () => {
        await node.stop()
        await way.dispose(undefined)
        unlock(lock)
      }
    }
  } catch (error) {
    unlock(lock)
    throw error
  }
}

/**
 * The private RabbitMQ of this checkout that another process has started, for rabbitmqctl.
 * @param {import('./ways.mjs').Way} way
 */
export function keptNode (way) {
  const directory = keptDirectory(way)
  const file = join(directory, 'node.json')
  /** @type {Memory | undefined} */
  const memory = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  if (memory?.pid === undefined || !isAlive(memory.pid)) {
    throw new Stop('The private RabbitMQ of this checkout does not run: `npm start` starts it.')
  }
  return new BrokerNode({ way, directory, ...memory, peers: [], network: undefined, ...plain })
}

/**
 * A folder for each series: an older RabbitMQ cannot read the data of a newer one.
 * @param {import('./ways.mjs').Way} way
 */
function keptDirectory (way) {
  return join(stateDirectory, 'nodes', `gateway-${way.version.split('.').slice(0, 2).join('.')}`)
}

/**
 * Takes the lock of the kept node. A holder that has just been told to end, as before a restart, is waited for.
 * @param {string} lock
 */
async function takeNodeLock (lock) {
  /** @type {number | undefined} */
  let holder
  const take = () => {
    if (interruption.aborted) throw new Stop('Interrupted.')
    holder = tryLock(lock)
    return holder === undefined
  }
  if (take()) return
  say(`The private RabbitMQ of this checkout is in use by process ${holder}. Waiting a moment for its end ...`)
  if (await waitFor(take, { timeoutMs: 15_000 })) return
  throw new Stop(
    `The private RabbitMQ of this checkout is in use by process ${holder}. Stop that process, or set ` +
    'RABBITMQ_STREAM_URL to use another broker.'
  )
}

const plain = { configuration: [], plugins: [] }
const runsDirectory = join(stateDirectory, 'runs')

/** @param {number} count */
async function choosePorts (count, isTls = false) {
  const ports = await freePorts(count * 5)
  return Array.from({ length: count }, (_, index) => {
    const [stream = 0, management = 0, amqp = 0, distribution = 0, streamTls = 0] = ports.slice(index * 5)
    return { stream, management, amqp, distribution, ...isTls && { streamTls } }
  })
}

/**
 * A container has a host name of its own; elsewhere the name alone tells nodes of one machine apart.
 * @param {import('./ways.mjs').Way} way @param {string} name
 */
function nameOf (way, name) {
  return way.isInContainer ? `rabbit@${name}` : `${name}@localhost`
}

function newCookie () {
  return randomBytes(16).toString('hex').toUpperCase()
}

/**
 * @typedef {{ nodename: string, cookie: string, ports: import('./node.mjs').Ports, pid?: number | undefined }} Memory
 */

/** @param {string} directory @param {import('./ways.mjs').Way} way @returns {Promise<Memory>} */
async function recall (directory, way) {
  const file = join(directory, 'node.json')
  const [newPorts] = await choosePorts(1)
  if (!newPorts) throw new Error('no free ports')
  /** @type {Memory} */
  const memory = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { nodename: nameOf(way, `gateway-${randomBytes(3).toString('hex')}`), cookie: newCookie(), ports: newPorts }
  if (memory.pid !== undefined) await waitForOrphan(memory.pid, memory.nodename)
  const areFree = (await Promise.all(Object.values(memory.ports).map(port => isPortFree(port)))).every(Boolean)
  const current = { nodename: memory.nodename, cookie: memory.cookie, ports: areFree ? memory.ports : newPorts }
  remember(directory, current)
  return current
}

/** @param {string} directory @param {Memory} memory */
function remember (directory, memory) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'node.json'), `${JSON.stringify(memory, null, 2)}\n`, { mode: 0o600 })
}

/**
 * Waits for the end of a node that an earlier run has left behind. A node stops by itself when the process that started
 * it is killed; where it cannot notice that, it is stopped here. Its environment proves that the pid is still the
 * node's.
 * @param {number} pid @param {string} nodename
 */
async function waitForOrphan (pid, nodename) {
  const isOurs = () => {
    try {
      return isAlive(pid) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`RABBITMQ_NODENAME=${nodename}\0`)
    } catch {
      return false
    }
  }
  if (!isOurs()) return
  say(`Waiting until the RabbitMQ node of an earlier run (process ${pid}) has ended ...`)
  process.kill(pid, 'SIGTERM')
  if (!(await waitFor(() => !isOurs(), { timeoutMs: 30_000 }))) {
    throw new Stop(`The RabbitMQ node of an earlier run (process ${pid}) does not end.`)
  }
}

/** Deletes the data of brokers whose processes were killed. */
function removeLeftovers () {
  for (const name of existsSync(runsDirectory) ? readdirSync(runsDirectory) : []) {
    if (!isAlive(Number(name.split('-')[0]))) rmSync(join(runsDirectory, name), { recursive: true, force: true })
  }
}

/** @param {BrokerNode[]} nodes */
async function waitForCluster (nodes) {
  const isFormed = await waitFor(async () => {
    const views = await Promise.all(nodes.map(node => node.api('/api/nodes')))
    return views.every(view => Array.isArray(view) && view.filter(node => node.running).length === nodes.length)
  }, { timeoutMs: 60_000 })
  if (isFormed) return
  const logs = nodes.map(node => node.logTail(10)).join('\n')
  throw new Error(`The ${nodes.length} RabbitMQ nodes did not form a cluster.\n${logs}`)
}

/** @param {BrokerNode[]} nodes */
function firstOf (nodes) {
  const [first] = nodes
  if (!first) throw new Error('a broker has at least one node')
  return first
}
