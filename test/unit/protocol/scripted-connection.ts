import type { Test } from 'tap'
import type {
  CommandName, Connection, ConnectionClosedError, ConnectionHandlers, ConnectionOptions
} from '../../../src/streams/protocol/index.ts'
import { handlers, openConnection } from './open-connection.ts'
import { frame, ScriptedBroker, type Answer } from './scripted-broker.ts'

interface Opened {
  readonly broker: ScriptedBroker
  readonly connection: Connection
  /** Settles when the handler `closed` is called. */
  readonly closed: Promise<ConnectionClosedError>
}

/** Opens a connection to a scripted broker with `answers` in place of the usual ones. Both end with the test. */
export async function open (
  t: Test,
  answers: Partial<Record<CommandName, Answer>> = {},
  some: Partial<ConnectionHandlers> = {},
  options: Partial<ConnectionOptions> = {}
): Promise<Opened> {
  const broker = await ScriptedBroker.start(t, answers)
  let tellClosed: (error: ConnectionClosedError) => void = () => {}
  const closed = new Promise<ConnectionClosedError>((resolve) => { tellClosed = resolve })
  const connection = await openConnection(t, broker.port, {
    handlers: handlers({ closed: tellClosed, ...some }),
    ...options
  })
  return { broker, connection, closed }
}

/** The frame that confirms these publishing ids to publisher 7. */
export const confirm = (...ids: bigint[]): Buffer =>
  frame('publishConfirm', (writer) => writer.u8(7).array(ids, (to, id) => to.u64(id)))
