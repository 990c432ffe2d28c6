package clickhouse

import "strings"

// varying are the functions whose value is another one each time, by their nature: the
// time, chance, ids, and what tells of the query, the connection, the server or the
// order in which rows were read. Those that begin with "rand" are among them. In lower
// case.
var varying = words(`
	now now64 nowinblock nowinblock64 today yesterday curdate utctimestamp utc_timestamp current_timestamp current_date
	generateuuidv4 generateuuidv7 generateulid generatesnowflakeid generateserialid generaterandom generaterandomstructure
	fuzzbits fuzzquery fuzzjson obfuscatequery obfuscatequerywithseed arrayshuffle arraypartialshuffle arrayrandomsample
	queryid query_id initialqueryid initial_query_id initialquerystarttime initial_query_start_time connectionid connection_id
	hostname fqdn fullhostname uptime zookeepersessionuptime serveruuid tcpport getoskernelversion
	filesystemavailable filesystemcapacity filesystemunreserved
	blocknumber blocksize blockserializedsize rownumberinblock rownumberinallblocks runningdifference
	runningdifferencestartingwithfirstvalue runningaccumulate runningconcurrency neighbor
	sleep sleepeachrow currentqueryid currenttransactionid transactionid transactionlatestsnapshot transactionoldestsnapshot`)

// bare are those of them that need no parentheses, and the setting by which a read is none.
var bare = words(`current_timestamp current_date processlist ` + directReads)

// steady are the tables of system that stay as they are while nobody changes anything.
var steady = words(`
	one numbers numbers_mt zeros zeros_mt generate_series primes databases columns functions formats table_functions
	table_engines data_type_families collations time_zones keywords aggregate_function_combinators licenses contributors
	grants roles users role_grants enabled_roles current_roles row_policies settings_profiles settings_profile_elements`)

func words(text string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.Fields(text) {
		all[word] = true
	}
	return all
}

// varies reports whether a text names something whose value is another one each time.
// It looks at words and knows nothing of comments or texts: what it wrongly finds is not
// compared, and what it misses is found out by asking again.
func varies(sql string) bool {
	text := strings.ToLower(sql)
	system := false // the word before the last dot is system
	for text != "" {
		from := strings.IndexFunc(text, func(r rune) bool { return !notOfWords(r) })
		if from < 0 {
			return false
		}
		between := strings.Trim(text[:from], " \t\r\n`\"")
		text = text[from:]
		to := strings.IndexFunc(text, notOfWords)
		if to < 0 {
			to = len(text)
		}
		word := text[:to]
		text = text[to:]
		called := strings.HasPrefix(strings.TrimLeft(text, " \t\r\n`\""), "(")
		switch {
		case bare[word], called && (varying[word] || strings.HasPrefix(word, "rand")):
			return true
		case system && between == "." && !steady[word]:
			return true
		}
		system = word == "system"
	}
	return false
}
