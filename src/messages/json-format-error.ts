import { JsonFault } from '../text/json-fault.ts'
import { PlaceFinder } from '../text/text-place.ts'
import { MessageFormatError } from './format-error.ts'
import type { Work } from './work.ts'

/** Text that is not JSON. The message is the rest of a sentence that begins with "the body" or "the line". */
export class MalformedJsonError extends MessageFormatError {}

/** Where in a request a scan is, as JSON pointers. */
export interface ScanPointers {
  /** The message, or the whole body. */
  readonly message: string
  /** The innermost part that is known. */
  readonly part: string
}

/** The scan of JSON text in steps, whose faults say where they are: to find that takes steps, too. */
export class LocatedScan {
  readonly #bytes: Buffer
  readonly #pointers: () => ScanPointers
  readonly #firstLine: number
  #fault: { readonly reason: string, readonly finder: PlaceFinder } | undefined

  /**
   * @param pointers where the scan is
   * @param firstLine the number of the text's first line in the request, from 0
   */
  constructor (bytes: Buffer, pointers: () => ScanPointers, firstLine = 0) {
    this.#bytes = bytes
    this.#pointers = pointers
    this.#firstLine = firstLine
  }

  /**
   * Does a step of the scan, or of finding its fault.
   *
   * @param scan does a step, and returns whether that was the last one
   * @returns what `scan` returns; false while the place of a fault is not found yet
   * @throws MalformedJsonError, or MessageFormatError for what `scan` throws
   */
  step (work: Work, scan: () => boolean): boolean {
    try {
      if (this.#fault === undefined) return scan()
    } catch (error) {
      this.#begin(error)
    }
    return this.#find(work)
  }

  #begin (error: unknown): void {
    if (error instanceof MessageFormatError) throw error.within(this.#pointers().message)
    if (!(error instanceof JsonFault)) throw error
    if (error.isBeyondLimit) throw new MessageFormatError(this.#pointers().part, error.message)
    this.#fault = { reason: error.message, finder: new PlaceFinder(this.#bytes, error.at) }
  }

  #find (work: Work): boolean {
    if (this.#fault === undefined) return false
    const { finder, reason } = this.#fault
    const before = finder.left
    const isFound = finder.advance(work.units)
    work.units -= before - finder.left
    if (!isFound) return false
    const { line, column } = finder.place
    throw new MalformedJsonError(
      this.#pointers().message,
      `is not valid JSON at line ${this.#firstLine + line}, column ${column}: ${reason}`
    )
  }
}
