import { bufferOf } from '../json-parts.ts'
import { isJsonInSteps } from '../large-json.ts'
import { mediaTypeOf } from '../media-type.ts'
import { isJsonType } from '../read-json.ts'
import { base64Slices, ifUtf8, oneLineSlices, stringSlices, utf8Slices, type Slices } from '../slices.ts'

export const JSON_TYPE = 'application/json'

const TEXT_TYPE =
  /^text\/|\+(?:xml|yaml)$|^application\/(?:xml|javascript|yaml|x-yaml|toml|sql|graphql|x-www-form-urlencoded)$/
const OTHER_JSON = /^[^/]+\/json$/
const CHARSET = /;\s*charset=/i

/**
 * The member of an event with its data: JSON where its type is JSON and it is JSON, a string where its type is one of
 * texts and it is UTF-8, base64 otherwise. Empty when there is no data.
 */
export function * dataSlices (data: Uint8Array, contentType: string | undefined): Slices {
  const text = ifUtf8(data)
  const isJson = isJsonData(contentType)
  if (data.length === 0 && (contentType === undefined || isJson)) return
  if (text !== undefined && isJson && (yield * isJsonInSteps(bufferOf(text)))) {
    yield ',"data":'
    return yield * oneLineSlices(utf8Slices(text))
  }
  if (text !== undefined && isText(contentType)) {
    yield ',"data":"'
    yield * stringSlices(utf8Slices(text))
  } else {
    yield ',"data_base64":"'
    yield * base64Slices(data)
  }
  yield '"'
}

/** Whether data of a type are JSON, as CloudEvents says it: a subtype of `json`, or one that ends with `+json`. */
export function isJsonData (contentType: string | undefined): boolean {
  return isJsonType(contentType) || OTHER_JSON.test(mediaTypeOf(contentType))
}

// By its type and not by its bytes: some bytes of a binary format are UTF-8 by accident.
function isText (contentType = ''): boolean {
  return TEXT_TYPE.test(mediaTypeOf(contentType)) || CHARSET.test(contentType)
}
