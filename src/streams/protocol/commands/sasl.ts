import { readNothing, type Request } from './command.ts'

/** nothing -> Mechanisms [string] */
export const saslHandshake: Request<undefined, string[]> = {
  name: 'saslHandshake',
  write () {},
  read (reader) { return reader.array((from) => from.string()) }
}

/**
 * Mechanism string, Data bytes
 *
 * The broker waits three seconds before it refuses, to slow down guessing. The mechanisms supported here need one step,
 * so a challenge (code 10) is a refusal too. After ok the broker sends Tune at once.
 */
export const saslAuthenticate: Request<{ mechanism: string, data: Uint8Array }, void> = {
  name: 'saslAuthenticate',
  write (writer, { mechanism, data }) { writer.string(mechanism).bytes(data) },
  read: readNothing
}
