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
const patiently = (command: string): string => `${command} || { sleep 20; ${command}; } || { sleep 40; ${command}; }`

/** A test, or what else uses a browser for a while. */
interface Caller { teardown: (end: () => unknown) => unknown, comment: (line: string) => void }

/**
 * Starts a real Chromium without a window. It is closed with the test.
 *
 * @param args further switches, for example `--host-resolver-rules=MAP evil.example 127.0.0.1`
 * @throws when there is no Chromium and it cannot be installed
 */
export async function launchChromium (t: Caller, args: readonly string[] = []): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH || await ensureChromium(t)
  const browser = await chromium.launch({ executablePath, headless: true, args: [...ARGUMENTS, ...args] })
  t.teardown(async () => { await browser.close() })
  return browser
}

function findChromium (): string | undefined {
  return PATHS.find((path) => existsSync(path))
}

// Several tests begin at the same time: none takes a browser that another one is installing.
async function ensureChromium (t: Caller): Promise<string> {
  return await withLock(join(stateDirectory, 'chromium.lock'), async () => findChromium() ?? installChromium(t))
}

function installChromium (t: Caller): string {
  const how = 'install it with `apt-get install chromium`, or name another one with CHROMIUM_PATH'
  if (process.getuid?.() !== 0) throw new Error(`the tests in a browser need Chromium: ${how}`)
  t.comment('There is no Chromium: apt-get installs it, which takes a minute.')
  // Package lists may be old or missing, as in most images.
  for (const command of ['apt-get update', 'apt-get install -y --no-install-recommends chromium']) {
    const { status, stderr } = spawnSync('sh', ['-c', patiently(command)], { encoding: 'utf8' })
    if (status !== 0) t.comment(`${command}: ${stderr}`)
  }
  const path = findChromium()
  if (path === undefined) throw new Error(`Chromium could not be installed by apt-get: ${how}`)
  return path
}
