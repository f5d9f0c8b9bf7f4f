import { Mutex } from '../common/mutex.ts'
import { StreamsError } from '../errors.ts'
import { callerLeft } from '../publishing/outcome.ts'

interface Turn { readonly mutex: Mutex, users: number }

/**
 * Requests to a super stream under one publisher name take turns. They take turns at each partition too; without this
 * one, two of them could each hold a partition that the other waits for.
 */
export class NameTurns {
  readonly #turns = new Map<string, Turn>()

  /**
   * @returns ends the turn, calling it twice is fine
   * @throws StreamsError `overloaded` when it does not come in time, `caller_left`
   */
  async take (
    superStream: string, publisher: string, timeoutMs: number, signal: AbortSignal | undefined
  ): Promise<() => void> {
    const key = `${superStream}\0${publisher}` // no name has a NUL in it
    let turn = this.#turns.get(key)
    if (turn === undefined) this.#turns.set(key, turn = { mutex: new Mutex(), users: 0 })
    const { mutex } = turn
    turn.users++
    const leave = once(() => { if (--turn.users === 0) this.#turns.delete(key) })
    const end = await mutex.take({ timeoutMs, signal })
    if (end !== undefined) {
      return () => {
        end()
        leave()
      }
    }
    leave()
    if (signal?.aborted === true) throw callerLeft()
    throw new StreamsError('overloaded', 'earlier requests with this publisher name take too long')
  }
}

function once (act: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    act()
  }
}
