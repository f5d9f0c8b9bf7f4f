/** Why a connection could not be opened, in words for the operator who set the address. The words do not name it. */
export const CONNECT_FAULTS = {
  host_unknown: 'the host name of the broker is not known',
  refused: 'nothing listens at the address of the broker',
  unreachable: 'the address of the broker cannot be reached',
  timed_out: 'the broker did not answer in time while the connection was opened',
  refusal_awaited: 'the broker has not answered to the credentials or the virtual host in time; it takes three ' +
    'seconds to refuse wrong ones',
  broken_off: 'the peer ended the connection before it was open; the stream protocol is on port 5552, with TLS on 5551',
  amqp_port: 'this is the AMQP port (5672); the stream protocol is on port 5552, with TLS on 5551',
  http_port: 'this is an HTTP port, such as that of the management API (15672); the stream protocol is on port 5552, ' +
    'with TLS on 5551',
  tls_port: 'this port expects TLS; the stream protocol without TLS is on port 5552',
  plain_port: 'this port does not answer in TLS; the stream protocol with TLS is on port 5551',
  other_protocol: 'this port does not speak the stream protocol, which is on port 5552, with TLS on 5551',
  broker_certificate: 'the certificate of the broker is not accepted',
  client_certificate: 'the broker does not accept the certificate of the gateway',
  wrong_credentials: 'the broker refused the user name or the password of the gateway',
  loopback_only: 'the broker lets the user of the gateway connect only from the machine of the broker',
  mechanism_not_offered: 'the broker does not offer the way of authentication that is set',
  // The broker answers all of them with the same code.
  virtual_host_refused: 'the broker refused the virtual host: it does not exist, the user may not use it, or a limit ' +
    'on connections is reached',
  broker_too_old: 'the broker is older than RabbitMQ 3.13'
} as const

export type ConnectFault = keyof typeof CONNECT_FAULTS
