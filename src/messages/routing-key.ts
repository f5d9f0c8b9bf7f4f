import { MessageFormatError } from './format-error.ts'
import { expectUnicode } from './json-parts.ts'

/** Most bytes of a routing key, as of a binding key in RabbitMQ. */
const MAX_ROUTING_KEY_BYTES = 255

/** @throws MessageFormatError at `pointer` */
export function refuseBadRoutingKey (key: string, pointer: string): void {
  const bytes = Buffer.byteLength(expectUnicode(key, pointer))
  if (bytes >= 1 && bytes <= MAX_ROUTING_KEY_BYTES) return
  throw new MessageFormatError(pointer, `must have 1 to ${MAX_ROUTING_KEY_BYTES} bytes of UTF-8`)
}
