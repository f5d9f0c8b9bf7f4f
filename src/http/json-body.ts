import { RequestError } from '../api/problems.ts'
import { decodeUtf8, parseJson } from '../text/json.ts'
import { TextFault } from '../text/text-fault.ts'

/** The JSON value of a request's body. @throws RequestError `bad_request` */
export function parseJsonBody (body: Buffer): unknown {
  try {
    return parseJson(decodeUtf8(body))
  } catch (error) {
    throw error instanceof TextFault ? malformedBody(error) : error
  }
}

/** The error for a body that is not the text that it should be. */
function malformedBody (fault: TextFault): RequestError {
  return new RequestError('bad_request', `the body ${fault.message}`, { cause: fault.cause })
}
