import { readNothing, type Request } from './command.ts'

/** SubscriptionId uint8 */
export const unsubscribe: Request<{ subscriptionId: number }, void> = {
  name: 'unsubscribe',
  write (writer, { subscriptionId }) { writer.u8(subscriptionId) },
  read: readNothing
}
