import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'

// Some seconds of lines, one a request, at full speed.
const MAX_WAITING_BYTES = 8 * 1024 * 1024
const CLOSE_TIMEOUT_MS = 1000

/** Where lines go: standard output or a file. */
export interface Destination {
  readonly write: (line: string) => void
  /** Opens the file of this name anew, after the old one was moved away. */
  readonly reopen: () => void
  /** Settles when every line is written, or after a second when they cannot be. */
  readonly close: () => Promise<void>
}

/**
 * Opens a destination that never holds up its writer. When its reader is slow or gone, or its disk is full, lines
 * are lost; memory and the process are not.
 *
 * @param path of a file that is appended to; standard output without one
 * @param whenDropped told how many lines were lost, when lines are written again
 */
export function openDestination (path: string | undefined, whenDropped: (lines: number) => void): Destination {
  const file = path === undefined ? {} : { dest: path, append: true, mode: 0o600 }
  const destination = pino.destination({ ...file, sync: false, maxLength: MAX_WAITING_BYTES })
  // At a fatal line and at the exit, it would block the process until everything is written.
  destination.flushSync = () => {}
  let isClosed = false
  let droppedLines = 0
  destination.on('drop', () => {
    droppedLines++
    destination.write('') // after a failure only a write starts writing again, and a dropped line is not written
  })
  destination.on('drain', () => {
    if (droppedLines === 0) return
    const lines = droppedLines
    droppedLines = 0
    whenDropped(lines)
  })
  // What could not be written is kept, and tried again with the next line, even when that line is dropped.
  destination.on('error', () => {})
  return {
    write: (line) => { destination.write(line) },
    reopen: () => { if (!isClosed) destination.reopen() },
    async close () {
      isClosed = true
      const closed = new Promise<void>((resolve) => { destination.once('close', resolve) })
      destination.end()
      destination.write = () => true // it would throw
      await Promise.race([closed, delay(CLOSE_TIMEOUT_MS)])
    }
  }
}
