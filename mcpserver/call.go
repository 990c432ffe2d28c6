package mcpserver

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// call is one call of a tool. It may ask ClickHouse several questions, which all
// carry its id, and it collects the text of the answer.
type call struct {
	*visit
	tool     string
	id       string
	cluster  string // that it asks; see choose
	progress progress
	text     *[]byte // the answer so far
}

func newCall(v *visit, tool string) *call {
	return &call{visit: v, tool: tool, id: newID(), text: v.server.state.buffers.take()}
}

// end gives back what the call borrowed.
func (c *call) end() { c.server.state.buffers.give(c.text) }

// ask puts a question to ClickHouse as the person of this visit, and nobody else.
func (c *call) ask(ctx context.Context, q porterhouse.Query) (*porterhouse.Answer, error) {
	q.Via = c.via()
	return c.server.config.Gate.Query(ctx, c.who, q)
}

// via is where the call's questions come in.
func (c *call) via() porterhouse.Via {
	return porterhouse.Via{Entry: c.entry(), Tool: c.tool, Call: c.id, Request: c.request}
}

// entry is where the person came in.
func (c *call) entry() porterhouse.Entry {
	return porterhouse.Entry{Cluster: c.cluster, Door: c.door}
}

// mostRows is the most rows that any answer of this door can have.
func (c Config) mostRows() (most int64) {
	for _, name := range c.Clusters {
		most = max(most, c.Gate.Limits(porterhouse.Entry{Cluster: name, Door: Door}).Rows)
	}
	return most
}

// printf adds to the answer.
func (c *call) printf(format string, args ...any) {
	*c.text = fmt.Appendf(*c.text, format, args...)
}

// longText is the size from which a text goes around the SDK's marshalling.
const longText = 2 << 10

// result is the answer as the SDK wants it: the text itself, or the placeholder
// of a long one.
func (c *call) result() *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: c.wire()}}}
}

// wire is the text of the answer, or the placeholder that stands for it.
func (c *call) wire() string {
	if c.reply == nil || len(*c.text) < longText {
		return string(*c.text)
	}
	escaped := c.server.state.buffers.take()
	*escaped = appendEscaped(*escaped, *c.text)
	placeholder, ok := c.reply.hold(escaped)
	if !ok {
		c.server.state.buffers.give(escaped) // nobody waits any more
	}
	return placeholder
}
