package clickhouse

import "porterhouse"

// rule says what a person is told of an exception.
type rule struct {
	name   string           // as ClickHouse has it
	kind   porterhouse.Kind // what sort of failure it is
	public string           // instead of ClickHouse's message, which would tell too much; "": the message
}

// elsewhere stands for messages that are about nothing but hosts.
const elsewhere = "ClickHouse could not reach something that the question needs, such as another server; try again later, or tell the operator"

// noMore is what is told of a failure that has no words for people.
const noMore = "ClickHouse failed in a way of which it does not tell more; tell the operator"

// Codes that judge looks at.
const (
	syntaxError          = 62
	unknownUser          = 192
	wrongPassword        = 193
	requiredPassword     = 194
	supportIsDisabled    = 344
	accessEntityNotFound = 492
	accessDenied         = 497
	authenticationFailed = 516
	unknownException     = 1002
)

// aboutRights are the codes of what an account may not do: readonly, unknown user,
// password, constraints, grants, authentication.
var aboutRights = map[int]bool{164: true, unknownUser: true, wrongPassword: true, requiredPassword: true, 452: true, 472: true, accessDenied: true, authenticationFailed: true}

// failedLogin are the codes of a login that failed; the first three are of old servers.
var failedLogin = map[int]bool{unknownUser: true, wrongPassword: true, requiredPassword: true, authenticationFailed: true}

// rules is what an exception means, by its code. A code that is not here means
// that the statement cannot be run as it is: Failed, with ClickHouse's message.
var rules = map[int]rule{
	// The account's rights say no.
	164:          {"READONLY", porterhouse.Denied, ""},
	unknownUser:  {"UNKNOWN_USER", porterhouse.Denied, ""},
	291:          {"DATABASE_ACCESS_DENIED", porterhouse.Denied, ""},
	446:          {"FUNCTION_NOT_ALLOWED", porterhouse.Denied, ""},
	452:          {"SETTING_CONSTRAINT_VIOLATION", porterhouse.Denied, ""},
	472:          {"READONLY_SETTING", porterhouse.Denied, ""},
	481:          {"PATH_ACCESS_DENIED", porterhouse.Denied, ""},
	482:          {"DICTIONARY_ACCESS_DENIED", porterhouse.Denied, ""},
	accessDenied: {"ACCESS_DENIED", porterhouse.Denied, ""},
	620:          {"QUERY_NOT_ALLOWED", porterhouse.Denied, ""},
	673:          {"RESOURCE_ACCESS_DENIED", porterhouse.Denied, ""},

	// Over a limit: less, or later.
	158: {"TOO_MANY_ROWS", porterhouse.Limited, ""},
	161: {"TOO_MANY_COLUMNS", porterhouse.Limited, ""},
	162: {"TOO_DEEP_SUBQUERIES", porterhouse.Limited, ""},
	165: {"TOO_MANY_TEMPORARY_COLUMNS", porterhouse.Limited, ""},
	166: {"TOO_MANY_TEMPORARY_NON_CONST_COLUMNS", porterhouse.Limited, ""},
	167: {"TOO_DEEP_AST", porterhouse.Limited, ""},
	168: {"TOO_BIG_AST", porterhouse.Limited, ""},
	173: {"CANNOT_ALLOCATE_MEMORY", porterhouse.Limited, ""},
	191: {"SET_SIZE_LIMIT_EXCEEDED", porterhouse.Limited, ""},
	201: {"QUOTA_EXCEEDED", porterhouse.Limited, ""},
	202: {"TOO_MANY_SIMULTANEOUS_QUERIES", porterhouse.Limited, ""},
	229: {"QUERY_IS_TOO_LARGE", porterhouse.Limited, ""},
	241: {"MEMORY_LIMIT_EXCEEDED", porterhouse.Limited, ""},
	290: {"LIMIT_EXCEEDED", porterhouse.Limited, ""},
	306: {"TOO_DEEP_RECURSION", porterhouse.Limited, ""},
	307: {"TOO_MANY_BYTES", porterhouse.Limited, ""},
	396: {"TOO_MANY_ROWS_OR_BYTES", porterhouse.Limited, ""},
	776: {"RESOURCE_LIMIT_EXCEEDED", porterhouse.Limited, ""},
	777: {"MEMORY_RESERVATION_KILLED", porterhouse.Limited, ""},
	778: {"MEMORY_RESERVATION_FAILED", porterhouse.Limited, ""},

	159: {"TIMEOUT_EXCEEDED", porterhouse.Timeout, ""},
	160: {"TOO_SLOW", porterhouse.Timeout, ""},

	394: {"QUERY_WAS_CANCELLED", porterhouse.Canceled, ""},
	735: {"QUERY_WAS_CANCELLED_BY_CLIENT", porterhouse.Canceled, ""},

	// Something is away.
	95:  {"CANNOT_READ_FROM_SOCKET", porterhouse.Unavailable, elsewhere},
	96:  {"CANNOT_WRITE_TO_SOCKET", porterhouse.Unavailable, elsewhere},
	198: {"DNS_ERROR", porterhouse.Unavailable, elsewhere},
	203: {"NO_FREE_CONNECTION", porterhouse.Unavailable, elsewhere},
	209: {"SOCKET_TIMEOUT", porterhouse.Unavailable, elsewhere},
	210: {"NETWORK_ERROR", porterhouse.Unavailable, elsewhere},
	236: {"ABORTED", porterhouse.Unavailable, ""},
	242: {"TABLE_IS_READ_ONLY", porterhouse.Unavailable, ""},
	279: {"ALL_CONNECTION_TRIES_FAILED", porterhouse.Unavailable, elsewhere},
	297: {"SHARD_HAS_NO_CONNECTIONS", porterhouse.Unavailable, elsewhere},
	439: {"CANNOT_SCHEDULE_TASK", porterhouse.Unavailable, ""},
	519: {"NO_REMOTE_SHARD_AVAILABLE", porterhouse.Unavailable, elsewhere},
	745: {"SERVER_OVERLOADED", porterhouse.Unavailable, ""},
	749: {"TCP_CONNECTION_LIMIT_REACHED", porterhouse.Unavailable, ""},
	762: {"HTTP_CONNECTION_LIMIT_REACHED", porterhouse.Unavailable, ""},
	999: {"KEEPER_EXCEPTION", porterhouse.Unavailable, elsewhere},

	// What went wrong in ClickHouse itself, in words that are not for people.
	1000:             {"POCO_EXCEPTION", porterhouse.Unavailable, noMore},
	1001:             {"STD_EXCEPTION", porterhouse.Unavailable, noMore},
	unknownException: {"UNKNOWN_EXCEPTION", porterhouse.Unavailable, noMore},
}

// trouble is a code by which a server says that it had better not be asked for a while.
type trouble struct {
	name   string   // as ClickHouse has it
	begins []string // how its message begins, where the code is also said of what a person has set, or made; nil: however
}

// serversOwn are they. Those of a person's own quota, limits and time are not among them,
// nor those of other servers that a statement names (url, remote).
var serversOwn = map[int]trouble{
	173: {"CANNOT_ALLOCATE_MEMORY", nil},
	202: {"TOO_MANY_SIMULTANEOUS_QUERIES", []string{"Too many simultaneous queries. ", "Too many simultaneous insert queries. ", "Too many simultaneous select queries. "}}, // not: for user, for all users
	241: {"MEMORY_LIMIT_EXCEEDED", []string{"(total) memory limit exceeded", "Memory limit (total) exceeded"}},                                                              // not: Query, User
	242: {"TABLE_IS_READ_ONLY", []string{"Table is in readonly mode (replica path", "Table is in readonly mode since ", "Table is in readonly mode due to shutdown"}},       // not: static storage
	243: {"NOT_ENOUGH_SPACE", nil},
	252: {"TOO_MANY_PARTS", []string{"Too many parts", "Too many inactive parts"}}, // not: partitions in one INSERT
	439: {"CANNOT_SCHEDULE_TASK", nil},
	745: {"SERVER_OVERLOADED", nil},
	749: {"TCP_CONNECTION_LIMIT_REACHED", nil},
	762: {"HTTP_CONNECTION_LIMIT_REACHED", nil},
	999: {"KEEPER_EXCEPTION", nil},
}
