package clickhouse

// Grant is one right that an account holds, as SHOW GRANTS tells it.
type Grant struct {
	Right   string   `json:"right"`             // in upper case: SELECT, IMPERSONATE, CREATE USER, ALL
	Columns []string `json:"columns,omitempty"` // of SELECT, INSERT and the like; nil: all
	On      string   `json:"on"`                // as ClickHouse writes it: *.*, app.*, system.processes, a name or a prefix*
	Option  bool     `json:"grant_option"`      // WITH GRANT OPTION
	Revoked bool     `json:"revoked,omitempty"` // a REVOKE: this is taken out of a larger grant
}
