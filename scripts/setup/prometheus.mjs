import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { withLock } from './lock.mjs'
import { rootsDirectory } from './paths.mjs'
import { run } from './process.mjs'
import { findOnPath } from './programs.mjs'
import { progress, say, Stop } from './say.mjs'

/**
 * Finds Prometheus and promtool: on the PATH, or those of Debian's package, which are put into a folder of this
 * project. The package is not installed: that would start a service.
 * @returns {Promise<{ prometheus: string, promtool: string }>} the programs
 * @throws Stop when there is neither
 */
export async function ensurePrometheus () {
  const [prometheus, promtool] = [findOnPath('prometheus'), findOnPath('promtool')]
  if (prometheus !== undefined && promtool !== undefined) return { prometheus, promtool }
  const folder = join(rootsDirectory, 'prometheus')
  if (!existsSync(folder)) {
    await withLock(`${folder}.lock`, async () => {
      if (!existsSync(folder)) await unpack(folder)
    })
  }
  return { prometheus: join(folder, 'usr', 'bin', 'prometheus'), promtool: join(folder, 'usr', 'bin', 'promtool') }
}

/** @param {string} folder that is there when it is complete */
async function unpack (folder) {
  const how = 'install Prometheus with promtool, for example by `apt-get install prometheus`'
  if (process.getuid?.() !== 0 || findOnPath('apt-get') === undefined || findOnPath('dpkg-deb') === undefined) {
    throw new Stop(`The tests of the alerts need Prometheus: ${how}.`)
  }
  say(`Unpacking Debian's package prometheus into ${folder}: 20 MB, once. Nothing else on this machine is changed.`)
  const partial = `${folder}.partial`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  // Package lists may be old or missing, as in most images.
  const download = ['apt-get', 'download', 'prometheus']
  if (!await succeeds(download, partial)) {
    await succeeds(['apt-get', 'update'], partial)
    if (!await succeeds(download, partial)) throw new Stop(`Debian's package prometheus cannot be had: ${how}.`)
  }
  const [file = ''] = readdirSync(partial).filter(name => name.endsWith('.deb'))
  const root = join(partial, 'root')
  if (!await succeeds(['dpkg-deb', '-x', join(partial, file), root], dirname(partial))) {
    throw new Stop(`${file} cannot be unpacked: ${how}.`)
  }
  renameSync(root, folder)
  rmSync(partial, { recursive: true, force: true })
}

/** @param {string[]} command @param {string} cwd */
async function succeeds (command, cwd) {
  const { code } = await run(command, { cwd, onLine: progress, timeoutMs: 5 * 60_000, isInterruptible: true })
  return code === 0
}
