import { Wildcard } from '../access/wildcard.ts'
import { BadValue, type SettingReader } from './setting-reader.ts'

/** Samples of streams and consumers, for metrics and for the history of streams. */
export function readLag (read: SettingReader) {
  return {
    streams: read.parsed(
      'LAG_STREAMS',
      patternsIn,
      [],
      'patterns with `*`, separated by commas',
      'Streams whose ends, consumers and lag are in the metrics, and whose history is kept: `*` for all of them, ' +
      '`orders*,payments`. A comma in a name is `%2C`. Needs `RABBITMQ_MANAGEMENT_URL`'
    ),
    intervalSeconds: read.integer(
      'LAG_INTERVAL_SECONDS',
      { default: 30, min: 2, max: 3600 },
      'How often they are looked at. The history of all streams takes 64 MiB of memory at most: where that is too ' +
      'little for each sample of two hours, some are left out of it'
    ),
    maxSeries: read.integer(
      'LAG_MAX_SERIES',
      { default: 5000, min: 100, max: 100_000 },
      'Most time series of streams and consumers in the metrics: a stream takes 8, a consumer 4. What is left out is ' +
      'counted in `rabbitmq_stream_gateway_lag_series_dropped`'
    )
  }
}

/** Notes that streams cannot be listed without the management API. */
export function refuseUnlisted (
  read: SettingReader, lag: ReturnType<typeof readLag>, management: object | undefined
): void {
  if (lag.streams.length > 0 && management === undefined) {
    read.reject('LAG_STREAMS', 'needs RABBITMQ_MANAGEMENT_URL: only the management API lists streams and consumers')
  }
}

function patternsIn (text: string): Wildcard[] {
  return text.split(',').map((pattern) => pattern.trim()).filter((pattern) => pattern !== '').map((pattern) => {
    try {
      return new Wildcard(pattern)
    } catch {
      throw new BadValue('must be patterns in which each % begins an encoded character')
    }
  })
}
