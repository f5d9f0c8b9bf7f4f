import { invalidRequest, RequestError } from '../api/problems.ts'
import { JsonFault } from '../text/json-fault.ts'
import { findRounded } from '../text/json-numbers.ts'
import { JsonScanner } from '../text/json-scanner.ts'
import { decodeUtf8, parseJson } from '../text/json.ts'
import { TextFault } from '../text/text-fault.ts'
import { placeOf } from '../text/text-place.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../text/utf8.ts'

// Twice as many as a request for a thousand partitions has. A MiB can have half a million, whose check would hold up
// others for tenths of a second.
const MAX_VALUES = 4000
// After each of these, values are counted.
const STEP_BYTES = 16 * 1024

/**
 * The JSON value of a request's small body.
 *
 * @throws RequestError `bad_request` that says where the body is not JSON; `validation_failed` for a number that would
 *   be rounded to a whole number, or for very many values
 */
export function parseJsonBody (body: Buffer): unknown {
  try {
    refuseBadUtf8(body)
    const text = decodeUtf8(body)
    const scanner = new JsonScanner(body, afterByteOrderMark(body))
    while (!scanner.passValue(scanner.at + STEP_BYTES)) refuseManyValues(scanner)
    refuseManyValues(scanner)
    if (scanner.next() >= 0) throw scanner.unexpected('the end of the body')
    const rounded = scanner.hasDoubtfulNumber ? findRounded(text) : undefined
    if (rounded === undefined) return parseJson(text)
    throw invalidRequest([{ pointer: rounded, message: 'must not be a number that has to be rounded' }])
  } catch (error) {
    throw error instanceof TextFault ? malformedBody(error, body) : error
  }
}

function refuseManyValues ({ values }: JsonScanner): void {
  if (values <= MAX_VALUES) return
  throw invalidRequest([{ pointer: '', message: `must not have more than ${MAX_VALUES} values` }])
}

/** The error for a body that is not the text that it should be. */
function malformedBody (fault: TextFault, body: Buffer): RequestError {
  if (!(fault instanceof JsonFault)) {
    return new RequestError('bad_request', `the body ${fault.message}`, { cause: fault.cause })
  }
  const { line, column } = placeOf(body, fault.at)
  const message = `is not valid JSON at line ${line}, column ${column}: ${fault.message}`
  return new RequestError('bad_request', `the body ${message}`, { errors: [{ pointer: '', message }], cause: fault })
}
