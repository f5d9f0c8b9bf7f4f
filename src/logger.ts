import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { pino, type Logger } from 'pino'
import { escapeHidden, prettyLine } from './logger/lines.ts'

// Some seconds of lines, one a request, at full speed.
const MAX_WAITING_BYTES = 8 * 1024 * 1024
const CLOSE_TIMEOUT_MS = 1000

/** The log of the process, and how it ends. */
export interface Log {
  readonly logger: Logger
  /** Settles when every line is written, or after a second when they cannot be. */
  readonly close: () => Promise<void>
}

/** How lines look: JSON for programs, or text for people. */
export type LogFormat = 'json' | 'pretty'

/**
 * The log of the process on standard output. What terminals and editors hide or turn around is escaped, wherever in a
 * line it is: names come from anybody. When its reader is slow or gone, or its disk is
 * full, lines are lost; memory and the process are not.
 */
export function openLog (level: string, format: LogFormat): Log {
  const destination = pino.destination({ sync: false, maxLength: MAX_WAITING_BYTES })
  // At a fatal line and at the exit, it would block the process until everything is written.
  destination.flushSync = () => {}
  const form = format === 'json' ? escapeHidden : prettyLine
  const logger = pino(
    { level, formatters: { level: (label) => ({ level: label }) } },
    { write: (line) => { destination.write(form(line)) } }
  )
  let droppedLines = 0
  destination.on('drop', () => {
    droppedLines++
    destination.write('') // after a failure only a write starts writing again, and a dropped line is not written
  })
  destination.on('drain', () => {
    if (droppedLines === 0) return
    logger.warn({ droppedLines }, 'log lines were dropped: they came faster than they could be written')
    droppedLines = 0
  })
  // What could not be written is kept, and tried again with the next line, even when that line is dropped.
  destination.on('error', () => {})
  return {
    logger,
    async close () {
      await nextTurn() // connections that were cut off say so
      const closed = new Promise<void>((resolve) => { destination.once('close', resolve) })
      destination.end()
      destination.write = () => true // it would throw
      await Promise.race([closed, delay(CLOSE_TIMEOUT_MS)])
    }
  }
}
