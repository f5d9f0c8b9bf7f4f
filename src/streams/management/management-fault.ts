import { StreamsError } from '../errors.ts'
import { isObject, textIn } from './checks.ts'
import type { ManagementClient } from './management-client.ts'

/** Why the management API cannot be used. */
export interface ManagementFault {
  /** Safe to show. */
  readonly reason: string
  /** What happened underneath; null when there is nothing more to say. */
  readonly cause: string | null
}

/** Asks the management API who the gateway is. Undefined: it can be used. Never throws. */
export async function askManagement (client: ManagementClient): Promise<ManagementFault | undefined> {
  try {
    const answer = await client.get('whoami')
    if (isObject(answer) && textIn(answer, 'name') !== undefined) return undefined
    return { reason: 'what answers there is not the management API', cause: null }
  } catch (error) {
    if (!(error instanceof StreamsError)) return { reason: 'what answers there is not the management API', cause: null }
    return { reason: error.message, cause: error.cause instanceof Error ? error.cause.message : null }
  }
}
