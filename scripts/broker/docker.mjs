import { run } from '../setup/process.mjs'
import { say, Stop } from '../setup/say.mjs'

/**
 * RabbitMQ from the official image. The ports are the same inside and outside, so the address that a node advertises is
 * valid for both. A cluster gets a network of its own, in which the nodes find each other by name.
 * @param {string} series
 * @returns {import('./ways.mjs').Way}
 */
export function dockerWay (series) {
  const image = `rabbitmq:${series}-management`
  return {
    version: series,
    description: `Docker image ${image}`,
    isInContainer: true,
    prepare: async network => {
      await ensureImage(image)
      if (network) await docker('network', 'create', network)
    },
    dispose: async network => {
      if (network) await docker('network', 'rm', network)
    },
    inside: () => dataInside,
    server: node => [
      'docker', 'run', '--rm', '--name', containerOf(node), '--hostname', containerOf(node),
      // The user of this process owns the files then, and can delete them without being root.
      '--user', `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
      // The image's own entry point, as root, would switch to another user.
      '--entrypoint', 'rabbitmq-server',
      '--volume', `${node.directory}:${dataInside}`,
      ...node.network ? ['--network', node.network] : [],
      ...node.ports.flatMap(port => ['--publish', `127.0.0.1:${port}:${port}`]),
      ...environmentOf(node), image
    ],
    tool: (node, program, args) => ['docker', 'exec', ...environmentOf(node), containerOf(node), program, ...args],
    signal: async (node, _pid, signal) => {
      await docker('kill', '--signal', signal, containerOf(node))
    }
  }
}

const dataInside = '/srv/node'

/** The host part of the node's name, which is unique on this machine. @param {import('./ways.mjs').NodeLayout} node */
function containerOf (node) {
  return node.nodename.replace(/^.*@/, '')
}

/** @param {import('./ways.mjs').NodeLayout} node */
function environmentOf (node) {
  return Object.entries(node.environment).flatMap(([name, value]) => ['--env', `${name}=${value}`])
}

/** @param {...string} args */
async function docker (...args) {
  const { code, tail } = await run(['docker', ...args], { timeoutMs: 60_000 })
  if (code !== 0) throw new Error(`docker ${args.join(' ')} failed:\n${tail}`)
}

/** @param {string} image */
async function ensureImage (image) {
  const { code } = await run(['docker', 'image', 'inspect', image], { timeoutMs: 30_000 })
  if (code === 0) return
  say(`Pulling the Docker image ${image} ...`)
  const pull = await run(['docker', 'pull', image], {
    onLine: line => say(`  ${line}`),
    timeoutMs: 15 * 60_000,
    isInterruptible: true
  })
  if (pull.code !== 0) throw new Stop(`docker pull ${image} failed:\n${pull.tail}`)
}
