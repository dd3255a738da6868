import APISchema
import CPostgreSQL

/// What PostgreSQL said when it refused something.
struct PostgreSQLFailure: Error {
    /// Five characters, appendix A of the manual; empty when the connection was lost.
    var state: String
    var message: String
    var constraint: String?

    /// Shutdowns (57P0x), failures of the connection (08xxx), idle_in_transaction_session_timeout (25P03); and a server that takes no writes any more: a new
    /// connection may find the one that does.
    var isConnectionLost: Bool {
        state.isEmpty || state.hasPrefix("57P0") || state.hasPrefix("08") || state == "25P03" || isReadOnly
    }

    /// read_only_sql_transaction; and feature_not_supported, which is what a standby answers to SERIALIZABLE, before any write. Nothing else that is asked for
    /// here is a feature that a server could lack.
    var isReadOnly: Bool { state == "25006" || state == "0A000" }

    /// The transaction met another one: serialization_failure, deadlock_detected. The same body may well succeed when it runs again.
    var isConflict: Bool { state == "40001" || state == "40P01" }

    /// A violated unique or foreign key. In a serializable transaction the other row may be younger than what the body saw of the
    /// database, and its checks may have been right: a second run tells.
    var isViolation: Bool { state == "23505" || state == "23503" }
}

/// A connection to a PostgreSQL server. Made, used and closed by one thread; its calls block.
final class PostgreSQLConnection: SQLConnection {
    private let connection: OpaquePointer
    /// `table(column,column)` by the name of the unique index.
    private let uniqueConstraints: [String: String]
    /// Names of prepared statements by their texts.
    private var prepared: [String: String] = [:]
    /// The first failure since ``forgetFailure()``: what the body of a transaction does with the error does not hide it.
    private(set) var failure: PostgreSQLFailure?

    /// The lock that is held from the moment a transaction gets its revision until it ends. An arbitrary number, the same in all versions.
    private static let revisionLock = 7_382_660_110
    /// The channel on which servers that share a database tell each other of commits.
    static let channel = "neutrino_commits"

    init(url: String, limits: StoreLimits) throws(StoreError) {
        connection = try Self.connect(url, limits)
        do {
            uniqueConstraints = try Self.readUniqueConstraints(connection)
        } catch {
            PQfinish(connection)
            throw .unavailable(error.message)
        }
    }

    deinit { PQfinish(connection) }

    var dialect: SQLDialect { .postgresql }

    /// False once the server has gone away.
    var isAlive: Bool { PQstatus(connection) == CONNECTION_OK && failure?.isConnectionLost != true }

    /// The descriptor to wait on for notifications.
    var socketDescriptor: Int32 { PQsocket(connection) }

    func forgetFailure() { failure = nil }

    private static func connect(_ url: String, _ limits: StoreLimits) throws(StoreError) -> OpaquePointer {
        // What stands before the URL is a default, which it may override; what stands behind it holds.
        let settings =
            silenceSettings(limits) + [
                ("dbname", url), ("connect_timeout", String(limits.connectTimeoutSeconds)), ("application_name", "neutrino"),
                ("client_encoding", "UTF8"),
            ]
        // The C function wants two arrays of strings that end with null.
        let names: [UnsafeMutablePointer<CChar>?] = settings.map { copy($0.0) } + [nil]
        let values: [UnsafeMutablePointer<CChar>?] = settings.map { copy($0.1) } + [nil]
        defer { for pointer in names + values { pointer?.deallocate() } }
        let connection = names.map { UnsafePointer($0) }.withUnsafeBufferPointer { names in
            values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                PQconnectdbParams(names.baseAddress, values.baseAddress, 1)
            }
        }
        guard let connection else { throw .unavailable("no memory for a connection to PostgreSQL") }
        guard PQstatus(connection) == CONNECTION_OK else {
            defer { PQfinish(connection) }
            throw .unavailable(errorText(connection))
        }
        // Notices (`relation already exists, skipping`) are of no interest; by default libpq prints them on standard error.
        PQsetNoticeReceiver(connection, { _, _ in }, nil)
        do throws(PostgreSQLFailure) {
            try run(
                connection,
                """
                SET statement_timeout = \(limits.statementTimeoutMilliseconds);
                SET idle_in_transaction_session_timeout = \(limits.statementTimeoutMilliseconds)
                """)
        } catch {
            PQfinish(connection)
            throw .unavailable(error.message)
        }
        return connection
    }

    /// A machine that lost its power, or a firewall that forgot the connection, ends it without a word. By itself TCP tries for a quarter of an hour to tell
    /// such an end something (tcp(7), tcp_retries2), and asks one that nobody tells anything after two hours (tcp_keepalive_time).
    private static func silenceSettings(_ limits: StoreLimits) -> [(String, String)] {
        let interval = max(limits.silenceSeconds / 3, 1)
        return [
            ("tcp_user_timeout", String(limits.silenceSeconds * 1000)), ("keepalives_idle", String(interval)),
            ("keepalives_interval", String(interval)), ("keepalives_count", "2"),
        ]
    }

    private static func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
        let bytes = text.utf8CString
        let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        for (position, byte) in bytes.enumerated() { pointer[position] = byte }
        return pointer
    }

    // MARK: Statements

    func execute(_ sql: String, _ arguments: [ColumnValue], isCached: Bool) throws(StoreError) -> Int {
        let result = try send(sql, arguments, isCached: isCached)
        defer { PQclear(result) }
        return PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
    }

    func query(
        _ sql: String, _ arguments: [ColumnValue], isCached: Bool, _ body: (RowReader) throws(StoreError) -> Void
    ) throws(StoreError) {
        let result = try send(sql, arguments, isCached: isCached)
        defer { PQclear(result) }
        for row in 0..<PQntuples(result) { try body(.postgresql(result, row)) }
    }

    func executeScript(_ sql: String) throws(StoreError) {
        do throws(PostgreSQLFailure) { try Self.run(connection, sql) } catch { throw remember(error) }
    }

    /// Transactions that changed something take this lock last and hold it until they are committed: revisions become visible in order.
    ///
    /// The number comes from a sequence, not from the table: the transaction sees the table as it was when it began.
    func takeRevision() throws(StoreError) -> Int {
        _ = try execute("SELECT pg_advisory_xact_lock(\(Self.revisionLock))", [], isCached: true)
        let revision = try integer("SELECT nextval('change_log_revision')")
        guard let revision else { preconditionFailure("a sequence has a next value") }
        _ = try execute("SELECT pg_notify('\(Self.channel)', ?)", [.text(String(revision))], isCached: true)
        return revision
    }

    func checkForeignKeys() throws(StoreError) { try executeScript("SET CONSTRAINTS ALL IMMEDIATE") }

    /// Sends one statement and returns its result, which the caller clears.
    private func send(_ sql: String, _ arguments: [ColumnValue], isCached: Bool) throws(StoreError) -> OpaquePointer {
        do throws(PostgreSQLFailure) {
            guard var parameters = Parameters(arguments) else {
                throw PostgreSQLFailure(state: "22021", message: "PostgreSQL keeps no zero bytes in texts")
            }
            if isCached {
                let name = try prepare(sql)
                return try Self.checked(parameters.send { PQexecPrepared(connection, name, $0, $1, nil, nil, 0) }, connection)
            }
            let text = Self.numbered(sql)
            return try Self.checked(parameters.send { PQexecParams(connection, text, $0, nil, $1, nil, nil, 0) }, connection)
        } catch {
            throw remember(error)
        }
    }

    private func prepare(_ sql: String) throws(PostgreSQLFailure) -> String {
        if let known = prepared[sql] { return known }
        let name = "s\(prepared.count)"
        PQclear(try Self.checked(PQprepare(connection, name, Self.numbered(sql), 0, nil), connection))
        prepared[sql] = name
        return name
    }

    /// `?` → `$1`, `$2`… except in quotes.
    static func numbered(_ sql: String) -> String {
        var result = ""
        var count = 0
        var quote: Character?
        for character in sql {
            if let open = quote {
                if character == open { quote = nil }
                result.append(character)
            } else if character == "?" {
                count += 1
                result += "$\(count)"
            } else {
                if character == "'" || character == "\"" { quote = character }
                result.append(character)
            }
        }
        return result
    }

    // MARK: Notifications

    /// Takes what has arrived; the payloads of notifications. Nil when the connection is lost.
    func takeNotifications() -> [String]? {
        guard PQconsumeInput(connection) == 1, PQstatus(connection) == CONNECTION_OK else { return nil }
        var payloads: [String] = []
        while let notification = PQnotifies(connection) {
            if let extra = notification.pointee.extra { payloads.append(String(cString: extra)) }
            PQfreemem(notification)
        }
        return payloads
    }

    // MARK: Failures

    private static func run(_ connection: OpaquePointer, _ sql: String) throws(PostgreSQLFailure) {
        PQclear(try checked(PQexec(connection, sql), connection))
    }

    private static func checked(_ result: OpaquePointer?, _ connection: OpaquePointer) throws(PostgreSQLFailure) -> OpaquePointer {
        guard let result else { throw PostgreSQLFailure(state: "", message: errorText(connection)) }
        let status = PQresultStatus(result)
        if status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK { return result }
        defer { PQclear(result) }
        func field(_ code: UInt8) -> String? { PQresultErrorField(result, Int32(code)).map { String(cString: $0) } }
        // PG_DIAG_SQLSTATE, PG_DIAG_MESSAGE_PRIMARY, PG_DIAG_CONSTRAINT_NAME of libpq-fe.h.
        throw PostgreSQLFailure(
            state: field(UInt8(ascii: "C")) ?? "", message: field(UInt8(ascii: "M")) ?? errorText(connection),
            constraint: field(UInt8(ascii: "n")))
    }

    private static func errorText(_ connection: OpaquePointer) -> String {
        var text = PQerrorMessage(connection).map { String(cString: $0) } ?? "no connection"
        while text.last?.isWhitespace == true { text.removeLast() }
        return text.isEmpty ? "the connection was lost" : text
    }

    private func remember(_ failure: PostgreSQLFailure) -> StoreError {
        self.failure = self.failure ?? failure
        return storeError(failure)
    }

    func storeError(_ failure: PostgreSQLFailure) -> StoreError {
        if failure.isReadOnly { return .readOnly(failure.message) }
        if failure.isConnectionLost { return .unavailable(failure.message) }
        switch failure.state {
        case "23505":
            let name = failure.constraint ?? failure.message
            return .uniqueViolation(constraint: uniqueConstraints[name] ?? name)
        case "23503": return .foreignKeyViolation(detail: failure.message)
        case "XX001", "XX002": return .corrupt(failure.message)
        default: break
        }
        // Serialisation, resources, operator intervention, system errors: another attempt may succeed.
        let transient = ["40", "53", "55", "57", "58"]
        return transient.contains(String(failure.state.prefix(2))) ? .unavailable(failure.message) : .refused(failure.message)
    }

    /// SQLite names the columns of a violated constraint, PostgreSQL its name: the catalogue translates.
    private static func readUniqueConstraints(_ connection: OpaquePointer) throws(PostgreSQLFailure) -> [String: String] {
        let sql = """
            SELECT i.relname, t.relname || '(' || string_agg(a.attname, ',' ORDER BY k.position) || ')'
            FROM pg_index x
            JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
            CROSS JOIN unnest(x.indkey) WITH ORDINALITY AS k (attribute, position)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attribute
            WHERE x.indisunique AND t.relnamespace = to_regnamespace(current_schema()::text)
            GROUP BY i.relname, t.relname
            """
        let result = try checked(PQexec(connection, sql), connection)
        defer { PQclear(result) }
        var names: [String: String] = [:]
        for row in 0..<PQntuples(result) {
            let reader = RowReader.postgresql(result, row)
            if case .text(let name) = reader[0], case .text(let columns) = reader[1] { names[name] = columns }
        }
        return names
    }
}

/// Arguments as libpq takes them: text, each ending with a zero byte, in one buffer.
private struct Parameters {
    private var bytes: [CChar] = []
    /// Where each text starts; nil for null.
    private var offsets: [Int?] = []

    /// Nil when a text has a zero byte, which PostgreSQL cannot keep (and libpq would take for the end).
    init?(_ arguments: [ColumnValue]) {
        for argument in arguments {
            switch argument {
            case .null: offsets.append(nil)
            case .integer(let number): append(String(number))
            case .text(let text):
                guard !text.utf8.contains(0) else { return nil }
                append(text)
            }
        }
    }

    private mutating func append(_ text: String) {
        offsets.append(bytes.count)
        for byte in text.utf8 { bytes.append(CChar(bitPattern: byte)) }
        bytes.append(0)
    }

    /// Calls a function of libpq with the number of parameters and the pointers to them.
    mutating func send(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> OpaquePointer?) -> OpaquePointer? {
        bytes.withUnsafeBufferPointer { buffer in
            let pointers = offsets.map { offset in offset.flatMap { offset in buffer.baseAddress.map { $0 + offset } } }
            return pointers.withUnsafeBufferPointer { body(Int32($0.count), $0.baseAddress) }
        }
    }
}
