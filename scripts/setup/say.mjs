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
 * Runs the main function of a command. A Stop is shown as its message, any other error with its stack; the exit code is
 * 1 for both.
 * @param {() => Promise<number>} main returns the exit code
 */
export async function runMain (main) {
  try {
    process.exitCode = await main()
  } catch (error) {
    say(error instanceof Stop ? `\n${error.message}` : error instanceof Error ? `${error.stack}` : String(error))
    process.exitCode = 1
  }
}

let isProgressShown = false
let lastProgressAt = 0

function endProgress () {
  if (isProgressShown) process.stderr.write('\r\x1b[K')
  isProgressShown = false
}
