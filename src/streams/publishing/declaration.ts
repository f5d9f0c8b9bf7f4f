import { classify } from '../classify.ts'
import type { Backoff } from '../common/backoff.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import type { ConnectionPool, Endpoint } from '../connections/connection-pool.ts'
import { isLoss } from '../connections/connect-error.ts'
import type { Slot, SlotOwner } from '../connections/slot.ts'
import { StreamsError } from '../errors.ts'
import { ResponseCode, ResponseError } from '../protocol/index.ts'
import type { Locator } from '../topology/locator.ts'

// How often a declaration that has lost its connection begins again.
const MAX_LOSSES = 3

export interface DeclarationOptions {
  connections: ConnectionPool
  locator: Locator
  /** How long to keep trying while the stream has no leader. */
  openTimeoutMs: number
}

export interface Declaration {
  /** The broker's name of the stream. */
  readonly stream: string
  /** The publisher reference; undefined for none. */
  readonly reference: string | undefined
  /** Is told what the broker says of the publisher. `slot` answers the slot once there is one. */
  ownerOf (slot: () => Slot): SlotOwner
  /** True when the publisher is no longer needed. */
  isCancelled (): boolean
}

/**
 * Declares a publisher on the broker, and tries again for as long as that may help.
 *
 * @param backoff the pauses between attempts
 * @throws StreamsError
 */
export async function declarePublisher (
  declaration: Declaration, backoff: Backoff, options: DeclarationOptions
): Promise<Slot> {
  const { stream } = declaration
  const { openTimeoutMs, locator } = options
  const deadline = new Deadline(openTimeoutMs)
  // A leader that is elected is named by then. Before, a message that another node passes on might go to the leader
  // that has failed, and its outcome would be unknown.
  const patience = new Deadline(openTimeoutMs / 2)
  let losses = 0
  for (let isFirst = true; ; isFirst = false) {
    try {
      const node = patience.hasPassed ? await locator.relay(stream, 'write') : await locator.leader(stream, 'write')
      return await declareAt(node, declaration, options.connections)
    } catch (error) {
      const failure = declareFailure(error)
      locator.forget(stream)
      // The location may be an old one: ask once more. A stream without a leader usually gets one within a second or
      // two. After an answer that did not come in time the caller has waited enough.
      const isWorthWaiting = failure.code === 'stream_not_available' && !deadline.hasPassed
      const mayTryAnotherNode = patience.hasPassed && !deadline.hasPassed
      // Another publisher's request may have ended the connection.
      const isAnothersFault = isLoss(error) && losses++ < MAX_LOSSES && !deadline.hasPassed
      const isWorthAnotherTry = (isFirst || mayTryAnotherNode || isAnothersFault) && failure.retryable &&
        failure.code !== 'broker_timeout'
      if (declaration.isCancelled() || !(isWorthWaiting || isWorthAnotherTry)) throw failure
      await pause(isFirst ? 0 : backoff.nextMs())
    }
  }
}

async function declareAt (node: Endpoint, declaration: Declaration, connections: ConnectionPool): Promise<Slot> {
  const { stream, reference = '' } = declaration
  const slot = await connections.takeSlot('publish', node, declaration.ownerOf(() => slot))
  await slot.enter(async () => { await slot.connection.declarePublisher(slot.id, reference, stream) })
  return slot
}

// Code 17 has no other cause here: the ids and the references are this process's own.
function declareFailure (error: unknown): StreamsError {
  if (error instanceof ResponseError && error.responseCode === ResponseCode.preconditionFailed) {
    return new StreamsError(
      'overloaded',
      'the broker takes no new publishers: it is out of disk space, or a limit of its own is reached',
      { cause: error }
    )
  }
  return classify(error)
}
