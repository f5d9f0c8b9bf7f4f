import type { SettingReader } from './setting-reader.ts'

/** The log and the end of the process. */
export function readOperation (read: SettingReader) {
  return {
    logLevel: read.choice(
      'LOG_LEVEL',
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'info',
      'The least severe log lines that are written. `info` writes one line for each request'
    ),
    logFormat: read.choice(
      'LOG_FORMAT',
      ['json', 'pretty'],
      'json',
      'One JSON object a line for programs, or text for people. `npm start` chooses `pretty`'
    ),
    drainDelayMs: read.integer(
      'DRAIN_DELAY_MS',
      { default: 0, min: 0, max: 300_000 },
      'After SIGTERM: how long requests are still accepted while `/health/ready` already answers 503, so that a load ' +
      'balancer can notice'
    ),
    drainTimeoutMs: read.integer(
      'DRAIN_TIMEOUT_MS',
      { default: 30_000, min: 100, max: 600_000 },
      'After SIGTERM: how long requests in flight may take before the process ends anyway, the delay above included'
    )
  }
}
