import { StreamsError } from '../errors.ts'
import type { Connection } from '../protocol/index.ts'

/** Whether the node of the connection knows filter values: RabbitMQ 3.13 with the feature flag `stream_filtering`. */
export function canFilter (connection: Connection): boolean {
  return connection.supports('publish', 2)
}

/** What a publish or a read with filter values is refused with when the node does not know them. */
export function filtersUnsupported (): StreamsError {
  return new StreamsError(
    'unsupported_by_broker',
    'the broker does not know filter values: they need RabbitMQ 3.13 or later, and its feature flag stream_filtering'
  )
}
