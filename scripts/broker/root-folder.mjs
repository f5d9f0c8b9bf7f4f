import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { stopEpmd } from './epmd.mjs'

/**
 * RabbitMQ from a root folder (roots.mjs makes them), by chroot.
 *
 * The root needs a /proc, and the node's data in it. Both are mounted in a mount namespace of the node's own (unshare),
 * which ends with the node. The machine itself sees no mount: nothing has to be unmounted, several nodes share a root
 * without knowing of each other, and deleting the folder deletes its files alone. /dev of the machine is never mounted:
 * debootstrap has made the few devices that are needed (null, zero, random, tty) as files.
 *
 * Every step replaces the process by the next one, so that the spawned pid is that of the Erlang VM in the end.
 * @param {{ path: string, version: string }} root
 * @returns {import('./ways.mjs').Way}
 */
export function rootFolderWay ({ path, version }) {
  /** @param {import('./ways.mjs').NodeLayout} node @param {string[]} command */
  const enter = (node, command) => {
    mkdirSync(node.directory, { recursive: true })
    return [
      'unshare', '--mount', '--propagation', 'private',
      'sh', '-c', enterScript, 'sh', path, node.directory,
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      ...Object.entries(node.environment).map(([name, value]) => `${name}=${value}`),
      ...command
    ]
  }
  return {
    version,
    description: `RabbitMQ ${version} in ${path}`,
    isInContainer: false,
    prepare: async () => {},
    dispose: stopEpmd,
    inside: () => dataInside,
    server: node => enter(node, [join(programsInside, 'rabbitmq-server')]),
    tool: (node, program, args) => enter(node, [join(programsInside, program), ...args]),
    signal: async (_node, pid, signal) => { process.kill(pid, signal) }
  }
}

const dataInside = '/mnt'
// The programs of the same names in /usr/sbin switch to the user rabbitmq, which owns nothing here.
const programsInside = '/usr/lib/rabbitmq/bin'

// A container that may not mount a new /proc may still be allowed to bind its own one a second time.
const enterScript = `set -e
root=$1 data=$2
shift 2
mount --bind "$data" "$root${dataInside}"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
cd /
exec chroot "$root" /usr/bin/env -i "$@"`
