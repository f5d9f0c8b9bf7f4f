import { JsonFault } from './json-fault.ts'
import { JsonScanner, NOT_YET, NOTHING } from './json-scanner.ts'

// How many bytes are checked between two pauses, well under a millisecond.
const STEP_BYTES = 64 * 1024

/**
 * Whether the bytes are one JSON value, as `JsonScanner` says, in small steps: the caller may do something else after
 * each. UTF-8 is not checked.
 *
 * @returns by the last step, whether they are
 */
export function * jsonSteps (bytes: Buffer): Generator<void, boolean> {
  const scanner = new JsonScanner(bytes)
  try {
    while (!scanner.passValue(scanner.at + STEP_BYTES)) yield
    let byte = scanner.next(scanner.at + STEP_BYTES)
    for (; byte === NOT_YET; byte = scanner.next(scanner.at + STEP_BYTES)) yield
    return byte === NOTHING
  } catch (error) {
    if (error instanceof JsonFault) return false
    throw error
  }
}

/** The same in one go, for bytes that are few. */
export function isJson (bytes: Buffer): boolean {
  const steps = jsonSteps(bytes)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}
