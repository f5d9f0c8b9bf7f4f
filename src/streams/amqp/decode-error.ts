/** The bytes are not an AMQP 1.0 message, or are a damaged one. The decoding functions throw nothing else. */
export class AmqpDecodeError extends Error {
  override readonly name = 'AmqpDecodeError'
}
