import { watchParents } from './parents.mjs'

const controller = new AbortController()

/**
 * Aborted by the first SIGINT, SIGTERM or SIGHUP after `catchSignals`, and when the npm that runs the command is gone.
 * Long steps stop then, so that everything that was started is closed in order.
 */
export const interruption = controller.signal

/**
 * Makes these signals abort `interruption` instead of ending the process. Each may come twice, because npm passes on
 * what the terminal has already sent; only the first one has an effect. npm may also end and pass nothing on. That
 * counts as a SIGTERM.
 */
export function catchSignals () {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => controller.abort(signal))
  }
  watchParents(() => controller.abort('SIGTERM'))
}

/** @returns {Promise<NodeJS.Signals>} the signal, when one comes */
export function untilInterrupted () {
  return new Promise(resolve => {
    if (interruption.aborted) resolve(interruption.reason)
    else interruption.addEventListener('abort', () => resolve(interruption.reason), { once: true })
  })
}

/** The exit code that tells a shell which signal ended a process. @param {NodeJS.Signals} signal */
export function exitCodeOf (signal) {
  return signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 129
}
