import { isObject } from './checks.ts'
import type { ManagementClient } from './management-client.ts'

/**
 * Whether a user has permissions in the virtual host. Undefined when the management API does not say: it tells
 * administrators only. Never throws.
 */
export async function hasPermissions (client: ManagementClient, user: string): Promise<boolean | undefined> {
  try {
    return isObject(await client.get(`permissions/${client.virtualHost}/${encodeURIComponent(user)}`))
  } catch {
    return undefined
  }
}
