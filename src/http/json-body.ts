import { RequestError } from '../api/problems.ts'
import { parseExactly, type ExactJson } from '../text/exact-json.ts'
import { decodeUtf8, parseJson } from '../text/json.ts'
import { TextFault } from '../text/text-fault.ts'

/** The JSON value of a request's body. @throws RequestError `bad_request` */
export function parseJsonBody (body: Buffer): unknown {
  return ofBody(() => parseJson(decodeUtf8(body)))
}

/** The same with all digits of its numbers. @throws RequestError `bad_request` */
export function parseExactJsonBody (body: Buffer): ExactJson {
  return ofBody(() => parseExactly(decodeUtf8(body)))
}

function ofBody<T> (parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof TextFault
      ? new RequestError('bad_request', `the body ${error.message}`, { cause: error.cause })
      : error
  }
}
