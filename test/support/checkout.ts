import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { projectDirectory, rootsDirectory } from '../../scripts/setup/paths.mjs'
import { descendantsOf, hasEnded } from './process-tree.ts'

const PARTS = [
  'package.json', 'package-lock.json', '.npmrc', '.taprc', 'tsconfig.json', 'tsconfig.build.json', 'scripts', 'src',
  'test', 'bin', 'deploy', 'README.md', 'CHANGELOG.md', 'LICENSE'
]

/**
 * A copy of the project, whose private broker and build are its own. It is deleted with the test.
 *
 * @param hasDependencies whether the packages are there: those of the project itself
 */
export function makeCheckout (t: Test, { hasDependencies = true } = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'checkout-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  for (const part of PARTS) cpSync(join(projectDirectory, part), join(directory, part), { recursive: true })
  if (hasDependencies) symlinkSync(join(projectDirectory, 'node_modules'), join(directory, 'node_modules'))
  return directory
}

/** A command of npm in a process of its own. It gets of this process's environment only the PATH and the home. */
export class NpmProcess {
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
  #output = ''

  constructor (t: Test, directory: string, args: readonly string[], env: Record<string, string> = {}) {
    const { PATH, HOME } = process.env
    this.child = spawn('npm', args, {
      cwd: directory,
      env: { PATH, HOME, PRIVATE_BROKER_ROOTS: rootsDirectory, ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => { this.#output += chunk.toString() })
    }
    this.ended = once(this.child, 'close')
    t.teardown(() => {
      for (const pid of [this.pid, ...this.tree()]) {
        if (!hasEnded(pid)) process.kill(pid, 'SIGKILL')
      }
    })
  }

  get output (): string {
    return this.#output
  }

  get pid (): number {
    if (this.child.pid === undefined) throw new Error('npm was not started')
    return this.child.pid
  }

  /** Everything that it has started. */
  tree (): number[] {
    return descendantsOf(this.pid)
  }
}
