import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { withLock } from '../setup/lock.mjs'
import { rootsDirectory } from '../setup/paths.mjs'
import { run } from '../setup/process.mjs'
import { findOnPath } from '../setup/programs.mjs'
import { progress, say, Stop } from '../setup/say.mjs'

/** The series of RabbitMQ that private brokers have, and for each the Debian release that it comes from. */
const releases = new Map([['4.0', 'trixie'], ['4.3', 'forky']])

/** The series, the oldest first. */
export const SERIES = [...releases.keys()]

const defaultMirror = 'http://deb.debian.org/debian'
const stampFile = '.complete'
const APT_TRIES = 6
const APT_PAUSE_MS = 10_000

/**
 * Returns a folder with a Debian in it that has RabbitMQ of the series, and makes it when it is missing. A new folder
 * is made under another name, stamped, and renamed last, so that a folder of the final name is complete.
 * @param {string} series
 * @returns {Promise<{ path: string, version: string }>}
 */
export async function ensureRoot (series) {
  const release = releaseOf(series)
  const path = join(rootsDirectory, release)
  if (!existsSync(join(path, stampFile))) {
    await withLock(`${path}.lock`, async () => {
      if (!existsSync(join(path, stampFile))) await makeRoot(release, path)
    })
  }
  return { path, version: versionIn(path) }
}

/** @param {string} release @param {string} path */
async function makeRoot (release, path) {
  await ensureDebootstrap()
  const mirrors = process.env['PRIVATE_BROKER_MIRROR']
    ? [process.env['PRIVATE_BROKER_MIRROR']]
    : [...new Set([hostMirror(), defaultMirror])]
  /** @type {string[]} */
  const failures = []
  for (const mirror of mirrors) {
    say(`Making a private RabbitMQ: Debian ${release} from ${mirror} into ${path}.
This takes about a minute and 400 MB, once. Nothing else on this machine is changed.`)
    const partial = `${path}.partial`
    removeRoot(partial)
    removeRoot(path)
    mkdirSync(partial, { recursive: true })
    const { code, tail } = await run(debootstrap(release, partial, mirror), {
      onLine: line => progress(line.replace(/^[IW]: /, '')),
      timeoutMs: 15 * 60_000,
      isInterruptible: true
    })
    if (code === 0) {
      // "localhost" has to mean 127.0.0.1 alone: the node's own name and every listener depend on it. Without this file
      // RabbitMQ 4.3 hangs while it starts.
      writeFileSync(join(partial, 'etc', 'hosts'), '127.0.0.1 localhost\n')
      rmSync(join(partial, 'var', 'cache', 'apt', 'archives'), { recursive: true, force: true })
      writeFileSync(join(partial, stampFile), `${versionIn(partial)}\n`)
      renameSync(partial, path)
      say(`RabbitMQ ${versionIn(path)} is in ${path}`)
      return
    }
    failures.push(`debootstrap of ${release} from ${mirror} failed:\n${tail}`)
    removeRoot(partial)
  }
  throw new Stop(`${failures.join('\n\n')}

Set PRIVATE_BROKER_MIRROR to use another Debian mirror. Set PRIVATE_BROKER_ROOTS to use another folder, on a file
system mounted without nodev and noexec.`)
}

/**
 * In a mount namespace of its own: the mounts that debootstrap makes in the folder are gone when it ends, however it
 * ends.
 * @param {string} release @param {string} path @param {string} mirror
 */
function debootstrap (release, path, mirror) {
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  const scripts = '/usr/share/debootstrap/scripts'
  return [
    'unshare', '--mount', '--propagation', 'private',
    'debootstrap', '--variant=minbase', '--include=rabbitmq-server,procps',
    ...existsSync(keyring) ? [`--keyring=${keyring}`] : [],
    release, path, mirror,
    // A debootstrap older than the release has no script of that name. All newer releases use the script of sid.
    ...existsSync(join(scripts, release)) ? [] : [join(scripts, 'sid')]
  ]
}

async function ensureDebootstrap () {
  if (findOnPath('debootstrap')) return
  say('Installing the package debootstrap (apt-get) ...')
  for (const args of [
    ['update'],
    ['install', '-y', '--no-install-recommends', 'debootstrap', 'debian-archive-keyring']
  ]) {
    const { code, tail } = await aptGet(args)
    if (code !== 0) throw new Stop(`apt-get ${args.join(' ')} failed:\n${tail}`)
  }
}

// Soon after the start of a machine its own updates may hold the locks. apt-get waits only for one of the two.
/** @param {string[]} args */
async function aptGet (args) {
  for (let tries = 1; ; tries++) {
    const result = await run(['apt-get', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      onLine: progress,
      timeoutMs: 10 * 60_000,
      isInterruptible: true
    })
    if (result.code === 0 || tries === APT_TRIES || !/[Cc]ould not get lock/.test(result.tail)) return result
    await setTimeout(APT_PAUSE_MS)
  }
}

/**
 * The mirror of this machine's own Debian: it can be reached, and is near. Only the distribution's own source files are
 * read; others name other publishers.
 */
function hostMirror () {
  for (const file of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const found = text.match(/^(?:URIs:|deb(?: \[.*?\])?)\s+(https?:\/\/\S+\/debian)\/?(?:\s|$)/m)?.[1]
    if (found) return found
  }
  return defaultMirror
}

/** @param {string} root */
function versionIn (root) {
  const programs = join(root, 'usr', 'lib', 'rabbitmq', 'lib')
  const prefix = 'rabbitmq_server-'
  const names = existsSync(programs) ? readdirSync(programs) : []
  const version = names.find(name => name.startsWith(prefix))?.slice(prefix.length)
  if (!version) throw new Stop(`There is no RabbitMQ in ${root}. Delete that folder to have it made again.`)
  return version
}

/**
 * Deletes a folder unless something is mounted below it: by the debootstrap of another process, or by hand.
 * @param {string} path
 */
function removeRoot (path) {
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path}/`)) {
    throw new Stop(`Something is mounted below ${path}; unmount it first (see /proc/self/mountinfo).`)
  }
  rmSync(path, { recursive: true, force: true })
}

/**
 * The Debian release that has a series of RabbitMQ.
 * @param {string} series @throws Stop when there is none
 */
export function releaseOf (series) {
  const release = releases.get(series)
  if (release !== undefined) return release
  throw new Stop(`There is no private RabbitMQ ${series}. The series are ${[...releases.keys()].join(' and ')}.`)
}
