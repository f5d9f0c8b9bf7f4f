/**
 * Something the person at the terminal has to mend: shown as its message alone, without a stack.
 */
export class Stop extends Error {}

/** One line on stderr, where it does not mix with what a command prints as its result. @param {string} line */
export function say (line) {
  endProgress()
  process.stderr.write(`${line}\n`)
}

/**
 * The latest line of something long. On a terminal it replaces the one before; elsewhere it is written at most
 * every few seconds, so that a log shows that work goes on without being buried in it.
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
 * Runs a command's main function: a Stop is shown as its message, anything else with its stack; both end with exit code
 * 1.
 * @param {() => Promise<number>} main answers the exit code
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
