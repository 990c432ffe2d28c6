package doctor

import "porterhouse/clickhouse"

// switchFile switches EXECUTE AS on: 25.11 to 26.1 look for the switch at the top,
// later ones inside access_control_improvements, and neither minds the other.
const switchFile = `<clickhouse>
    <!-- EXECUTE AS. ClickHouse 25.11 to 26.1 read the first switch, later ones the second. -->
    <allow_impersonate_user>1</allow_impersonate_user>
    <access_control_improvements>
        <allow_impersonate_user>1</allow_impersonate_user>
    </access_control_improvements>
</clickhouse>
`

func (e *exam) switchOn() {
	e.plan.Files = append(e.plan.Files, File{"config.d/porterhouse-execute-as.xml", switchFile, "switches EXECUTE AS on; whoever has no GRANT IMPERSONATE cannot use it"})
}

// askUs tells ClickHouse to ask us, and lets the users that were made by hand log in by
// our word.
func (e draft) askUs() {
	if e.AskUs != "" {
		e.plan.Files = append(e.plan.Files, File{"config.d/porterhouse-authenticator.xml", e.AskUs, "tells ClickHouse to ask us; whoever reads it knows the secret path, so only ClickHouse may"})
	}
	e.logins()
}

// logins let the users that were made by hand, and are named one by one, log in by our
// word. A password that one has stays before it, or it would be shown to us.
func (e draft) logins() {
	names, _, _ := e.localUsers()
	for _, name := range names {
		e.run("so that ClickHouse asks us about "+name, text("ALTER USER "+clickhouse.QuoteName(name)+e.on+
			" ADD IDENTIFIED WITH http SERVER "+clickhouse.QuoteString(e.Authenticator)+" SCHEME 'BASIC'")...)
	}
}
