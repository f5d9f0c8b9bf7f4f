import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Login } from '../../access/gate.ts'

// What is kept of a password must not be worth anything outside of the process.
const processKey = randomBytes(32)

/** Names a login in memory. No user, virtual host or token has a NUL in it. */
export function loginKey (virtualHost: string, { user, password }: Login): string {
  if (user === '') return createHash('sha256').update(`${virtualHost}\0${password}`).digest('base64')
  return createHmac('sha256', processKey).update(`${virtualHost}\0${user}\0${password}`).digest('base64')
}
