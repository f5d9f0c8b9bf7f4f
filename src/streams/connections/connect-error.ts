import { classify } from '../classify.ts'
import { StreamsError } from '../errors.ts'
import { CONNECT_FAULTS, ConnectionClosedError, ProtocolError, type ConnectFault } from '../protocol/index.ts'

export type { ConnectFault } from '../protocol/index.ts'

/** A connection could not be opened, and why. */
export class ConnectError extends StreamsError {
  readonly fault: ConnectFault

  /** @param isCallers the credentials are a caller's, to whom it is no fault of the gateway */
  constructor (fault: ConnectFault, cause: unknown, isCallers: boolean) {
    const { code } = classify(cause)
    super(isCallers && fault === 'virtual_host_refused' ? 'access_refused' : code, CONNECT_FAULTS[fault], { cause })
    this.fault = fault
  }
}

/** Turns the error of an attempt to connect into the domain's. */
export function connectErrorOf (error: unknown, isCallers = false): StreamsError {
  if (error instanceof StreamsError) return error
  const fault = error instanceof ProtocolError ? error.connectFault : undefined
  if (fault !== undefined) return new ConnectError(fault, error, isCallers)
  return new StreamsError('broker_unavailable', 'the broker cannot be reached', { cause: error })
}

/** What of a caller the broker refuses: the user and password, or the virtual host. */
export type Refusal = 'credentials' | 'virtual_host'

/** Undefined when it is another failure than a refusal. */
export function refusalOf (error: unknown): Refusal | undefined {
  if (!(error instanceof ConnectError)) return undefined
  switch (error.fault) {
    case 'wrong_credentials':
    case 'loopback_only': return 'credentials'
    case 'virtual_host_refused': return 'virtual_host'
    default: return undefined
  }
}

/** Whether an open connection was lost, and a new one may do. */
export function isLoss (error: unknown): boolean {
  if (error instanceof ConnectionClosedError) return error.connectFault === undefined
  return error instanceof StreamsError && !(error instanceof ConnectError) &&
    error.cause instanceof ConnectionClosedError && error.cause.connectFault === undefined
}
