import { invalidRequest, RequestError } from '../api/problems.ts'
import { JsonFault } from '../text/json-fault.ts'
import { findRounded } from '../text/json-numbers.ts'
import { JsonScanner } from '../text/json-scanner.ts'
import { decodeUtf8, parseJson } from '../text/json.ts'
import { TextFault } from '../text/text-fault.ts'
import { placeOf } from '../text/text-place.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../text/utf8.ts'

/**
 * The JSON value of a request's small body.
 *
 * @throws RequestError `bad_request` that says where the body is not JSON; `validation_failed` for a number that would
 *   be rounded to a whole number
 */
export function parseJsonBody (body: Buffer): unknown {
  try {
    refuseBadUtf8(body)
    const text = decodeUtf8(body)
    const scanner = new JsonScanner(body, afterByteOrderMark(body))
    scanner.passValue(Infinity)
    if (scanner.next() >= 0) throw scanner.unexpected('the end of the body')
    const rounded = scanner.hasDoubtfulNumber ? findRounded(text) : undefined
    if (rounded === undefined) return parseJson(text)
    throw invalidRequest([{ pointer: rounded, message: 'must not be a number that has to be rounded' }])
  } catch (error) {
    throw error instanceof TextFault ? malformedBody(error, body) : error
  }
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
