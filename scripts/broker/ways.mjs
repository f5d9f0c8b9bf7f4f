import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stateDirectory } from '../setup/paths.mjs'
import { run } from '../setup/process.mjs'
import { findOnPath, isExecutable } from '../setup/programs.mjs'
import { Stop } from '../setup/say.mjs'
import { dockerWay } from './docker.mjs'
import { ensureRoot, releaseOf } from './roots.mjs'
import { rootFolderWay } from './root-folder.mjs'

/**
 * A way to run a private RabbitMQ on this machine.
 * @typedef {object} Way
 * @property {string} version of its RabbitMQ, e.g. 4.0.5; only the series, e.g. 4.0, where no more is known
 * @property {string} description for the person at the terminal
 * @property {boolean} isInContainer whether the node has a network of its own, with forwarded ports
 * @property {(network: string | undefined) => Promise<void>} prepare before the first node of a broker starts; the
 *   network is for a cluster
 * @property {(network: string | undefined) => Promise<void>} dispose after its last node has ended
 * @property {(directory: string) => string} inside where the broker sees a directory of this machine
 * @property {(node: NodeLayout) => string[]} server the command that becomes the node, in the foreground
 * @property {(node: NodeLayout, program: string, args: string[]) => string[]} tool the command that runs rabbitmqctl
 *   and the like against the node
 * @property {(node: NodeLayout, pid: number, signal: NodeJS.Signals) => Promise<void>} signal sends a signal to the
 *   Erlang VM itself
 */

/**
 * What a way needs to know about a node.
 * @typedef {object} NodeLayout
 * @property {string} directory its data, logs and configuration
 * @property {string} nodename e.g. gateway-1f2e@localhost
 * @property {Record<string, string>} environment for the server and the tools
 * @property {number[]} ports
 * @property {string | undefined} network the cluster it belongs to
 */

/** The oldest RabbitMQ the gateway works with. */
const oldest = [3, 13]

/**
 * The first way that works on this machine: Docker, an installed RabbitMQ, a root folder made by debootstrap.
 * @param {string} [series] e.g. '4.0'; without it any RabbitMQ that is new enough
 * @returns {Promise<Way>}
 */
export async function chooseWay (series) {
  if (series !== undefined) releaseOf(series)
  if (await doesDockerAnswer()) return dockerWay(series ?? '4.0')
  const installed = await installedWay()
  if (installed && isWanted(installed.version, series)) return installed
  if (isDebianRoot()) return rootFolderWay(await ensureRoot(series ?? '4.0'))
  const found = installed ? ` (the one there is ${installed.version})` : ''
  throw new Stop(`No way to start a private RabbitMQ was found. One of these is needed:
  - a Docker engine that answers \`docker info\`;
  - a rabbitmq-server ${series ?? `${oldest.join('.')} or newer`} on the PATH${found};
  - Debian or Ubuntu as root, for a RabbitMQ in a folder of its own.
Or set RABBITMQ_STREAM_URL (and RABBITMQ_MANAGEMENT_URL) to use a RabbitMQ that is running already.`)
}

async function doesDockerAnswer () {
  if (!findOnPath('docker')) return false
  const { code } = await run(['docker', 'info'], { timeoutMs: 5000 })
  return code === 0
}

function isDebianRoot () {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  const isDebian = /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release)
  return isDebian && process.getuid?.() === 0 && findOnPath('apt-get') !== undefined
}

/** @param {string} version @param {string | undefined} series */
function isWanted (version, series) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = oldest
  return series === undefined
    ? major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    : version.startsWith(`${series}.`)
}

/**
 * A RabbitMQ installed on this machine, run as a node of its own. Debian's programs on the PATH switch to the user
 * rabbitmq; the programs in /usr/lib/rabbitmq/bin, which they call, do not.
 * @returns {Promise<Way | undefined>}
 */
async function installedWay () {
  const server = findOnPath('rabbitmq-server')
  if (!server) return undefined
  const directories = ['/usr/lib/rabbitmq/bin', dirname(realpathSync(server)), dirname(server)]
  const programs = directories.find(
    directory => isExecutable(join(directory, 'rabbitmq-server')) && isExecutable(join(directory, 'rabbitmqctl'))
  )
  if (!programs) return undefined
  // An Erlang program writes a cookie into its home folder when there is none: that must not be the user's.
  mkdirSync(stateDirectory, { recursive: true })
  const { code, stdout } = await run([join(programs, 'rabbitmqctl'), 'version'], {
    env: { HOME: stateDirectory },
    timeoutMs: 30_000
  })
  const version = stdout.trim().split('\n').at(-1) ?? ''
  if (code !== 0 || !/^\d+\.\d+/.test(version)) return undefined
  const withEnvironment = (/** @type {NodeLayout} */ node) => [
    'env', '-i', `PATH=${process.env['PATH']}`,
    ...Object.entries(node.environment).map(([name, value]) => `${name}=${value}`)
  ]
  return {
    version,
    description: `the installed RabbitMQ ${version} (${programs}), as a node of its own`,
    isInContainer: false,
    prepare: async () => {},
    // The port mapper (epmd) stays: it may be that of the machine's own RabbitMQ.
    dispose: async () => {},
    inside: directory => directory,
    server: node => [...withEnvironment(node), join(programs, 'rabbitmq-server')],
    tool: (node, program, args) => [...withEnvironment(node), join(programs, program), ...args],
    signal: async (_node, pid, signal) => { process.kill(pid, signal) }
  }
}
