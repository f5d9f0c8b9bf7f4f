/**
 * The message annotation that AMQP clients give a filter value by. The broker notes filter values for each chunk, but
 * keeps none with its message: this annotation says which message of a chunk had it.
 */
export const FILTER_VALUE_ANNOTATION = 'x-stream-filter-value'
