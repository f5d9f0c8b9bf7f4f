import { Deadline } from '../common/deadline.ts'
import { within } from '../common/wait.ts'
import { RequestTimeoutError } from '../protocol/index.ts'
import { isLoss } from './connect-error.ts'

// One attempt is lost to the stream that is the reason, one more to another such stream at the same moment.
const MAX_ATTEMPTS = 4

/**
 * Does what is idempotent, and does it again on a new connection when its connection was lost: another stream's request
 * may be the reason, and the stream that is the reason is isolated then. The deadline of one request holds for all
 * attempts together.
 *
 * @param closing ends the attempts
 * @throws ConnectionClosedError, StreamsError when every attempt has lost its connection
 * @throws StreamsError at once when the broker cannot be reached; what `act` throws
 */
export async function repeated<T> (
  act: () => Promise<T>, requestTimeoutMs: number, closing: AbortSignal
): Promise<T> {
  const deadline = new Deadline(requestTimeoutMs)
  for (let attempt = 1; ; attempt++) {
    try {
      if (attempt === 1) return await act() // its connection holds the deadline
      const done = await within(act().then((value) => ({ value })), { timeoutMs: deadline.remainingMs })
      if (done !== undefined) return done.value
      throw new RequestTimeoutError('request', requestTimeoutMs)
    } catch (error) {
      const isOver = attempt === MAX_ATTEMPTS || deadline.hasPassed || closing.aborted
      if (isOver || !isLoss(error)) throw error
    }
  }
}
