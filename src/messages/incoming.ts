import { JsonFault } from '../text/json-fault.ts'
import { JsonScanner } from '../text/json-scanner.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../text/utf8.ts'
import { MessageFormatError } from './format-error.ts'
import { jsonFormatError } from './json-format-error.ts'
import { isBlank } from './json-line.ts'
import { addMessage, type Destination } from './json-message.ts'
import { MessageScan, type MessageSpan } from './message-scan.ts'
import { costOf, type Work } from './work.ts'

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
  if (isBlank(line)) return undefined
  const unfinished = new NdjsonLine(line, lineNumber, to)
  return unfinished.continue(to.work) ? undefined : unfinished
}

class NdjsonLine implements UnfinishedLine {
  readonly #line: Buffer
  readonly #lineNumber: number
  readonly #to: Destination
  readonly #scanner: JsonScanner
  readonly #message: MessageScan
  #hasBegun = false

  constructor (line: Buffer, lineNumber: number, to: Destination) {
    this.#line = line
    this.#lineNumber = lineNumber
    this.#to = to
    this.#scanner = new JsonScanner(line, afterByteOrderMark(line))
    this.#message = new MessageScan(this.#scanner, to.limits)
  }

  continue (work: Work): boolean {
    const span = this.#scan(work)
    if (span === 'unfinished') return false
    if (span === 'empty') return true
    work.units -= costOf(span)
    addMessage(this.#line, span, this.#lineNumber, `/${this.#lineNumber}`, { ...this.#to, work })
    return true
  }

  #scan (work: Work): MessageSpan | 'empty' | 'unfinished' {
    const scanner = this.#scanner
    const start = scanner.at
    try {
      if (!this.#hasBegun) {
        this.#hasBegun = true
        refuseBadUtf8(this.#line)
        if (scanner.next() < 0) return 'empty'
      }
      const span = this.#message.scan(start + work.units)
      work.units -= scanner.at - start
      if (span === undefined) return 'unfinished'
      if (scanner.next() >= 0) throw scanner.unexpected('the end of the line')
      return span
    } catch (error) {
      const pointer = `/${this.#lineNumber}`
      if (error instanceof MessageFormatError) throw error.within(pointer)
      if (!(error instanceof JsonFault)) throw error
      throw jsonFormatError(error, this.#line, pointer + this.#message.pointer, pointer, this.#lineNumber)
    }
  }
}
