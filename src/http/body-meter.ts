import type { IncomingMessage } from 'node:http'

/** What is done with the bytes of a body as they come. */
export interface BodyMeter {
  /** Takes note of bytes on the connection: of a compressed body, those before they are decoded. */
  readonly count: (bytes: number) => void
  /** Settles when more of the body may be read. Undefined: now. */
  readonly pause: (signal: AbortSignal) => Promise<void> | undefined
}

// Without quotas no body is here, which costs a look into an empty map.
const meters = new WeakMap<IncomingMessage, BodyMeter>()

/** From now on the bytes of the body of a request are counted. */
export function meterBody (request: IncomingMessage, meter: BodyMeter): void {
  meters.set(request, meter)
}

/** The meter of a body; undefined when its bytes are not counted. */
export function bodyMeterOf (request: IncomingMessage): BodyMeter | undefined {
  return meters.get(request)
}
