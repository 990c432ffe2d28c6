package authenticator

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// clickHouseConfig is a file for /etc/clickhouse-server/config.d. A refusal (401)
// and a failure (503) are not asked again, only what has no answer is. Beyond a
// fresh token, which may need the identity provider, an answer takes a millisecond.
const clickHouseConfig = `<clickhouse>
    <http_authentication_servers>
        <%[1]s>
            <uri>%[2]s</uri>
            <connection_timeout_ms>1000</connection_timeout_ms>
            <receive_timeout_ms>5000</receive_timeout_ms>
            <send_timeout_ms>1000</send_timeout_ms>
            <max_tries>2</max_tries>
            <retry_initial_backoff_ms>50</retry_initial_backoff_ms>
            <retry_max_backoff_ms>500</retry_max_backoff_ms>
            <forward_headers>
                <name>` + QueryIDHeader + `</name>
            </forward_headers>
        </%[1]s>
    </http_authentication_servers>
</clickhouse>
`

// serverName is what may stand as an element of XML and in SQL without quoting.
var serverName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ClickHouseConfig is the file that tells a ClickHouse server to ask us at address,
// such as https://gateway.example.com:8444/<the secret path>. name is how ClickHouse
// calls us: porterhouse, in CREATE USER … IDENTIFIED WITH http SERVER 'porterhouse'
// SCHEME 'BASIC'. Whoever can read the file knows the path.
func ClickHouseConfig(name, address string) (string, error) {
	if !serverName.MatchString(name) {
		return "", fmt.Errorf("authenticator: the name %q must have only letters, digits and _, and begin with no digit", name)
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || len(parsed.Path) < minPath || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return "", errors.New("authenticator: the address for ClickHouse must be http:// or https://, with a host and the secret path")
	}
	var escaped strings.Builder
	if err := xml.EscapeText(&escaped, []byte(address)); err != nil {
		return "", fmt.Errorf("authenticator: the address for ClickHouse: %w", err)
	}
	return fmt.Sprintf(clickHouseConfig, name, escaped.String()), nil
}
