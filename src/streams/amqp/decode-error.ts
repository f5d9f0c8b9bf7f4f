/** The bytes are no AMQP 1.0 message, or a damaged one. Nothing else is thrown by the decoding functions. */
export class AmqpDecodeError extends Error {
  override readonly name = 'AmqpDecodeError'
}
