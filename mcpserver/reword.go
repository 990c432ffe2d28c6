package mcpserver

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// numbers are those of a configuration that the texts for clients tell.
type numbers struct {
	rows, mostRows int64 // of an answer: without a word about it, and at most
	tokens         int   // the same in tokens, without a word about it
	mostBytes      int   // the largest max_bytes
}

// numbers are those of c.
func (c Config) numbers() numbers {
	most := c.mostRows()
	return numbers{rows: min(c.Rows, most), mostRows: most, tokens: c.Tokens, mostBytes: c.MaxBytes}
}

// reword is our middleware that puts the texts of the Server to which a message came
// into what the SDK answers: the SDK's own server outlives the configuration, and has
// none. Where there are several clusters the texts are the person's own.
func reword(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		res, err := next(ctx, method, req)
		if err != nil {
			return res, err
		}
		switch res.(type) {
		case *mcp.InitializeResult, *mcp.DiscoverResult, *mcp.ListToolsResult, *mcp.ListResourceTemplatesResult:
			v, err := visitOf(req.GetExtra())
			if err != nil {
				return nil, err
			}
			v.reword(res)
		}
		return res, nil
	}
}

// reword puts the texts for this person into res.
func (v *visit) reword(res mcp.Result) {
	reached := v.reached()
	several := len(reached) > 1
	words := v.server.instructions
	if several {
		words += severalClusters
	}
	switch res := res.(type) {
	case *mcp.InitializeResult:
		res.Instructions = words
	case *mcp.DiscoverResult:
		res.Instructions = words
	case *mcp.ListToolsResult:
		res.Tools = v.server.tools
		if several {
			res.Tools = listed(tools(v.server.config.numbers(), v.choices(reached)))
		}
	case *mcp.ListResourceTemplatesResult:
		res.ResourceTemplates = []*mcp.ResourceTemplate{tableTemplate(several)}
	}
}
