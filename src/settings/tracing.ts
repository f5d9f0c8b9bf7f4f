import type { SettingReader } from './setting-reader.ts'

/** Spans of the gateway's own. */
export function readTracing (read: SettingReader) {
  return {
    tracing: read.choice(
      'TRACING',
      ['off', 'otlp'],
      'off',
      'Whether the gateway makes spans of requests. `otlp` sends them to a collector, as the `OTEL_*` variables of ' +
      'OpenTelemetry say. See [tracing](tracing.md)'
    )
  }
}
