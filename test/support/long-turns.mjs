/*
 * Loaded into a gateway process: measures the turns of its event loop, and prints the longest one since the last
 * SIGWINCH at each SIGWINCH. A turn counts with the processor time that the process took in it, or with the time that
 * passed, whichever is less: on a busy machine a process waits for a processor, which is no work of its own.
 */
import { writeSync } from 'node:fs'
import process from 'node:process'

const STEP_MS = 2
let longestMs = 0
let count = 0
let lastMs = performance.now()
let last = process.cpuUsage()

function look () {
  const nowMs = performance.now()
  const { user, system } = process.cpuUsage(last)
  longestMs = Math.max(longestMs, Math.min(nowMs - lastMs, (user + system) / 1000))
  lastMs = nowMs
  last = process.cpuUsage()
}

setInterval(look, STEP_MS).unref()
process.on('SIGWINCH', () => {
  look()
  writeSync(1, `longest turn ${count++}: ${longestMs} ms\n`)
  longestMs = 0
})
