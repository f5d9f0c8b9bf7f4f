import type { Command, Push } from './command.ts'

/**
 * SubscriptionId uint8, Credit uint16
 *
 * The broker reads the credit as a signed number (rabbit_stream_core), so at most 32767. A credit of 0 makes it look
 * into the log.
 */
export const credit: Command<{ subscriptionId: number, credit: number }> = {
  name: 'credit',
  write (writer, { subscriptionId, credit }) { writer.u8(subscriptionId).u16(credit) }
}

/**
 * ResponseCode uint16, SubscriptionId uint8
 *
 * Has the response bit but no correlation id. Sent only when the broker refuses the credit.
 */
export const creditRefusal: Push<{ responseCode: number, subscriptionId: number }> = {
  name: 'credit',
  read (reader) { return { responseCode: reader.u16(), subscriptionId: reader.u8() } }
}
