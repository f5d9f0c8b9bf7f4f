import type { Push } from './command.ts'

/**
 * Code uint16, Stream string
 *
 * Sent with code 6 when a stream is deleted, and when its leader or the local member goes away. The broker has already
 * dropped the stream's publishers and subscriptions of this connection by then.
 */
export const metadataUpdate: Push<{ responseCode: number, stream: string }> = {
  name: 'metadataUpdate',
  read (reader) { return { responseCode: reader.u16(), stream: reader.string() } }
}
