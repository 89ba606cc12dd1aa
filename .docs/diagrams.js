// On a phone a diagram keeps its size and scrolls; shrunk to the screen, its words could not be read.
const initialize = mermaid.initialize
mermaid.initialize = options => initialize({ ...options, flowchart: { useMaxWidth: innerWidth > 760 } })
