import { Readable } from 'node:stream'
import type { Terminal } from '../../src/commands/terminal.ts'

/** What a command came to. */
export interface CommandRun { readonly code: number, readonly stdout: string, readonly stderr: string }

/**
 * Runs a command in this process.
 *
 * @param command gets the terminal and returns the exit code
 * @param stdin what the command can read
 */
export async function inTerminal (
  command: (terminal: Terminal) => number | Promise<number>, stdin = ''
): Promise<CommandRun> {
  let [stdout, stderr] = ['', '']
  const code = await command({
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: { write: (text) => { stdout += text } },
    stderr: { write: (text) => { stderr += text } }
  })
  return { code, stdout, stderr }
}
