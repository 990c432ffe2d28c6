package gate

import (
	"errors"

	"porterhouse"
	"porterhouse/statement"
)

// ClickHouse's numbers for what is refused here, for doors that speak as it does.
const (
	codeSyntax            = 62
	codeUnknownSetting    = 115
	codeTimeout           = 159
	codeReadOnly          = 164
	codeUnknownUser       = 192
	codeQuotaExceeded     = 201
	codeTooManyQueries    = 202
	codeCanceled          = 394 // QUERY_WAS_CANCELLED
	codeTooManyBytes      = 396 // TOO_MANY_ROWS_OR_BYTES
	codeSettingConstraint = 452
	codeAccessDenied      = 497
	codeAuthentication    = 516
	codeInvalidRequest    = 36 // BAD_ARGUMENTS
)

// codeOf is the number of a hazard.
func codeOf(k statement.Kind) int {
	switch k {
	case statement.Write:
		return codeReadOnly
	case statement.Setting:
		return codeSettingConstraint
	case statement.Unsure, statement.Empty, statement.Multiple, statement.FormatClause:
		return codeSyntax
	}
	return codeAccessDenied
}

// withCode gives an error of another room the number that fits its kind here, if it is
// of that kind and has none.
func withCode(err error, kind porterhouse.Kind, code int) error {
	known, ok := errors.AsType[*porterhouse.Error](err)
	if !ok || known.Kind != kind || known.Code != 0 {
		return err
	}
	numbered := *known
	numbered.Code = code
	return &numbered
}
