package mcpserver

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// severalClusters is what a model needs to know beside that, where its person reaches more than
// one cluster.
const severalClusters = " There are several ClickHouse clusters, each with its own data: the argument cluster says which is asked."

// instructions are what a client tells its model about this server.
func instructions(n numbers) string {
	return fmt.Sprintf("ClickHouse, read-only, as the signed-in person: what that person may not read is refused or not there. "+
		"To answer a question about data: search_schema by words, describe_tables, then query. Compute in SQL and return few rows; "+
		"an answer is cut at %d rows and about %d tokens, and its first line says when it is not all.",
		n.rows, n.tokens)
}

// addPrompts offers a beginning for people who do not know the data yet.
func addPrompts(server *mcp.Server) {
	server.AddPrompt(&mcp.Prompt{
		Name: "explore", Title: "Explore the data",
		Description: "Find out what data there is, on a topic or at all.",
		Arguments:   []*mcp.PromptArgument{{Name: "topic", Description: "what to look for; empty: everything"}},
	}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{
			Description: "Explore the data",
			Messages:    []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: explore(req.Params.Arguments["topic"])}}},
		}, nil
	})
}

func explore(topic string) string {
	find := "1. whoami, to see which databases I may read; then list their tables with their comments from system.tables."
	if topic != "" {
		find = fmt.Sprintf("1. search_schema with the words of this topic: %q. Try synonyms when little is found.", topic)
	}
	return "Explore the ClickHouse data that I may read.\n" + find + `
2. describe_tables, with samples, for the tables that look most useful: what is one row, what is the time column, what are the keys?
3. query, with small aggregates only: how many rows, from when to when, the most common values of the important columns, how many are NULL or empty.
Then tell me, in a short summary: which tables there are and what they hold, how they join, what looks wrong in the data, and three questions that they can answer, each with its SQL. Say where an answer was cut.`
}
