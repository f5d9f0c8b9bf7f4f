import { Gauge, Histogram, type Registry } from 'prom-client'

/**
 * How often the delay is measured. A turn of the event loop that takes longer is noticed, less at most this much. A
 * process that does nothing else takes 1 % of a core to look every 10 ms.
 */
export const INTERVAL_MS = 50
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/**
 * Measures by how much the event loop is late: how long everybody waits for the work of somebody else. prom-client has
 * percentiles of it, which cannot be added up over several processes; a histogram can.
 *
 * @returns stops the measurement
 */
export function measureEventLoopDelay (registry: Registry, prefix: string): () => void {
  let longestSeconds = 0
  const delays = new Histogram({
    name: `${prefix}event_loop_delay_seconds`,
    help: `By how much the event loop is late, measured every ${INTERVAL_MS} ms`,
    buckets: BUCKETS_SECONDS,
    registers: [registry]
  })
  const longest: Gauge = new Gauge({
    name: `${prefix}event_loop_delay_max_seconds`,
    help: 'The longest delay of the event loop since the last scrape',
    registers: [registry],
    collect () {
      longest.set(longestSeconds)
      longestSeconds = 0
    }
  })
  let dueMs = performance.now() + INTERVAL_MS
  const timer = setInterval(() => {
    const nowMs = performance.now()
    const delaySeconds = Math.max(0, nowMs - dueMs) / 1000
    dueMs = nowMs + INTERVAL_MS
    delays.observe(delaySeconds)
    if (delaySeconds > longestSeconds) longestSeconds = delaySeconds
  }, INTERVAL_MS)
  return () => { clearInterval(timer) }
}
