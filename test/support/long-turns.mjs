/*
 * Loaded into a gateway process: measures the turns of its event loop, and prints the longest one since the last
 * SIGWINCH at each SIGWINCH. What a turn waited for a processor is no work of the gateway and does not count: on a busy
 * machine it is most of the time. Linux tells how long the main thread waited; the other threads, which collect garbage
 * beside it, have their own times.
 */
import { existsSync, readFileSync, writeSync } from 'node:fs'
import process from 'node:process'

const STEP_MS = 2
// Not every kernel has it.
const SCHEDULED = '/proc/self/schedstat'
let longestMs = 0
let count = 0
let lastMs = performance.now()
let lastWaitedMs = waitedMs()

/** How long the main thread has waited for a processor since its start, ms: Documentation/scheduler/sched-stats. */
function waitedMs () {
  if (!existsSync(SCHEDULED)) return 0
  return Number(readFileSync(SCHEDULED, 'latin1').split(' ')[1]) / 1e6
}

function look () {
  const nowMs = performance.now()
  const waited = waitedMs()
  longestMs = Math.max(longestMs, nowMs - lastMs - (waited - lastWaitedMs))
  lastMs = nowMs
  lastWaitedMs = waited
}

setInterval(look, STEP_MS).unref()
process.on('SIGWINCH', () => {
  look()
  writeSync(1, `longest turn ${count++}: ${longestMs} ms\n`)
  longestMs = 0
})
