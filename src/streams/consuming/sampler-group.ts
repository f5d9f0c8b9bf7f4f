/**
 * The group of single active consumers by which the instances of the gateway agree on the one that samples consumers.
 * It reads nothing and stores nothing, so it is not listed as a consumer.
 */
export const SAMPLER_GROUP = 'rabbitmq-stream-gateway-sampler'
