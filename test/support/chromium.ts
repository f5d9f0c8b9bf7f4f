import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
import { withLock } from '../../scripts/setup/lock.mjs'
import { stateDirectory } from '../../scripts/setup/paths.mjs'

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
// Without a sandbox, as containers need it. The rest keeps the browser from talking to anybody but the test.
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'
]

// Another program of the machine may install something at the same time: its updates, soon after a start.
const PATIENT = ['-o', 'DPkg::Lock::Timeout=300']

/** A test, or what else uses a browser for a while. */
interface Caller { teardown: (end: () => unknown) => unknown, comment: (line: string) => void }

/**
 * Starts a real Chromium without a window. It is closed with the test.
 *
 * @param args further switches, for example `--host-resolver-rules=MAP evil.example 127.0.0.1`
 * @throws when there is no Chromium and it cannot be installed
 */
export async function launchChromium (t: Caller, args: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium() ?? await ensureChromium(t)
  const browser = await chromium.launch({ executablePath, headless: true, args: [...ARGUMENTS, ...args] })
  t.teardown(async () => { await browser.close() })
  return browser
}

function findChromium (): string | undefined {
  const named = process.env.CHROMIUM_PATH
  return named === undefined || named === '' ? PATHS.find((path) => existsSync(path)) : named
}

// Several tests begin at the same time.
async function ensureChromium (t: Caller): Promise<string> {
  return await withLock(join(stateDirectory, 'chromium.lock'), async () => findChromium() ?? installChromium(t))
}

function installChromium (t: Caller): string {
  const how = 'install it with `apt-get install chromium`, or name another one with CHROMIUM_PATH'
  if (process.getuid?.() !== 0) throw new Error(`the tests in a browser need Chromium: ${how}`)
  t.comment('There is no Chromium: apt-get installs it, which takes a minute.')
  // Package lists may be old or missing, as in most images.
  for (const command of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { status, stderr } = spawnSync('apt-get', [...PATIENT, ...command], { encoding: 'utf8' })
    if (status !== 0) t.comment(`apt-get ${command.join(' ')}: ${stderr}`)
  }
  const path = findChromium()
  if (path === undefined) throw new Error(`Chromium could not be installed by apt-get: ${how}`)
  return path
}
