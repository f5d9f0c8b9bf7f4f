import { JsonScanner, NOT_YET, NOTHING } from '../text/json-scanner.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../text/utf8.ts'
import { LocatedScan, type ScanPointers } from './json-format-error.ts'
import { isBlank } from './json-line.ts'
import { addMessage, type Destination } from './json-message.ts'
import { MessageScan, type MessageSpan } from './message-scan.ts'
import { costOf, type Work } from './work.ts'

// Longer ones are passed in steps.
const SHORT_LINE_BYTES = 1024

/** A line that is too long to be read at once. */
export interface UnfinishedLine {
  /** Continues, and returns whether the message of the line was added. @throws as `addNdjsonLine` */
  readonly continue: (work: Work) => boolean
}

/**
 * Adds the message of one line of NDJSON to a batch, or nothing when the line is empty. The line may have only white
 * space, or end with CR.
 *
 * @returns what is left to do when the work was used up before the end of the line
 * @throws MessageFormatError whose pointer starts with the number of the line, from 0
 */
export function addNdjsonLine (line: Buffer, lineNumber: number, to: Destination): UnfinishedLine | undefined {
  if (line.length < SHORT_LINE_BYTES && isBlank(line)) return undefined
  const unfinished = new NdjsonLine(line, lineNumber, to)
  return unfinished.continue(to.work) ? undefined : unfinished
}

class NdjsonLine implements UnfinishedLine {
  readonly #line: Buffer
  readonly #lineNumber: number
  readonly #to: Destination
  readonly #scanner: JsonScanner
  readonly #message: MessageScan
  readonly #located: LocatedScan
  #state: 'start' | 'blank' | 'message' | 'after message' | 'over' = 'start'
  #span: MessageSpan | undefined

  constructor (line: Buffer, lineNumber: number, to: Destination) {
    this.#line = line
    this.#lineNumber = lineNumber
    this.#to = to
    this.#scanner = new JsonScanner(line, afterByteOrderMark(line))
    this.#message = new MessageScan(this.#scanner, to.limits)
    this.#located = new LocatedScan(line, () => this.#pointers, lineNumber)
  }

  continue (work: Work): boolean {
    if (!this.#located.step(work, () => this.#scan(work))) return false
    if (this.#span === undefined) return true
    addMessage(this.#line, this.#span, this.#lineNumber, `/${this.#lineNumber}`, { ...this.#to, work })
    work.units -= costOf(this.#span)
    return true
  }

  #scan (work: Work): boolean {
    const start = this.#scanner.at
    const until = start + work.units
    try {
      while (this.#state !== 'over' && this.#scanner.at < until) if (!this.#step(until)) break
      return this.#state === 'over'
    } finally {
      work.units -= this.#scanner.at - start
    }
  }

  // Returns false when `until` was reached in the middle of a step.
  #step (until: number): boolean {
    const scanner = this.#scanner
    switch (this.#state) {
      case 'start':
        refuseBadUtf8(this.#line)
        this.#state = 'blank'
        return true
      case 'message':
        this.#span = this.#message.scan(until)
        if (this.#span !== undefined) this.#state = 'after message'
        return this.#span !== undefined
      default: {
        const byte = scanner.next(until)
        if (byte === NOT_YET) return false
        if (byte === NOTHING) this.#state = 'over'
        else if (this.#state === 'blank') this.#state = 'message'
        else throw scanner.unexpected('the end of the line')
        return true
      }
    }
  }

  get #pointers (): ScanPointers {
    const message = `/${this.#lineNumber}`
    return { message, part: message + this.#message.pointer }
  }
}
