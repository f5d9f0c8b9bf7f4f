/** The bytes are not an AMQP 1.0 message, or are a damaged one. The decoding functions throw nothing else. */
export class AmqpDecodeError extends Error {
  override readonly name: string = 'AmqpDecodeError'
}

/** The bytes have more values than are decoded at once. What is behind them was not looked at. */
export class AmqpTooLargeError extends AmqpDecodeError {
  override readonly name = 'AmqpTooLargeError'
}
