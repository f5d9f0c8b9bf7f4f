import { placeOf, type JsonFault } from '../text/json-fault.ts'
import { MessageFormatError } from './format-error.ts'

/** Text that is not JSON. The message is the rest of a sentence that begins with "the body" or "the line". */
export class MalformedJsonError extends MessageFormatError {}

/**
 * The error for a fault of JSON text.
 *
 * @param pointer the innermost part of the request that the fault is known to be in
 * @param messagePointer the message that it is in, or the whole body
 * @param firstLine the number of the text's first line in the request, from 0
 */
export function jsonFormatError (
  fault: JsonFault,
  bytes: Buffer,
  pointer: string,
  messagePointer: string,
  firstLine = 0
): MessageFormatError {
  if (fault.isTooDeep) return new MessageFormatError(pointer, fault.message)
  const { line, column } = placeOf(bytes, fault.at)
  return new MalformedJsonError(
    messagePointer,
    `is not valid JSON at line ${firstLine + line}, column ${column}: ${fault.message}`
  )
}
