import { setImmediate as nextTurn } from 'node:timers/promises'
import { pino, type Logger } from 'pino'
import { openDestination } from './logger/destination.ts'
import { escapeHidden, prettyLine } from './logger/lines.ts'

/** The log of the process, and how it ends. */
export interface Log {
  readonly logger: Logger
  /** Settles when every line is written, or after a second when they cannot be. */
  readonly close: () => Promise<void>
}

/** A log in a file. */
export interface FileLog extends Log {
  /** Opens the file of this name anew, after the old one was moved away. */
  readonly reopen: () => void
}

/** How lines look: JSON for programs, or text for people. */
export type LogFormat = 'json' | 'pretty'

/**
 * The log of the process on standard output. What terminals and editors hide or turn around is escaped, wherever in a
 * line it is: names come from anybody. When its reader is slow or gone, or its disk is
 * full, lines are lost; memory and the process are not.
 */
export function openLog (level: string, format: LogFormat): Log {
  const destination = openDestination(undefined, (droppedLines) => {
    logger.warn({ droppedLines }, 'log lines were dropped: they came faster than they could be written')
  })
  const form = format === 'json' ? escapeHidden : prettyLine
  const logger = loggerTo(level, (line) => { destination.write(form(line)) })
  return { logger, close: async () => await closed(destination.close) }
}

/** The audit log in a file of its own. Where it loses lines, the log of the process says so. */
export function openAuditFile (path: string, log: Logger): FileLog {
  const destination = openDestination(path, (droppedLines) => {
    log.warn({ droppedLines, path }, 'lines of the audit log were dropped: the file could not be written')
  })
  const logger = loggerTo('info', (line) => { destination.write(escapeHidden(line)) })
  return { logger, reopen: destination.reopen, close: async () => await closed(destination.close) }
}

function loggerTo (level: string, write: (line: string) => void): Logger {
  return pino({ level, formatters: { level: (label) => ({ level: label }) } }, { write })
}

async function closed (close: () => Promise<void>): Promise<void> {
  await nextTurn() // connections that were cut off say so
  await close()
}
