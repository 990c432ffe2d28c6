package mcpserver

import (
	"log/slog"

	"porterhouse"
)

// behaviour is what an error of one kind means at this door.
type behaviour struct {
	level  slog.Level // of its line in the log
	advice string     // what the caller can do, where the error itself does not say it
}

// behaviours has every kind. All of them are results that the model reads; only
// faults of the protocol itself are protocol errors.
var behaviours = map[porterhouse.Kind]behaviour{
	porterhouse.Invalid:         {slog.LevelInfo, ""},
	porterhouse.Refused:         {slog.LevelInfo, ""},
	porterhouse.Denied:          {slog.LevelInfo, "Your own ClickHouse rights do not cover this. search_schema shows what you may read; whoami shows your roles."},
	porterhouse.Failed:          {slog.LevelInfo, ""},
	porterhouse.Unauthenticated: {slog.LevelWarn, "Sign in again."},
	porterhouse.Limited:         {slog.LevelInfo, ""},
	porterhouse.Timeout:         {slog.LevelInfo, "Ask for less: a WHERE on the sorting key (describe_tables shows it), a shorter time range, or a SAMPLE clause where the table has a sampling key."},
	porterhouse.Canceled:        {slog.LevelInfo, ""},
	porterhouse.Unavailable:     {slog.LevelWarn, "Nothing is wrong with the statement. Try again in a moment."},
	porterhouse.Internal:        {slog.LevelError, ""},
}
