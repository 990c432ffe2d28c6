package main

import "strings"

// patchesOf says, for each build of the library by its GNU build-id, what has to
// change for clickhouse-local to behave as a server does.
var patchesOf = map[string][]patch{
	// @chdb/lib-linux-x64-gnu 26.7.3-stable.1: ClickHouse 26.7.2.1
	"d3d8f5517577ad52775b52318a193784b2fb5317": {
		// A server reads access_control_improvements.allow_impersonate_user, which is
		// on by default since 26.3; clickhouse-local never does. In
		// InterpreterExecuteAsQuery::execute the jump to the exception becomes nops.
		code("allow EXECUTE AS", 0x16fbaa83, "0f84e90d0000", "909090909090"),

		// Users can only come from users.xml, which cannot be written to. Reading goes
		// to a memory storage inside of it; now writing goes there, too. The thunks
		// lie in the padding behind UsersConfigAccessStorage::readImpl.
		thunk("insert into the users' storage", 0x12e0d0d1, 0x12dccec0),
		thunk("remove from the users' storage", 0x12e0d0da, 0x12dcd4c0),
		thunk("update the users' storage", 0x12e0d0e3, 0x12dcd540),
		slot("UsersConfigAccessStorage::isReadOnly", 0x2152d6d8, 5, 0x9175b00, 0x9175c80),
		slot("UsersConfigAccessStorage::insertImpl", 0x2152d6d8, 24, 0x12da65c0, 0x12e0d0d1),
		slot("UsersConfigAccessStorage::removeImpl", 0x2152d6d8, 25, 0x12da7c00, 0x12e0d0da),
		slot("UsersConfigAccessStorage::updateImpl", 0x2152d6d8, 26, 0x12da8680, 0x12e0d0e3),

		// custom_settings_prefixes is not read either. The beginning of
		// CustomSettingsPrefixes::isSettingNameAllowed moves to padding nearby, behind
		// a check for the prefix of a server's stock config.xml.
		code("check for the prefix SQL_", 0x12d3b34c, strings.Repeat("cc", 27),
			"4883fa04"+ // cmp rdx, 4
				"720b"+ // jb to the displaced pushes
				"813e53514c5f"+ // cmp dword [rsi], "SQL_"
				"7503"+ // jne to the displaced pushes
				"b001 c3"+ // mov al, 1; ret
				"5541574156"+ // the displaced pushes
				"e9defeffff"), // jmp 0x12d3b245
		code("custom settings that begin with SQL_", 0x12d3b240, "5541574156", "e907010000"), // jmp 0x12d3b34c

		// clickhouse-local ends its process on any exception that leaves a connection's
		// thread; one wrong password is enough. A server logs it and goes on. The three
		// KillingErrorHandler::exception become a plain return.
		slot("survive a Poco::Exception", 0x21138b98, 2, 0xf113480, 0x9175380),
		slot("survive a std::exception", 0x21138b98, 3, 0xf113480, 0x9175380),
		slot("survive any other exception", 0x21138b98, 4, 0xf113480, 0x9175380),
	},
}
