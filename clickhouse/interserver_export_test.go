package clickhouse

import "porterhouse/blocks"

// Crowd leaves all answers of the mode Interserver so many bytes together. Call it before.
func (c *Client) Crowd(bytes int64) { c.cluster.room = blocks.NewRoom(bytes) }
