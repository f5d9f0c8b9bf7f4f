import type { Request } from './command.ts'

/**
 * RoutingKey string, SuperStream string -> Streams [Stream string]
 *
 * The streams that are bound to the exchange with this key. A key that nothing is bound with is answered with no
 * stream and a response code of ok.
 */
export const route: Request<{ routingKey: string, superStream: string }, string[]> = {
  name: 'route',
  write (writer, { routingKey, superStream }) { writer.string(routingKey).string(superStream) },
  read (reader) { return reader.array((from) => from.string()) }
}
