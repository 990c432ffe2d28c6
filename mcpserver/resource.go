package mcpserver

import (
	"context"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// resourceTool is what the audit record names as the tool when a client reads a
// resource.
const resourceTool = "resources/read"

// addResources offers the description of each table as a resource.
func addResources(server *mcp.Server) {
	read := func(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		v, err := visitOf(req.Extra)
		if err != nil {
			return nil, err
		}
		c := newCall(v, resourceTool)
		defer c.end()
		if err := readTable(ctx, c, req.Params.URI); err != nil {
			return nil, err
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "text/plain", Text: c.wire()}}}, nil
	}
	server.AddResourceTemplate(tableTemplate(false), read)
	server.AddResourceTemplate(tableTemplate(true), read) // or the SDK would not know its URIs
}

// tableTemplate is how the description of a table is named, among several clusters or
// in the one that there is.
func tableTemplate(several bool) *mcp.ResourceTemplate {
	t := &mcp.ResourceTemplate{
		Name: "table", Title: "Description of a table",
		Description: "Columns, types, comments, keys, engine and size of a table that you may see.",
		URITemplate: "clickhouse://{database}/{table}",
		MIMEType:    "text/plain",
	}
	if several {
		t.URITemplate += "{?cluster}"
	}
	return t
}

// readTable writes the description of the table that a URI names.
func readTable(ctx context.Context, c *call, uri string) error {
	uri, cluster, named := strings.Cut(uri, "?cluster=")
	cluster, err := url.PathUnescape(cluster)
	if err != nil || named && cluster == "" {
		return porterhouse.Errorf(porterhouse.Invalid, "the URI names no cluster behind ?cluster=")
	}
	if err := c.choose(cluster, ""); err != nil {
		return err
	}
	path, ok := strings.CutPrefix(uri, "clickhouse://")
	database, name, _ := strings.Cut(path, "/")
	database, err = url.PathUnescape(database)
	name, err2 := url.PathUnescape(name)
	if !ok || err != nil || err2 != nil || database == "" || name == "" {
		return porterhouse.Errorf(porterhouse.Invalid, "the URI is not clickhouse://database/table")
	}
	tables, err := findTables(ctx, c, []tableName{{database, name}})
	if err != nil {
		return err
	}
	if len(tables) == 0 {
		return porterhouse.Errorf(porterhouse.Invalid, "there is no table %s that you may see", echo(tableName{database, name}.String()))
	}
	describe(c, tables[0])
	return nil
}
