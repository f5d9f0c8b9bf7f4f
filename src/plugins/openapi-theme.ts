/** What Swagger UI does not do on its own: fit a phone, follow the dark scheme, and keep operations short. */
export const DOCS_THEME = {
  title: 'RabbitMQ Stream Gateway',
  js: [{ filename: 'page.js', content: pageScript() }],
  css: [{ filename: 'page.css', content: pageStyle() }]
}

// A file of its own, because the content security policy refuses inline scripts.
function pageScript (): string {
  return `
const viewport = document.createElement('meta')
viewport.name = 'viewport'
viewport.content = 'width=device-width, initial-scale=1'
document.head.append(viewport)

const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', follow)
follow()
`
}

/*
 * The document has an example for each problem of each operation. As text the codes and their meanings are enough: what
 * a problem looks like is the same everywhere, and is among the schemas.
 */
function pageStyle (): string {
  return `
:root { color-scheme: light dark }
html.dark-mode body { background: #1c2022 }
html.dark-mode .swagger-ui :is(.header-col, .header-type) { color: inherit }
.swagger-ui .info { margin: 24px 0 }
.swagger-ui .info .renderedMarkdown code { padding: 0 4px }

/* Links are for programs. */
.swagger-ui .response-col_links { display: none }
tr.response:is([data-code^='4'], [data-code^='5']) :is(.response-controls, .model-example, .headers-wrapper,
  .response__extension, h5, table.headers, .response-col_description__inner ~ *) { display: none }
.swagger-ui .responses-inner tr.response:is([data-code^='4'], [data-code^='5']) td { padding-top: 6px }

@media (max-width: 640px) {
  .swagger-ui .wrapper, .swagger-ui .information-container { padding: 0 12px }
  .swagger-ui .opblock .opblock-summary { flex-wrap: wrap }
  .swagger-ui .opblock-summary-path { max-width: 100%; overflow-wrap: anywhere }
  .swagger-ui .opblock-summary-description { flex-basis: 100%; padding: 4px 0 0 }
  .swagger-ui table.parameters, .swagger-ui table.parameters > :is(thead, tbody),
  .swagger-ui table.parameters > tbody > tr, .swagger-ui table.parameters > tbody > tr > td
    { display: block; width: 100% }
  .swagger-ui table.parameters > thead { display: none }
  .swagger-ui :is(.parameters-col_description input, .parameters-col_description select)
    { max-width: 100%; width: 100% }
  .swagger-ui .opblock-section-header { flex-wrap: wrap; height: auto }
  .swagger-ui .opblock-body pre { white-space: pre-wrap; overflow-wrap: anywhere }
}
`
}
