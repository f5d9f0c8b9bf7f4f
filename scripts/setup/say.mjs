import { projectDirectory, stateDirectory } from './paths.mjs'

/** A fault that the person at the terminal has to correct: shown as its message alone, without a stack. */
export class Stop extends Error {}

/** One line on stderr, where it does not mix with what a command prints as its result. @param {string} line */
export function say (line) {
  endProgress()
  process.stderr.write(`${line}\n`)
}

/**
 * Shows the latest line of a long step. On a terminal it replaces the line before. Elsewhere a line is written at most
 * every five seconds, so that a log shows that work continues and stays short.
 * @param {string} line
 */
export function progress (line) {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K  ${line.slice(0, (process.stderr.columns || 80) - 4)}`)
    isProgressShown = true
  } else if (Date.now() - lastProgressAt > 5000) {
    lastProgressAt = Date.now()
    process.stderr.write(`  ${line}\n`)
  }
}

/**
 * Runs the main function of a command. A Stop, and a file that belongs to somebody else, is shown in one line. Any
 * other error is shown with its stack. The exit code is 1 for all.
 * @param {() => Promise<number>} main returns the exit code
 */
export async function runMain (main) {
  // Whoever reads the output may end first. What was started is closed in order all the same.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {})
  try {
    process.exitCode = await main()
  } catch (error) {
    const message = error instanceof Stop ? error.message : describeDenial(error)
    say(message !== undefined ? `\n${message}` : error instanceof Error ? `${error.stack}` : String(error))
    process.exitCode = 1
  }
}

/**
 * What to do about a file that this user may not use, most often because another user has run the command before.
 * @param {unknown} error
 */
function describeDenial (error) {
  if (!(error instanceof Error && 'code' in error && 'path' in error)) return undefined
  if (error.code === 'EROFS') return `Cannot write ${error.path}: its file system is read-only.`
  if (error.code !== 'EACCES' && error.code !== 'EPERM') return undefined
  const folder = String(error.path).startsWith(stateDirectory) ? stateDirectory : projectDirectory
  return `Cannot use ${error.path}: it belongs to another user. Give the folder to yours: ` +
    `sudo chown -R "$(id -un)" ${folder}`
}

let isProgressShown = false
let lastProgressAt = 0

function endProgress () {
  if (isProgressShown) process.stderr.write('\r\x1b[K')
  isProgressShown = false
}
