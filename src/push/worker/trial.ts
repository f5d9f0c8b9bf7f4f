import type { Subscription } from '../definitions/definitions.ts'
import type { Attempt } from '../endpoint/attempt.ts'
import { Requests, UnsendableError } from './requests.ts'
import type { WorkerShared } from './worker-options.ts'

// It belongs to no takeover.
const NO_GENERATION = 0

/** Sends one signed request without a message. Never rejects. */
export async function sendTest (
  subscription: Subscription, { sealing, virtualHost, version, endpoints }: WorkerShared
): Promise<Attempt> {
  try {
    const task = { subscription, deliveryGeneration: NO_GENERATION }
    const requests = new Requests({ task, sealing, virtualHost, version, endpoints, stream: subscription.key.stream })
    return await endpoints.post(requests.test(), new AbortController().signal)
  } catch (error) {
    if (error instanceof UnsendableError) return unsent(error.message)
    throw error
  }
}

function unsent (error: string): Attempt {
  return {
    failure: 'endpoint',
    status: undefined,
    processed: undefined,
    isFinal: false,
    retryAfterMs: undefined,
    error,
    isRefused: true
  }
}
