import { FrameWriter } from '../frame-writer.ts'
import { ResponseCode } from '../response-codes.ts'
import { readNothing, type Push, type Request } from './command.ts'
import { CommandKey, RESPONSE_BIT } from './keys.ts'

export interface Closing { readonly code: number, readonly reason: string }

/** Code uint16, Reason string. Both sides may send it. The answer has only a response code. */
export const close: Request<Closing, void> = {
  name: 'close',
  write (writer, { code, reason }) { writer.u16(code).string(reason) },
  read: readNothing
}

/** CorrelationId uint32, Code uint16, Reason string */
export const closeByBroker: Push<Closing & { correlationId: number }> = {
  name: 'close',
  read (reader) { return { correlationId: reader.u32(), code: reader.u16(), reason: reader.string() } }
}

/** CorrelationId uint32, ResponseCode uint16 */
export function encodeCloseAnswer (correlationId: number): Buffer {
  return new FrameWriter().u16(CommandKey.close | RESPONSE_BIT).u16(1).u32(correlationId).u16(ResponseCode.ok).finish()
}
