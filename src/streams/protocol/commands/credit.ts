import type { Command, Push } from './command.ts'

/**
 * SubscriptionId uint8, Credit uint16, which the broker reads as a signed number (rabbit_stream_core): at most 32767; 0
 * makes it look into the log
 */
export const credit: Command<{ subscriptionId: number, credit: number }> = {
  name: 'credit',
  write (writer, { subscriptionId, credit }) { writer.u8(subscriptionId).u16(credit) }
}

/**
 * ResponseCode uint16, SubscriptionId uint8
 *
 * Marked as a response but without a correlation id, and sent only when the broker did not take the credit.
 */
export const creditRefusal: Push<{ responseCode: number, subscriptionId: number }> = {
  name: 'credit',
  read (reader) { return { responseCode: reader.u16(), subscriptionId: reader.u8() } }
}
